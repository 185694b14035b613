"""Storages of events, from which scores are computed at any time: `port` is the contract of them all.

`storage_from_url` makes one from its address. The names below are imported on first use, because a backend
may need a package that is not installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.lazy_names import lazy_names

if TYPE_CHECKING:
    from poh_holdmetrics.storage.immudb import ImmudbStorage
    from poh_holdmetrics.storage.memory import MemoryStorage
    from poh_holdmetrics.storage.mongodb import MongoStorage
    from poh_holdmetrics.storage.pipeline_sink import sink
    from poh_holdmetrics.storage.port import Storage
    from poh_holdmetrics.storage.sqlite import SqliteStorage
    from poh_holdmetrics.storage.urls import storage_from_url

__all__ = [
    "ImmudbStorage",
    "MemoryStorage",
    "MongoStorage",
    "SqliteStorage",
    "Storage",
    "sink",
    "storage_from_url",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ImmudbStorage": "poh_holdmetrics.storage.immudb",
        "MemoryStorage": "poh_holdmetrics.storage.memory",
        "MongoStorage": "poh_holdmetrics.storage.mongodb",
        "SqliteStorage": "poh_holdmetrics.storage.sqlite",
        "Storage": "poh_holdmetrics.storage.port",
        "sink": "poh_holdmetrics.storage.pipeline_sink",
        "storage_from_url": "poh_holdmetrics.storage.urls",
    },
)

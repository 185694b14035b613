"""Storages of events, from which scores are computed at any time: `port` is the contract of them all.

`storage_from_url` makes one from its address. The names below are imported on first use, because a backend
may need a package that is not installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poh_holdmetrics.storage.memory import MemoryStorage
    from poh_holdmetrics.storage.mongodb import MongoStorage
    from poh_holdmetrics.storage.pipeline_sink import sink
    from poh_holdmetrics.storage.port import Storage
    from poh_holdmetrics.storage.sqlite import SqliteStorage
    from poh_holdmetrics.storage.urls import storage_from_url

__all__ = ["MemoryStorage", "MongoStorage", "SqliteStorage", "Storage", "sink", "storage_from_url"]

_HOMES = {
    "MemoryStorage": "memory",
    "MongoStorage": "mongodb",
    "SqliteStorage": "sqlite",
    "Storage": "port",
    "sink": "pipeline_sink",
    "storage_from_url": "urls",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

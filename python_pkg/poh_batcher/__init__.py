"""Acknowledgements, or any JSON models, in compressed batches: collected, stored once, read back, verified.

`batcher` collects, `packing` makes the bytes of a batch, `store` numbers and keeps batches at a storage, and
`cli` is the command `poh-batcher`. The names below are imported on first use, so that importing the package
costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from poh_batcher.version import __version__

if TYPE_CHECKING:
    from poh_batcher.batcher import AsyncBatcher, Backoff, Batcher, Sink
    from poh_batcher.compression import compress, decompress
    from poh_batcher.errors import BatchDamaged, BatcherError, KeyMissing, KeyTaken, NotStored, StorageError
    from poh_batcher.packing import pack_acks, unpack_batch
    from poh_batcher.storage import LocalStorage, S3Storage, StorageBackend, storage_from_url
    from poh_batcher.store import BatchStore, StoredBatch
    from poh_batcher.types import AckItem, AckRequest, BatchHeader, PackedBatch

__all__ = [
    "AckItem",
    "AckRequest",
    "AsyncBatcher",
    "Backoff",
    "BatchDamaged",
    "BatchHeader",
    "BatchStore",
    "Batcher",
    "BatcherError",
    "KeyMissing",
    "KeyTaken",
    "LocalStorage",
    "NotStored",
    "PackedBatch",
    "S3Storage",
    "Sink",
    "StorageBackend",
    "StorageError",
    "StoredBatch",
    "__version__",
    "compress",
    "decompress",
    "pack_acks",
    "storage_from_url",
    "unpack_batch",
]

_NAMES = {
    "batcher": ("AsyncBatcher", "Backoff", "Batcher", "Sink"),
    "compression": ("compress", "decompress"),
    "errors": ("BatchDamaged", "BatcherError", "KeyMissing", "KeyTaken", "NotStored", "StorageError"),
    "packing": ("pack_acks", "unpack_batch"),
    "storage": ("LocalStorage", "S3Storage", "StorageBackend", "storage_from_url"),
    "store": ("BatchStore", "StoredBatch"),
    "types": ("AckItem", "AckRequest", "BatchHeader", "PackedBatch"),
}


def __getattr__(name: str) -> object:
    for module, names in _NAMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

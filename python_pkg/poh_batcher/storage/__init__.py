"""Where batches lie: a folder, S3, Google Cloud Storage or Azure, by one port with create-once writes."""

from __future__ import annotations

from poh_batcher.storage.local import LocalStorage
from poh_batcher.storage.objects import ObjectStorage, S3Storage
from poh_batcher.storage.port import StorageBackend
from poh_batcher.storage.urls import storage_from_url

__all__ = ["LocalStorage", "ObjectStorage", "S3Storage", "StorageBackend", "storage_from_url"]

"""A storage from its address: `file:///path`, a plain path, `s3://bucket/prefix`, `gs://...`, `az://...`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from poh_batcher.errors import excerpt
from poh_batcher.storage.local import LocalStorage
from poh_batcher.storage.objects import S3Storage, storage_from_cloud_url

if TYPE_CHECKING:
    from poh_batcher.storage.port import StorageBackend

_CLOUDS = ("gs", "az", "adl", "abfs", "abfss", "azure")


def storage_from_url(url: str) -> StorageBackend:
    """The storage at an address; raises `ValueError` if it is invalid, `RuntimeError` if obstore is missing.

    `file:///var/batches` is a folder by its full path; `file://./batches` and `batches` are in the working
    folder.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        if not url:
            raise ValueError("url: empty; give a folder or s3://bucket/prefix")
        scheme, colon, _ = url.partition(":")
        if colon and scheme in ("file", "s3", *_CLOUDS):
            raise ValueError(f"url: two slashes are missing; write {scheme}://; found {excerpt(url)}")
        return LocalStorage(url)
    if not rest:
        raise ValueError(f"url: nothing follows {scheme}://; found {excerpt(url)}")
    if scheme == "file":
        return LocalStorage(unquote(rest))
    if scheme == "s3":
        bucket, _, prefix = rest.partition("/")
        if not bucket:
            raise ValueError(f"url: the bucket is missing; expected s3://bucket/prefix; found {excerpt(url)}")
        return S3Storage(bucket, prefix)
    if scheme in _CLOUDS:
        return storage_from_cloud_url(url)
    raise ValueError(f"url: unknown storage; expected file://, s3://, gs:// or az://; found {excerpt(url)}")

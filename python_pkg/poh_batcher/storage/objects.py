"""Batches in an object store, by obstore: S3 and what speaks its protocol, Google Cloud Storage, Azure.

Objects are created by conditional puts, so the store decides between writers. Credentials, region and
endpoint come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...) or from arguments.

The calls run in threads: obstore's own coroutines are completed by its threads, which abort a process that
ends at that moment.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from poh_batcher.errors import KeyMissing, KeyTaken, StorageError
from poh_batcher.storage.port import StorageBackend, checked_key

if TYPE_CHECKING:
    from obstore.store import ObjectStore

Result = TypeVar("Result")

#: The batcher itself calls again and logs it; the client repeats only what fails for a moment.
_RETRY: Any = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=1), "base": 2},
}
_CLIENT: Any = {
    "connect_timeout": timedelta(seconds=5),
    "timeout": timedelta(seconds=60),
    # For an endpoint that is given as http://; the addresses of the clouds are https.
    "allow_http": True,
}
#: Characters of the client's message, which repeats itself at length.
_MESSAGE_CHARACTERS_MAX = 300


class ObjectStorage(StorageBackend):
    """An obstore store; `url` is how messages call it."""

    def __init__(self, store: ObjectStore, url: str) -> None:
        self._store = store
        self.url = url.rstrip("/")

    async def save_bytes(self, key: str, data: bytes) -> None:
        """Create an object by a conditional put."""
        obstore, path = _obstore(), checked_key(key)
        await self._called(
            key, lambda: obstore.put(self._store, path, data, mode="create", use_multipart=False)
        )

    async def read_bytes(self, key: str) -> bytes:
        """The bytes of an object."""
        obstore, path = _obstore(), checked_key(key)
        return await self._called(key, lambda: bytes(obstore.get(self._store, path).bytes()))

    async def exists(self, key: str) -> bool:
        """Whether there is an object under the key."""
        obstore, path = _obstore(), checked_key(key)
        try:
            await self._called(key, lambda: obstore.head(self._store, path))
        except KeyMissing:
            return False
        return True

    async def names(self, folder: str) -> list[str]:
        """What lies in a folder."""
        obstore, path = _obstore(), f"{checked_key(folder)}/"
        listed = await self._called(folder, lambda: obstore.list_with_delimiter(self._store, path))
        paths = [*listed["common_prefixes"], *(each["path"] for each in listed["objects"])]
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    def get_url(self, key: str) -> str:
        """The address of the store and the key."""
        return f"{self.url}/{key}"

    async def _called(self, key: str, call: Callable[[], Result]) -> Result:
        """The result of a call in a thread, its errors as those of the port."""
        errors = _module("obstore.exceptions")
        try:
            return await asyncio.to_thread(call)
        except errors.AlreadyExistsError:
            raise KeyTaken(self.get_url(key)) from None
        except (errors.NotFoundError, FileNotFoundError):
            raise KeyMissing(self.get_url(key)) from None
        except (errors.BaseError, OSError) as error:
            raise StorageError(self.get_url(key), _sentence(str(error))) from error


class S3Storage(ObjectStorage):
    """A bucket of S3, or of a server that speaks its protocol, below a prefix."""

    def __init__(
        self, bucket: str, prefix: str = "", *, region_name: str | None = None, **config: str
    ) -> None:
        """`config` are settings of obstore's S3 store, such as `endpoint` and `access_key_id`."""
        if region_name is not None:
            config["region"] = region_name
        prefix = prefix.strip("/")
        store = _stores().S3Store(
            bucket, prefix=prefix or None, config=config, client_options=_CLIENT, retry_config=_RETRY
        )
        super().__init__(store, f"s3://{bucket}/{prefix}")


def _sentence(message: str) -> str:
    """What a server says is wrong, in its XML answer, or the beginning of the client's message."""
    said = re.search("<Message>(.*?)</Message>", message)
    return " ".join((said[1] if said else message).split())[:_MESSAGE_CHARACTERS_MAX]


def storage_from_cloud_url(url: str) -> ObjectStorage:
    """The storage at an address that obstore knows besides S3: `gs://`, `az://` and their kin."""
    return ObjectStorage(_stores().from_url(url, client_options=_CLIENT, retry_config=_RETRY), url)


def _obstore() -> Any:
    return _module("obstore")


def _stores() -> Any:
    return _module("obstore.store")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        raise RuntimeError("s3, gs and az need obstore; run pip install 'poh-batcher[s3]'") from missing

"""The contract of every storage: named objects that are created once, read, and listed by folder.

Keys are relative paths with `/`. Knows no backend; `local` is the simplest.
"""

from __future__ import annotations

from typing import Protocol

from poh_batcher.errors import excerpt


class StorageBackend(Protocol):
    """Objects under keys. Every method raises `StorageError` if the storage cannot do it now.

    An object is there whole or not at all, is as durable as the storage makes it when `save_bytes` returns,
    and is never replaced: so several writers can share a storage.
    """

    async def save_bytes(self, key: str, data: bytes) -> None:
        """Create an object; raises `KeyTaken` if it exists.

        If it raises something else, the object may be there: compare it with `read_bytes`.
        """

    async def save_json(self, key: str, text: str) -> None:
        """Create an object from text, as `save_bytes` does."""
        await self.save_bytes(key, text.encode())

    async def read_bytes(self, key: str) -> bytes:
        """The bytes of an object; raises `KeyMissing` if there is none."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether there is an object under the key."""
        ...

    async def names(self, folder: str) -> list[str]:
        """What lies directly in a folder, sorted; empty if nothing does. A folder has no `/` at its end."""
        ...

    def get_url(self, key: str) -> str:
        """The address of a key, for people and logs."""
        ...


def checked_key(key: str) -> str:
    """The key, if it stays inside of the storage."""
    parts = key.split("/")
    if any(part in {"", ".", ".."} or "\\" in part or "\0" in part for part in parts):
        raise ValueError(f"key: expected a relative path such as 20260101/00/name.json; found {excerpt(key)}")
    return key

"""Batches in a folder: each file is written beside its name, flushed to the disk, and then linked to it.

So a crash or a full disk leaves whole files only, besides a temporary file whose name begins with a dot. The
work runs in threads.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
from pathlib import Path

from poh_batcher.errors import KeyMissing, KeyTaken, StorageError
from poh_batcher.storage.port import StorageBackend, checked_key

#: What file systems without hard links answer.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalStorage(StorageBackend):
    """A folder, which is made with its first file."""

    def __init__(self, root_dir: str | os.PathLike[str]) -> None:
        self.root = Path(root_dir).expanduser().resolve()

    async def save_bytes(self, key: str, data: bytes) -> None:
        """Create a file; when this returns, it survives a loss of power."""
        path = self._path(key)
        await asyncio.to_thread(self._create, path, data)

    async def read_bytes(self, key: str) -> bytes:
        """The bytes of a file."""
        path = self._path(key)
        try:
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise KeyMissing(self.get_url(key)) from None
        except OSError as error:
            raise _refusal(path, error) from error

    async def exists(self, key: str) -> bool:
        """Whether there is a file under the key."""
        return await asyncio.to_thread(self._path(key).is_file)

    async def names(self, folder: str) -> list[str]:
        """What lies in a folder, without temporary files."""
        path = self._path(folder)
        try:
            found = await asyncio.to_thread(os.listdir, path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _refusal(path, error) from error
        return sorted(name for name in found if not name.startswith("."))

    def get_url(self, key: str) -> str:
        """A `file://` address."""
        return self._path(key).as_uri()

    def _path(self, key: str) -> Path:
        return self.root / checked_key(key)

    def _create(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            _make_folder(path.parent)
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                try:
                    _name(temporary, path)
                except FileExistsError:
                    raise KeyTaken(path.as_uri()) from None
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(path.parent)
        except StorageError:
            raise
        except OSError as error:
            raise _refusal(path, error) from error


def _name(temporary: Path, path: Path) -> None:
    """Give a written file its name, if that is free."""
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # An empty file takes the name first; after a crash between both lines it is a damaged batch, which
        # was never reported as stored.
        path.open("xb").close()
        temporary.replace(path)


def _make_folder(folder: Path) -> None:
    """Make a folder with its parents, so that the names of all of them are on disk."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders; it flushes names with their files.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: Path, error: OSError) -> StorageError:
    return StorageError(path.as_uri(), error.strerror or str(error))

"""The exceptions of the package.

BatcherError
├── BatchDamaged (also ValueError)    bytes are not the batch that their header describes
├── NotStored                         the batcher gave up; names the items that it still had
└── StorageError (also OSError)       a storage cannot be reached, is full, or refuses
    ├── KeyTaken                      the key exists, and a stored object is never replaced
    └── KeyMissing                    nothing is stored under the key
"""

from __future__ import annotations

#: Characters of an offending value that a message shows.
_EXCERPT_CHARACTERS_MAX = 40


class BatcherError(Exception):
    """The base class of every exception that this package raises on purpose."""


class BatchDamaged(BatcherError, ValueError):  # noqa: N818 - says what is wrong, as FileNotFoundError does not
    """Bytes are not the batch that their header describes."""


class NotStored(BatcherError):  # noqa: N818
    """The batcher gave up; `items` are those that it had accepted and not stored, in order.

    `maybe_stored` of them, the first ones, were given to the sink, which failed or was interrupted: look
    there before sending these again.
    """

    def __init__(self, items: list[object], maybe_stored: int, reason: str) -> None:
        super().__init__(f"{len(items)} items are not stored: {reason}")
        self.items = items
        self.maybe_stored = maybe_stored


class StorageError(BatcherError, OSError):
    """A storage cannot be reached, is full, or refuses; the text begins with the address."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"{url}: {problem}")
        self.url = url


class KeyTaken(StorageError):  # noqa: N818
    """The key exists; a stored object is never replaced."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "exists already, and a stored object is never replaced")


class KeyMissing(StorageError):  # noqa: N818
    """Nothing is stored under the key."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "does not exist")


def excerpt(text: object) -> str:
    """The beginning of an offending value, escaped."""
    shown = str(text)
    cut = shown[:_EXCERPT_CHARACTERS_MAX]
    return repr(cut) + ("..." if cut != shown else "")

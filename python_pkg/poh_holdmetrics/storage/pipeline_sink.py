"""A storage as a sink of a pipeline: it follows the journal at its own pace, from a durable cursor.

The cursor passes events when they are saved, so the storage may be away for as long as the journal is kept.
Holds no events itself; how often a failed call is repeated is an option of the sink.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline.batch import ColumnBatch, records_from_batch
from poh_holdmetrics.pipeline.handlers import CLOSE
from poh_holdmetrics.storage.rows import PART_ROWS, rows_with_ids
from poh_holdmetrics.storage.urls import storage_from_url

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.port import Batch
    from poh_holdmetrics.storage.port import Storage
    from poh_holdmetrics.storage.rows import StoredRow
    from poh_holdmetrics.validation import Record


def sink(storage: str | Callable[[], Storage] | Storage) -> Callable[[Batch, object], Awaitable[None]]:
    """The function of a sink that saves every batch in a storage.

        archive = Pipeline("archive")
        archive.sink("sqlite", retries=1_000_000)(sink("sqlite:///events.db"))

    A storage given by its address, or by a function that makes it, is closed when the pipeline stops or is
    loaded anew. One that is given itself belongs to the caller and stays open.
    A storage with a fallback is refused: the cursor would pass events that are in memory only.
    """
    target = _Target(storage)

    async def save(batch: Batch, ctx: object) -> None:
        """Save the batch; it may be one that was saved before."""
        del ctx
        await _apart(target.storage.save_events([_BatchRecords(batch)]))

    setattr(save, CLOSE, target.close)
    return save


class _Target:
    """The storage of a sink; made again after `close`."""

    def __init__(self, given: str | Callable[[], Storage] | Storage) -> None:
        self._make: Callable[[], Storage]
        self._is_given = not isinstance(given, str) and not callable(given)
        if isinstance(given, str):
            self._make = partial(storage_from_url, given, fallback=False)
        else:
            self._make = given if callable(given) else lambda: given
        self._storage: Storage | None = self._make()
        if self._storage.has_fallback:
            raise InputError(
                "storage", "has a fallback in memory, which the cursor would pass; give fallback=False"
            )

    @property
    def storage(self) -> Storage:
        if self._storage is None:
            self._storage = self._make()
        return self._storage

    async def close(self) -> None:
        if self._storage is not None and not self._is_given:
            storage, self._storage = self._storage, None
            await storage.close()


async def _apart(work: Coroutine[Any, Any, object]) -> None:
    """Await work in a task of no handler: its connections outlive the call, and `close` closes them."""
    loop = asyncio.get_running_loop()
    begun: asyncio.Future[asyncio.Task[object]] = loop.create_future()

    def begin() -> None:
        if begun.done():
            work.close()
        else:
            begun.set_result(loop.create_task(work))

    loop.call_soon(begin)
    task = await begun
    try:
        await task
    finally:
        # A call that takes too long is ended in the middle.
        task.cancel()


class _BatchRecords:
    """All events of a batch, without a model of each, which takes longer than to save it."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def records(self) -> tuple[Record, ...]:
        return records_from_batch(self._batch)

    def row_parts(self) -> Iterator[Sequence[StoredRow]]:
        for begin in range(0, len(self._batch), PART_ROWS):
            part = self._batch.slice(begin, begin + PART_ROWS)
            if isinstance(part, ColumnBatch):
                yield rows_with_ids(part.records())
            else:
                yield cast("_NativeBatch", part).rows_with_ids()


class _NativeBatch(Protocol):
    """What batches of the service have besides `Batch`."""

    def rows_with_ids(self) -> list[StoredRow]: ...

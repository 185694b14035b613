"""A storage as a sink of a pipeline: it follows the journal at its own pace, from a durable cursor.

The cursor passes events when they are saved, so the storage may be away for as long as the journal is kept.
Holds no events itself; how often a failed call is repeated is an option of the sink.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline.batch import records_from_batch
from poh_holdmetrics.storage.urls import storage_from_url

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.port import Batch
    from poh_holdmetrics.storage.port import Storage
    from poh_holdmetrics.validation import Record


def sink(storage: Storage | str) -> Callable[[Batch, object], Awaitable[None]]:
    """The function of a sink that saves every batch; `storage` may be an address.

        archive = Pipeline("archive")
        archive.sink("sqlite", retries=1_000_000)(sink("sqlite:///events.db"))

    A storage with a fallback is refused: the cursor would pass events that are in memory only.
    """
    target = storage_from_url(storage, fallback=False) if isinstance(storage, str) else storage
    if target.has_fallback:
        raise InputError(
            "storage", "has a fallback in memory, which the cursor would pass; give fallback=False"
        )

    async def save(batch: Batch, ctx: object) -> None:
        """Save the batch; it may be one that was saved before."""
        del ctx
        await target.save_events([_BatchRecords(batch)])

    return save


class _BatchRecords:
    """All events of a batch as records, without a model of each, which takes longer than to save it."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def records(self) -> tuple[Record, ...]:
        return records_from_batch(self._batch)

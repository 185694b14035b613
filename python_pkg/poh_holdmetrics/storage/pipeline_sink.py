"""A storage as a sink of a pipeline: it follows the journal at its own pace, from a durable cursor.

The cursor passes events when they are saved, so the storage may be away for as long as the journal is kept.
Holds no events itself; how often a failed call is repeated is an option of the sink.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.storage.port import Storage
from poh_holdmetrics.storage.urls import storage_from_url


class EventBatch(Protocol):
    """What a sink is called with, as far as it is used here; see `pipeline.port.Batch`."""

    def events(self) -> Iterable[HoldEvent]: ...  # noqa: D102


def sink(storage: Storage | str) -> Callable[[EventBatch, object], Awaitable[None]]:
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

    async def save(batch: EventBatch, ctx: object) -> None:
        """Save the batch; it may be one that was saved before."""
        del ctx
        await target.save_events(batch.events())

    return save

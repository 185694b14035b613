"""Keeps the events of a tracker in a storage: loaded at the start, flushed at an interval and at the end.

Write-behind: recording never waits for the storage, so what was recorded since the last flush is lost if the
process is killed. While the storage cannot be reached, events wait in memory up to a bound; then `check_room`
refuses more, and `room` waits. The jobs are those of `scheduler`, the storages those of `urls`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Self

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import InputError, StorageError, StoreFull
from poh_holdmetrics.scheduler import AsyncScheduler

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.durations import Duration
    from poh_holdmetrics.storage.port import Storage
    from poh_holdmetrics.tracker import AsyncTracker
    from poh_holdmetrics.validation import Record

_log = logging.getLogger(__name__)

#: Events that are saved by one call of the storage, or recorded by one call while loading.
_BATCH_EVENTS = 10_000


class StorageFlush:
    """Used as an async context around what records, so that what was recorded last is flushed, too."""

    def __init__(
        self,
        tracker: AsyncTracker,
        storage: Storage,
        *,
        interval: Duration = "1s",
        waiting_events_max: int = 1_000_000,
        clock: Clock | None = None,
    ) -> None:
        """`waiting_events_max` bounds the events in memory that are not flushed.

        The storage is started and closed here. One with a fallback in memory is refused: it would start
        without the events that its server has, and scores would be incomplete.
        """
        if storage.has_fallback:
            raise InputError("storage", "has a fallback in memory; give fallback=False")
        self._tracker = tracker
        self._storage = storage
        self._waiting_events_max = waiting_events_max
        self._waiting: list[Record] = []
        self._saving = asyncio.Lock()
        self._flushed = asyncio.Event()
        self._problem = ""
        self._scheduler = AsyncScheduler(clock=clock, handle_signals=False)
        self._scheduler.every(interval, self._flush_when_due, name="storage flush")

    async def __aenter__(self) -> Self:
        """Record what the storage has; raises what the storage raises."""
        try:
            await self._storage.start()
            loaded = await self._load()
        except BaseException:
            await self._storage.close()
            raise
        _log.info("Loaded %d events from the storage.", loaded)
        self._tracker.follow(self._waiting.extend)
        self._timer = asyncio.create_task(self._scheduler.run_forever(), name="timer of the storage flush")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Flush the rest and close the storage; raises `StorageError` if events are lost."""
        self._tracker.unfollow(self._waiting.extend)
        # Cancelled and not stopped, because it may not have begun to run. A flush may end in either case.
        self._timer.cancel()
        await asyncio.wait([self._timer])
        try:
            await self.flush()
        except (StorageError, StoreFull) as error:
            raise StorageError("storage flush", f"{self.waiting} events are lost: {error}") from error
        finally:
            await self._storage.close()

    @property
    def waiting(self) -> int:
        """How many events are not flushed yet."""
        return len(self._waiting)

    def check_room(self, events: int) -> None:
        """Raise `StoreFull` if so many more events may not wait."""
        if self.waiting + events > self._waiting_events_max:
            raise StoreFull(self.waiting, events, self._waiting_events_max)

    async def room(self) -> None:
        """Wait until there is room for events; for an input that can be read later as well."""
        while self.waiting >= self._waiting_events_max:
            self._flushed.clear()
            await self._flush_when_due()
            if self.waiting >= self._waiting_events_max:
                await self._flushed.wait()

    async def flush(self) -> None:
        """Save the events that wait, in order; what a failed storage did not take is kept."""
        async with self._saving:
            while self._waiting:
                batch = self._waiting[:_BATCH_EVENTS]
                await self._storage.save_events([HoldEvent.from_record(record) for record in batch])
                del self._waiting[: len(batch)]
            self._flushed.set()

    async def _flush_when_due(self) -> None:
        """Flush; a failure is logged once until the storage answers again, and the next run repeats it."""
        try:
            await self.flush()
        except (StorageError, StoreFull) as error:
            if str(error) != self._problem:
                self._problem = str(error)
                _log.error("%d events wait in memory: %s.", self.waiting, error)
        else:
            if self._problem:
                self._problem = ""
                _log.warning("The storage has taken the events that waited.")

    async def _load(self) -> int:
        loaded = 0
        events: list[HoldEvent] = []
        async for event in self._storage.scan():
            events.append(event)
            if len(events) == _BATCH_EVENTS:
                loaded += await self._tracker.record_batch(events)
                events = []
        return loaded + await self._tracker.record_batch(events)

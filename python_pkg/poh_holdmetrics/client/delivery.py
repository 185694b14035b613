"""Delivers batches: a few at a time, each until it is acknowledged or the patience for it ends.

Memory is bounded by the batches in flight: `put` waits for room. What is acknowledged is counted in a report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from poh_holdmetrics.client.batches import Batch
from poh_holdmetrics.client.errors import ClientError, RequestRefused
from poh_holdmetrics.client.patience import Persistence
from poh_holdmetrics.client.results import RefusedEvent, SendReport
from poh_holdmetrics.client.transport import Stored, Transport

#: Refused events that a report lists.
_LISTED_MAX = 10_000
_BUFFERED = "BUFFERED"

Progress = Callable[[SendReport], object]


class Delivery:
    """One call of `send`: `put` each batch, then `finish`; `abandon` if it ends otherwise."""

    def __init__(
        self,
        transport: Transport,
        *,
        persistence: Persistence,
        in_flight: int,
        progress: Progress | None = None,
    ) -> None:
        self._transport = transport
        self._persistence = persistence
        self._room = asyncio.Semaphore(in_flight)
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._progress = progress
        self._report = SendReport()

    async def put(self, batch: Batch) -> None:
        """Begin to deliver a batch as soon as there is room; raises what a batch before it failed with."""
        await self._room.acquire()
        await self._check()
        task = asyncio.create_task(self._deliver(batch))
        self._tasks.add(task)
        task.add_done_callback(self._delivered)

    async def finish(self) -> SendReport:
        """Wait until everything is acknowledged."""
        while self._tasks and self._failure is None:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            # The callbacks of finished tasks run in the next turn of the loop.
            await asyncio.sleep(0)
        await self._check()
        self._report.refused.sort(key=lambda refused: refused.index)
        return self._report

    async def abandon(self) -> None:
        """End the attempts in flight; what they sent may be stored."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.release()
        if not task.cancelled() and self._failure is None:
            self._failure = task.exception()

    async def _check(self) -> None:
        if self._failure is not None:
            await self.abandon()
            if isinstance(self._failure, ClientError):
                self._failure.report = self._report
            raise self._failure

    async def _deliver(self, batch: Batch) -> None:
        self._count_refused(batch.refused, len(batch.refused))
        if batch.events:
            await self._store(batch)
        if self._progress is not None:
            self._progress(self._report)

    async def _store(self, batch: Batch) -> None:
        try:
            stored = await self._persistence.answer(lambda: self._transport.store(batch))
        except RequestRefused as refused:
            if not refused.is_too_large:
                raise
            if len(batch.events) == 1:
                listed = RefusedEvent(batch.indexes[0], refused.field, refused.sentence)
                self._count_refused([listed], 1)
                return
            for half in batch.halves():
                await self._store(half)
        else:
            self._count(stored)

    def _count(self, stored: Stored) -> None:
        report = self._report
        report.accepted += stored.accepted
        report.sequence = max(report.sequence, stored.sequence)
        if stored.accepted and report.durability != _BUFFERED:
            report.durability = stored.durability
        self._count_refused(stored.refused, stored.refused_total)

    def _count_refused(self, refused: list[RefusedEvent], total: int) -> None:
        report = self._report
        report.refused_total += total
        report.refused += refused[: _LISTED_MAX - len(report.refused)]

"""Delivers the events of the feed to one sink, at least once: `batch` at a time, or after `flush`.

The sink's cursor passes events when they are delivered, or parked in a dead-letter file. Other parts of the
pipeline never wait for a sink. How often a delivery is repeated is decided in `delivery`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from poh_holdmetrics.pipeline.running.delivery import Delivered
from poh_holdmetrics.pipeline.running.follower import Follower

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.calling.called import Called
    from poh_holdmetrics.pipeline.handlers import SinkOptions
    from poh_holdmetrics.pipeline.port import Batch, Consumer
    from poh_holdmetrics.pipeline.running.delivery import SinkDelivery
    from poh_holdmetrics.pipeline.running.running_handler import RunningHandler


class SinkFollower(Follower):
    """Reads `PIPELINE/SINK`."""

    def __init__(
        self,
        consumer: Consumer,
        running: RunningHandler,
        delivery: SinkDelivery,
        clock: Clock,
        progressed: Callable[[], None],
    ) -> None:
        super().__init__(consumer, clock, progressed)
        self.is_flushing = False
        """Whether events are delivered without waiting for more."""
        self._running = running
        self._options = cast("SinkOptions", running.handler.options)
        self._delivery = delivery
        #: With the times at which they were read; of the first one `_taken` rows are delivered.
        self._pending: deque[tuple[Batch, float]] = deque()
        self._taken = 0
        self._rows = 0
        self._covered = consumer.position

    def flush(self) -> None:
        """Deliver from now on without waiting for more events."""
        self.is_flushing = True
        self.wake()

    async def _follow(self) -> None:
        while not self._stop.is_set() or self._rows:
            if self._is_due():
                await self._deliver_one()
                continue
            batch = await self._next(self._flush_at() if self._rows else None)
            if batch is not None:
                self._take(batch)
                if not self._rows:
                    self._advance(self._covered)

    def _is_due(self) -> bool:
        if not self._rows:
            return False
        if self._rows >= self._options.batch or self.is_flushing or self._stop.is_set():
            return True
        return self._clock.now() >= self._flush_at()

    def _flush_at(self) -> float:
        return self._pending[0][1] + self._options.flush_seconds

    def _take(self, batch: Batch) -> None:
        chosen = batch.filter(self._options.token, self._options.holder)
        if len(chosen):
            self._pending.append((chosen, self._clock.now()))
            self._rows += len(chosen)
        self._covered = batch.last_sequence

    async def _deliver_one(self) -> None:
        batch = self._cut()
        while (delivered := await self._delivered(batch)) is Delivered.DISABLED:
            self.is_blocked = True
            self._progressed()
            while self._running.calls.is_disabled and not self._stop.is_set():
                self._wake.clear()
                await self._wake.wait()
            self.is_blocked = False
        if delivered is None:
            # The next runtime reads what is pending again.
            self._pending.clear()
            self._rows = 0
            return
        changes = await self._running.record()
        self._advance(batch.last_sequence if self._rows else self._covered, changes)
        # A sink that never waits must not keep the loop from other tasks.
        await asyncio.sleep(0)

    async def _delivered(self, batch: Batch) -> Delivered | None:
        """Deliver; None if it was told to stop while the sink is disabled or backs off."""
        if self._stop.is_set() and self._running.calls.is_disabled:
            return None
        return await self._ended(self._delivery.deliver(batch, self._attempt), [self._running])

    async def _attempt(self, batch: Batch) -> Called:
        return await self._running.call(batch, events=len(batch))

    def _cut(self) -> Batch:
        """Take the next events to be delivered from those that are pending."""
        parts: list[Batch] = []
        wanted = self._options.batch
        while wanted and self._pending:
            batch, _ = self._pending[0]
            rows = min(len(batch) - self._taken, wanted)
            parts.append(batch if rows == len(batch) else batch.slice(self._taken, self._taken + rows))
            self._taken += rows
            if self._taken == len(batch):
                self._pending.popleft()
                self._taken = 0
            self._rows -= rows
            wanted -= rows
        return parts[0].joined(parts[1:])

    def _advance(self, position: int, changes: dict[str, str | None] | None = None) -> None:
        self.commits.advance(position, changes or {})
        self.commits.start_if_due()
        if not self._rows:
            self._progressed()

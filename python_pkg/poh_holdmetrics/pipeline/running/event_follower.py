"""Calls the `on_batch` and `on_event` handlers of a pipeline with every batch of the feed, in their order.

They share one cursor, `PIPELINE/events`: it passes a batch when each of them has had it and what they emitted
is durable. A failed call is passed over, its changes are dropped. Sinks have cursors of their own; see
`sink_follower`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, cast

from poh_holdmetrics.pipeline.calling.called import Outcome
from poh_holdmetrics.pipeline.running.follower import Follower

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.handlers import FilterOptions
    from poh_holdmetrics.pipeline.port import Batch, Consumer
    from poh_holdmetrics.pipeline.running.running_handler import RunningHandler

#: How long `on_event` calls that never wait may keep the loop from other tasks: less than a gate may take.
_TURN_SECONDS = 0.001
#: How many calls pass between two looks at the time.
_CALLS_UNLOOKED = 16
#: The time that the events handled between two looks at whether to stop should take.
_PART_SECONDS = 0.1
_ROWS_FIRST = 256
_ROWS_MAX = 1 << 16


class EventFollower(Follower):
    """Reads `PIPELINE/events`."""

    def __init__(
        self,
        consumer: Consumer,
        handlers: Sequence[RunningHandler],
        clock: Clock,
        progressed: Callable[[], None],
    ) -> None:
        super().__init__(consumer, clock, progressed)
        self._handlers = handlers
        #: One call an event may wait each time, so a large batch may take long.
        self._has_slow_calls = any(running.handler.kind == "on_event" for running in handlers)
        self._rows_max = _ROWS_FIRST

    async def _follow(self) -> None:
        while not self._stop.is_set():
            batch = await self._next()
            if batch is None:
                continue
            if self._has_slow_calls and len(batch) > self._rows_max:
                await self._pass_in_parts(batch)
            else:
                await self._pass(batch)
            self._progressed()

    async def _pass_in_parts(self, batch: Batch) -> None:
        """Pass a batch in parts of a tenth of a second, so that it can stop and commit between them."""
        start = 0
        while start < len(batch) and not self._stop.is_set():
            stop = start + self._rows_max
            began = self._clock.now()
            await self._pass(batch.slice(start, stop))
            start = stop
            took = self._clock.now() - began
            if took < _PART_SECONDS / 2:
                self._rows_max = min(2 * self._rows_max, _ROWS_MAX)
            elif took > 2 * _PART_SECONDS:
                self._rows_max = max(1, int(self._rows_max * _PART_SECONDS / took))

    async def _pass(self, batch: Batch) -> None:
        if not await self._ended(self._handle(batch), self._handlers):
            return
        changes: dict[str, str | None] = {}
        for running in self._handlers:
            changes.update(await running.record())
        self.commits.advance(batch.last_sequence, changes)
        self.commits.start_if_due()

    async def _handle(self, batch: Batch) -> bool:
        for running in self._handlers:
            options = cast("FilterOptions", running.handler.options)
            chosen = batch.filter(options.token, options.holder)
            rows = len(chosen)
            if not rows:
                continue
            if running.handler.kind == "on_event":
                skipped = await self._each(running, chosen)
            else:
                called = await running.call(chosen, events=rows)
                skipped = 0 if called.outcome is Outcome.DONE else rows
            if skipped:
                running.meter.count("skipped", skipped)
        return True

    @staticmethod
    async def _each(running: RunningHandler, batch: Batch) -> int:
        """Call the handler with each event, in this task; returns how many events it did not handle."""
        call, context = running.calls.call, running.context
        state = context.state
        skipped = 0
        context.begin()
        turn_began = perf_counter()
        with running.calls.many():
            for number, event in enumerate(batch.events(), start=1):
                called = await call(event, context)
                if called.outcome is not Outcome.DONE:
                    context.drop()
                    if called.outcome is Outcome.DISABLED:
                        return skipped + len(batch) - number + 1
                    skipped += 1
                elif context.outbox or state.is_changed:
                    running.ended(Outcome.DONE)
                if not number % _CALLS_UNLOOKED and perf_counter() - turn_began > _TURN_SECONDS:
                    await asyncio.sleep(0)
                    turn_began = perf_counter()
        return skipped

"""What every reader of the feed does: waits for the next batch, commits when idle, ends when told to.

The base of `event_follower` and `sink_follower`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from poh_holdmetrics.pipeline.running.commits import Commits

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.port import Batch, Consumer
    from poh_holdmetrics.pipeline.running.running_handler import RunningHandler

_Value = TypeVar("_Value")

#: Of one read: large enough that the cost of a batch does not count, small enough to be handled soon.
BATCH_BYTES_MAX = 1 << 20
#: How often it looks, when told to stop, whether a handler has begun to back off.
_LOOK_SECONDS = 0.05
#: The consumer of the service gives way to other tasks once before it looks.
_TURNS = 3


class Follower(ABC):
    """Reads a consumer until it is stopped."""

    def __init__(self, consumer: Consumer, clock: Clock, progressed: Callable[[], None]) -> None:
        """`progressed` is called whenever everything that was read is handled."""
        self.commits = Commits(consumer.name, consumer.position, consumer.commit, clock)
        self.is_blocked = False
        """Whether the cursor waits for a disabled handler."""
        self._consumer = consumer
        self._clock = clock
        self._progressed = progressed
        self._reading: asyncio.Future[Batch | None] | None = None
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()

    @property
    def name(self) -> str:
        """The name of the consumer."""
        return self._consumer.name

    def stop(self) -> None:
        """Take no more batches; `run` ends when those that it has are handled."""
        self._stop.set()
        self._wake.set()

    def wake(self) -> None:
        """Look again at what it waits for."""
        self._wake.set()

    async def run(self) -> None:
        """Handle batches until stopped, then commit."""
        try:
            await self._follow()
            await self.commits.finish()
        finally:
            if self._reading is not None:
                self._reading.cancel()
            self.commits.cancel()
            await self._consumer.close()

    async def close(self) -> None:
        """Give the consumer back without having run."""
        await self._consumer.close()

    @abstractmethod
    async def _follow(self) -> None:
        """Handle batches until stopped; a coroutine that each kind of follower has."""

    async def _next(self, until: float | None = None) -> Batch | None:
        """The next batch; None when stopped, at the end of the feed, when woken, or at `until`."""
        if self._stop.is_set():
            return None
        self._wake.clear()
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._consumer.next(BATCH_BYTES_MAX))
            # What is there already is returned after a few turns of the loop.
            for _ in range(_TURNS):
                await asyncio.sleep(0)
                if self._reading.done():
                    break
        if not self._reading.done():
            self.commits.start()
            await self._waited(self._reading, until)
            if not self._reading.done():
                return None
        reading, self._reading = self._reading, None
        batch = reading.result()
        if batch is None:
            self._stop.set()
        return batch

    async def _ended(
        self, work: Coroutine[Any, Any, _Value], handlers: Sequence[RunningHandler]
    ) -> _Value | None:
        """What the work returns; None if it was given up, because it was told to stop in a back-off."""
        task = asyncio.ensure_future(work)
        try:
            # Most work does not wait, and is done after one turn of the loop.
            await asyncio.sleep(0)
            while not task.done():
                until: float | None = None
                if self._stop.is_set():
                    if any(running.calls.is_waiting for running in handlers):
                        return None
                    until = self._clock.now() + _LOOK_SECONDS
                self._wake.clear()
                await self._waited(task, until)
        finally:
            task.cancel()
        return task.result()

    async def _waited(self, work: asyncio.Future[Any], until: float | None) -> None:
        """Wait for the end of the work, `wake` or the time."""
        ways: set[asyncio.Future[Any]] = {asyncio.ensure_future(self._wake.wait())}
        if until is not None:
            ways.add(asyncio.ensure_future(self._clock.sleep_until(until)))
        try:
            await asyncio.wait({*ways, work}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()

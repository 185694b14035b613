"""Collects items and gives them to a sink in batches: at `max_items`, or `timeout` after its first one.

The queue is bounded: `enqueue` waits if the sink is slower. A sink that fails is called again with the same
batch until it succeeds; the batcher gives up only where it is told to, and then names what is not stored.
Used by the tasks of one event loop. Packs by `packing`, stores nothing itself; see `store` for a sink.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from poh_batcher.compression import checked_codec
from poh_batcher.errors import NotStored
from poh_batcher.packing import pack_acks, unpack_batch
from poh_batcher.types import PackedBatch

if TYPE_CHECKING:
    from poh_batcher.types import Codec

__all__ = ["AsyncBatcher", "Backoff", "Batcher", "Sink", "pack_acks", "unpack_batch"]

_LOG = logging.getLogger("poh_batcher")
#: Doubled waits are capped long before.
_DOUBLINGS_MAX = 32


class Sink(Protocol):
    """Where batches go: returns if the batch is kept, raises if it is not, and is then called again."""

    async def __call__(self, batch: PackedBatch, /) -> object:
        """Keep one batch; batches arrive one at a time and in order."""


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How often and how fast a failing sink is called again."""

    first_seconds: float = 0.1
    max_seconds: float = 30.0
    #: Calls for one batch before the batcher gives up; None means no limit.
    attempts: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.first_seconds <= self.max_seconds:
            raise ValueError("first_seconds: must be above 0 and at most max_seconds")
        if self.attempts is not None and self.attempts < 1:
            raise ValueError(f"attempts: must be at least 1; found {self.attempts}")

    def seconds_after(self, attempt: int) -> float:
        """The wait after a failed attempt, counted from 1: doubled each time, shortened by up to a half."""
        full: float = min(self.max_seconds, self.first_seconds * 2.0 ** min(attempt - 1, _DOUBLINGS_MAX))
        return full * random.uniform(0.5, 1)  # noqa: S311 - spreads writers, keeps no secret


class AsyncBatcher:
    """Collects items into batches for a sink; `async with` starts it, and stores the rest at the end."""

    def __init__(
        self,
        *,
        max_items: int = 256,
        timeout: float = 0.5,
        sink: Sink,
        max_queued: int | None = None,
        codec: Codec | None = "gzip",
        level: int | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """`max_queued` bounds the items that wait, in whole batches; without it, 16 batches.

        `codec` and `level` are those of `pack_acks`; without `backoff` a failing sink is called for ever.
        """
        if max_items <= 0:
            raise ValueError(f"max_items: must be above 0; found {max_items}")
        if not timeout > 0:
            raise ValueError(f"timeout: must be above 0; found {timeout}")
        if max_queued is not None and max_queued < max_items:
            raise ValueError(f"max_queued: must be at least max_items, {max_items}; found {max_queued}")
        # Now, and not when the first batch is full.
        checked_codec(codec, level)
        self.max_items = max_items
        self.timeout = timeout
        self._sink = sink
        self._batches_max = 16 if max_queued is None else max_queued // max_items
        self._codec: Codec | None = codec
        self._level = level
        self._backoff = backoff or Backoff()
        self._filling: list[object] = []
        self._filling_since = 0.0
        self._full: deque[list[object]] = deque()
        self._in_sink: list[object] = []
        self._enqueued = 0
        self._stored = 0
        self._retries = 0
        self._is_open = False
        self._failure: NotStored | None = None
        self._worker: asyncio.Task[None] | None = None
        # Set if the worker has something to look at.
        self._work = asyncio.Event()
        # Set if a batch left the queue or was stored, or if the worker failed.
        self._progress = asyncio.Event()

    @property
    def enqueued(self) -> int:
        """Items accepted so far."""
        return self._enqueued

    @property
    def stored(self) -> int:
        """Items that the sink has taken so far."""
        return self._stored

    @property
    def retries(self) -> int:
        """Calls of the sink that failed so far."""
        return self._retries

    async def start(self) -> None:
        """Begin to collect; raises `RuntimeError` if it is running."""
        if self._worker is not None:
            raise RuntimeError("the batcher is running already; stop() it first")
        self._failure = None
        self._is_open = True
        self._worker = asyncio.get_running_loop().create_task(self._run(), name="poh-batcher")

    async def enqueue(self, item: object) -> None:
        """Add an item; waits while the queue is full. Raises `NotStored` if the batcher has given up."""
        while not self._is_open or len(self._full) >= self._batches_max:
            self._check_open()
            self._progress.clear()
            await self._progress.wait()
        filling = self._filling
        filling.append(item)
        self._enqueued += 1
        if len(filling) == 1:
            self._filling_since = asyncio.get_running_loop().time()
            self._work.set()
        if len(filling) >= self.max_items:
            self._close_batch()

    submit = enqueue

    async def enqueue_many(self, items: Iterable[object]) -> None:
        """Add items in order; waits while the queue is full, and lets other tasks run between."""
        for item in items:
            await self.enqueue(item)

    async def flush(self) -> None:
        """Return when everything that was enqueued before is stored; raises `NotStored` if that fails."""
        target = self._enqueued
        if self._filling:
            self._close_batch()
        while self._stored < target:
            self._check_open()
            self._progress.clear()
            await self._progress.wait()

    async def stop(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - also ends the worker
        """Store what is left and end; repeating it changes nothing.

        Raises `NotStored` with the items that are left if the batcher has given up, or after `timeout`
        seconds if that is given.
        """
        worker = self._worker
        if worker is None:
            return
        self._is_open = False
        self._work.set()
        # Those that wait for room are told that it stops.
        self._progress.set()
        await asyncio.wait([worker], timeout=timeout)
        if not worker.done():
            worker.cancel()
            await asyncio.wait([worker])
            self._give_up(f"the sink did not take them within {timeout} seconds")
        elif worker.cancelled() or worker.exception() is not None:
            self._give_up("the task of the batcher was ended from outside")
        self._worker = None
        if self._failure is not None:
            raise self._failure

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._worker is None:
            raise RuntimeError("the batcher is not running; await start() first")
        if not self._is_open:
            raise RuntimeError("the batcher is stopping and takes no more items")

    def _close_batch(self) -> None:
        self._full.append(self._filling)
        self._filling = []
        self._work.set()

    async def _run(self) -> None:
        while (items := await self._next_items()) is not None:
            self._in_sink = items
            try:
                batch = pack_acks(items, codec=self._codec, level=self._level)
            except Exception as error:  # noqa: BLE001 - an item without JSON, whatever it raises
                self._give_up(f"the batch cannot be packed: {error}", error, maybe_stored=0)
                return
            if not await self._deliver(batch):
                return
            self._stored += len(items)
            self._in_sink = []
            self._progress.set()

    async def _next_items(self) -> list[object] | None:
        """The next batch when it is due; None at the end."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._full and self._filling:
                remaining = self._filling_since + self.timeout - loop.time()
                if remaining <= 0 or not self._is_open:
                    self._close_batch()
            if self._full:
                items = self._full.popleft()
                self._progress.set()
                return items
            if not self._is_open:
                return None
            self._work.clear()
            try:
                async with asyncio.timeout(remaining if self._filling else None):
                    await self._work.wait()
            except TimeoutError:
                continue

    async def _deliver(self, batch: PackedBatch) -> bool:
        """Call the sink until it takes the batch; False if the batcher gives up."""
        attempt = 0
        while True:
            attempt += 1
            try:
                await self._sink(batch)
            except Exception as error:  # noqa: BLE001 - whatever a sink raises, the batch is not stored
                self._retries += 1
                limit = self._backoff.attempts
                if limit is not None and attempt >= limit:
                    self._give_up(f"the sink failed {attempt} times: {error}", error)
                    return False
                seconds = self._backoff.seconds_after(attempt)
                _LOG.warning(
                    "The sink did not take a batch of %d items (attempt %d), which is kept and given to it "
                    "again in %.1f seconds: %s",
                    batch.header.count,
                    attempt,
                    seconds,
                    error or type(error).__name__,
                )
                await asyncio.sleep(seconds)
            else:
                return True

    def _give_up(
        self, reason: str, cause: BaseException | None = None, *, maybe_stored: int | None = None
    ) -> None:
        """End with a `NotStored` that has every accepted item that is not stored."""
        items = [*self._in_sink, *(item for batch in self._full for item in batch), *self._filling]
        given = len(self._in_sink) if maybe_stored is None else maybe_stored
        self._failure = NotStored(items, given, reason)
        self._failure.__cause__ = cause
        self._is_open = False
        self._in_sink, self._filling = [], []
        self._full.clear()
        self._progress.set()
        _LOG.error("The batcher gave up: %s", self._failure)


#: The published second name.
Batcher = AsyncBatcher

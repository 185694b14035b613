"""Runs one source: its items pass the transforms, are recorded, and then its position is stored.

Items are recorded in batches, or soon after the source has paused, so that a source that never ends is not
held up. The position of an item is stored when it and all items before it are durable. When a source runs is
decided in `runtime`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from poh_holdmetrics.data_models import HoldEvent, Transfer
from poh_holdmetrics.errors import Refused, excerpt
from poh_holdmetrics.pipeline.calling.called import Called, Outcome
from poh_holdmetrics.pipeline.running.commits import Commits
from poh_holdmetrics.pipeline.running.submission import reason_of
from poh_holdmetrics.pipeline.state import RESERVED

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.handlers import Handler
    from poh_holdmetrics.pipeline.port import Host
    from poh_holdmetrics.pipeline.running.running_handler import RunningHandler

#: Events recorded at once, and how long one may wait for others.
_EVENTS_MAX = 1000
_WAIT_SECONDS = 0.2
_AGAIN_SECONDS = 1.0
_PAIR = 2
#: Refusals listed; more are only counted.
_REASONS_MAX = 100


class RefusedItem:
    """What a transform returns instead of an item that is not valid."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


def refusing(handler: Handler) -> Handler:
    """The transform with refusals as values: they are answers about an item, not failures of its code."""
    function = handler.function

    def transform(item: object) -> object:
        try:
            return function(item)
        except (Refused, ValidationError) as refusal:
            return RefusedItem(reason_of(refusal))

    async def transform_later(item: object) -> object:
        try:
            return await function(item)
        except (Refused, ValidationError) as refusal:
            return RefusedItem(reason_of(refusal))

    is_async = inspect.iscoroutinefunction(function)
    return dataclasses.replace(handler, function=transform_later if is_async else transform)


class SourceReader:
    """Reads one source, again and again."""

    def __init__(
        self,
        host: Host,
        pipeline: str,
        running: RunningHandler,
        transforms: Sequence[RunningHandler],
        position: str | None,
        clock: Clock,
    ) -> None:
        """`position` is the stored one, as JSON text."""
        self.items = 0
        """Items that the source has produced."""
        self.recorded = 0
        """Events that were recorded of them, each transfer as one."""
        self.refused = 0
        """Items that were refused."""
        self.reasons: list[str] = []
        """The first refusals, such as `listing: item 3: weight: negative`."""
        self.is_reading = False
        self._running = running
        self._transforms = transforms
        self._position = position
        self._clock = clock
        self._key = f"{RESERVED}source/{running.name}"

        async def write(_position: int, changes: Mapping[str, str | None]) -> None:
            await host.commit_state(pipeline, changes)

        self.commits = Commits(f"{pipeline}/{running.name}", 0, write, clock)
        self._lock = asyncio.Lock()
        self._buffer: list[HoldEvent | Transfer] = []
        self._unstored: str | None = None
        self._flushing: asyncio.Task[None] | None = None

    async def run(self) -> Called:
        """Read the source once, to its end or to its failure; what it brought until then is recorded.

        Does nothing if the last run has not ended.
        """
        if self.is_reading:
            return Called(Outcome.DONE)
        self.is_reading = True
        try:
            return await self._read_with_retries()
        finally:
            self.is_reading = False

    async def _read_with_retries(self) -> Called:
        options = self._running.handler.options
        retries = options.retries if options.on_error == "retry" else 0
        attempt = 0
        while True:
            called = await self._read()
            if called.outcome is not Outcome.FAILED or attempt == retries:
                return called
            self._running.meter.count("retried")
            await self._clock.sleep_until(self._clock.now() + _AGAIN_SECONDS * 2.0**attempt)
            attempt += 1

    async def _read(self) -> Called:
        context = self._running.context
        context.drop()
        position = None if self._position is None else json.loads(self._position)
        called = Called(Outcome.DONE)
        produced = cast("AsyncGenerator[Any]", self._running.calls.items(context, position))
        async with aclosing(produced):
            async for item in produced:
                if isinstance(item, Called):
                    called = item
                else:
                    await self._take(item)
        self._running.ended(called.outcome)
        await self.finish()
        return called

    async def finish(self) -> None:
        """Record what the source has brought so far, and store its position."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        await self._flush()
        await self.commits.finish()

    def cancel(self) -> None:
        """Give up what is not durable."""
        if self._flushing is not None:
            self._flushing.cancel()
        self.commits.cancel()

    async def _take(self, item: Any) -> None:
        self.items += 1
        number = self.items
        unstored: str | None = None
        if isinstance(item, tuple) and len(item) == _PAIR:
            item, position = item
            try:
                unstored = json.dumps(position, allow_nan=False)
            except (TypeError, ValueError) as error:
                self._count_refused(number, f"position {excerpt(position)} is not a JSON value ({error})")
        events = await self._transformed(item, number)
        async with self._lock:
            self._buffer += events
            if unstored is not None:
                self._unstored = unstored
        # The generator is between two items, so what it has emitted and changed belongs to this one.
        self._running.ended(Outcome.DONE)
        if len(self._buffer) >= _EVENTS_MAX:
            await self._flush()
        elif self._flushing is None:
            self._flushing = asyncio.create_task(self._flush_later(), name=f"flush of {self._running.name}")

    async def _transformed(self, item: object, number: int) -> list[HoldEvent | Transfer]:
        items: list[Any] = [item]
        for transform in self._transforms:
            changed: list[Any] = []
            for each in items:
                called = await transform.calls.call(each)
                if called.outcome is not Outcome.DONE:
                    self._count_refused(number, f"transform {transform.name} failed")
                elif isinstance(called.value, RefusedItem):
                    self._count_refused(number, called.value.reason)
                elif isinstance(called.value, list):
                    changed += called.value
                elif called.value is not None:
                    changed.append(called.value)
            items = changed
        events = []
        for each in items:
            if isinstance(each, HoldEvent | Transfer):
                events.append(each)
            else:
                self._count_refused(
                    number, f"expected HoldEvent or Transfer, not {excerpt(each)}; add a transform"
                )
        return events

    def _count_refused(self, number: int, reason: str) -> None:
        self._running.meter.count("refused")
        self._refuse(f"item {number}: {reason}")

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        if len(self.reasons) < _REASONS_MAX:
            self.reasons.append(f"{self._running.name}: {reason}")

    async def _flush_later(self) -> None:
        await self._clock.sleep_until(self._clock.now() + _WAIT_SECONDS)
        self._flushing = None
        await self._flush()

    async def _flush(self) -> None:
        """Record what is buffered, then let its position be stored."""
        async with self._lock:
            running = self._running
            events, self._buffer = self._buffer, []
            running.emitted += events
            changes = await running.record()
            refusals, running.refusals = running.refusals, []
            self.recorded += len(events) - len(refusals)
            for reason in refusals:
                self._refuse(reason)
            if self._unstored is not None:
                changes[self._key] = self._position = self._unstored
                self._unstored = None
            self.commits.advance(0, changes)
            self.commits.start()

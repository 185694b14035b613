"""What the tests of calls share: a meter that remembers, a clock that a sleep moves, handlers by hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from poh_holdmetrics.pipeline.calling.breaker import Backoff, Breaker
from poh_holdmetrics.pipeline.calling.calls import HandlerCalls
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.handlers import Handler, Kind, OnError, Options
from poh_holdmetrics.pipeline.port import Counted, HandlerState


class RecordingMeter:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.begun = 0
        self.events = 0
        self.tracebacks: list[str] = []
        self.counts: Counter[str] = Counter()
        self.states: list[tuple[str, str]] = []

    def begin(self) -> None:
        self.begun += 1

    def end(self, events: int) -> None:
        self.events += events

    def failed(self, traceback: str) -> None:
        self.tracebacks.append(traceback)

    def count(self, what: Counted, by: int = 1) -> None:
        self.counts[what] += by

    def state(self, state: HandlerState, detail: str = "") -> None:
        self.states.append((state, detail))


class HandClock:
    """Sleeps pass at once and move the time."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep_until(self, at: float) -> None:
        self.slept.append(at - self.time)
        self.time = max(self.time, at)
        await asyncio.sleep(0)


def handler(
    function: Callable[..., Any],
    kind: Kind = "on_batch",
    *,
    on_error: OnError = "log",
    retries: int = 3,
    timeout: float | None = None,
    blocking: bool = False,
) -> Handler:
    options = Options(on_error=on_error, retries=retries, timeout_seconds=timeout, blocking=blocking)
    return Handler(kind=kind, name="handler", function=function, options=options)


def calls_of(
    guard: Guard, of: Handler, *, clock: HandClock | None = None, failures_max: int = 5
) -> tuple[HandlerCalls, RecordingMeter]:
    meter = RecordingMeter()
    steady = Backoff(random=_NoRandom(), first_seconds=1.0, longest_seconds=8.0)
    calls = HandlerCalls(
        "culprit",
        of,
        meter,
        guard,
        clock or HandClock(),
        breaker=Breaker(backoff=steady, failures_max=failures_max),
        retry_backoff=steady,
    )
    return calls, meter


class _NoRandom(Random):
    def random(self) -> float:
        return 0.5

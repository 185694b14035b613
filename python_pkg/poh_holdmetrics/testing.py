"""Try a pipeline without a service: `PipelineHarness` for pytest, in an environment without any Rust.

    with PipelineHarness(pipeline) as harness:
        harness.feed(HoldEvent(token_id="punk/1", holder_id="ann", start="2026-01-01T00:00:00Z"))
        harness.advance("10s")
        assert harness.state == {"seen": 1}

It runs what the service runs, over a tracker in memory and a clock that is moved by hand, so that every test
gives the same result. Expected results beside a pipeline's file are in `pipeline.offline.cases`.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any, Self

from poh_holdmetrics import instants
from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.data_models import HoldEvent, Transfer
from poh_holdmetrics.durations import Duration, us_from_duration
from poh_holdmetrics.errors import HoldMetricsError, InputError, excerpt
from poh_holdmetrics.instants import Instant, us_from_argument
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.handlers import with_defaults
from poh_holdmetrics.pipeline.offline.local import LocalHost, LocalMeter
from poh_holdmetrics.pipeline.offline.virtual_time import VirtualTimeLoop
from poh_holdmetrics.pipeline.running.runtime import Runtime
from poh_holdmetrics.policies.published import PolicyFunction, published
from poh_holdmetrics.scheduler import AsyncScheduler
from poh_holdmetrics.tracker import AsyncTracker, HoldSnapshot
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from pathlib import Path

    from poh_holdmetrics.airdrop.rounds import SealedRound
    from poh_holdmetrics.pipeline.handlers import Definition, Handler
    from poh_holdmetrics.pipeline.port import Batch, Start
    from poh_holdmetrics.pipeline.running.acceptance import Refusal
    from poh_holdmetrics.pipeline.running.delivery import Replayed

#: What events may be given as: models, or the fields of a JSON line.
Event = HoldEvent | Transfer | Mapping[str, Any]

_STOP_US = 30_000_000


class HandlerFailed(HoldMetricsError, AssertionError):  # noqa: N818 - named by what happened
    """A handler raised; the text is its traceback."""

    def __init__(self, handler: str, traceback: str) -> None:
        """`handler` is the name of the handler."""
        super().__init__(f"handler {handler} raised\n{traceback}")
        self.handler = handler


class InjectedFault(OSError):  # noqa: N818 - named by what happened
    """What a commit or a submission raises that was told to fail."""


class PipelineHarness:
    """One pipeline, fed and watched by a test.

    Sources are read when the harness begins, and again at their intervals. When a call of the harness
    returns, handlers have done everything that does not wait for a later time.
    """

    def __init__(
        self,
        pipeline: Definition,
        *,
        now: Instant = "2026-01-01T00:00:00Z",
        arguments: Mapping[str, str] | None = None,
        read_sources: bool = True,
        raise_failures: bool = True,
        dead_letters: Path | None = None,
    ) -> None:
        """`now` is the time at the beginning, `arguments` replace defaults of the pipeline.

        `raise_failures` raises `HandlerFailed` if a handler raised. `dead_letters` is the folder for what
        sinks cannot deliver; without one it is skipped.
        """
        self.emitted: list[HoldEvent | Transfer] = []
        """What the handlers emitted and the sources brought in, as it was recorded."""
        self.log: list[str] = []
        """What the handlers logged, such as `INFO greet: new holder ann`."""
        if asyncio._get_running_loop() is not None:  # noqa: SLF001 - the public function raises instead
            raise RuntimeError(
                "PipelineHarness runs a loop of its own; use it in a test that is not a coroutine"
            )
        self._watched = _Watched(pipeline, {}, with_defaults(pipeline, arguments or {}))
        self._pipeline = pipeline
        self._began_us = us_from_argument("now", now)
        self._read_sources = read_sources
        self._raise_failures = raise_failures
        self._dead_letters = dead_letters
        self._raised: dict[str, int] = {}
        self._generation = 0
        self._guard = Guard()
        self._loop = VirtualTimeLoop(self._is_busy_elsewhere)
        self._host = _TestHost(AsyncTracker(clock=lambda: self.now), lambda: self.now_us, self.emitted)
        self._log_handler = _Log(self.log, f"pipeline.{pipeline.name}.")
        logger = logging.getLogger(f"pipeline.{pipeline.name}")
        logger.addHandler(self._log_handler)
        self._level_before = logger.level
        logger.setLevel(logging.DEBUG)
        self._is_closed = False
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def now(self) -> datetime:
        """The time of the clock, in UTC."""
        return instants.datetime_from_us(self.now_us)

    @property
    def now_us(self) -> int:
        """The same in microseconds since 1970."""
        return self._began_us + self._loop.now_us

    @property
    def state(self) -> dict[str, Any]:
        """The pipeline's state, as handlers see it."""
        return self._runtime.shared.values()

    @property
    def tracker(self) -> AsyncTracker:
        """The tracker that holds what was recorded."""
        return self._host.tracker

    @property
    def rounds(self) -> Mapping[str, SealedRound]:
        """The rounds that the pipeline has sealed, by id."""
        return {round_id: sealed for round_id, (_, sealed) in self._host.rounds.items()}

    @property
    def metrics(self) -> dict[str, float]:
        """Counters and gauges of the pipeline, such as `rows_seen` or `score{holder="ann"}`."""
        return {_metric_text(name, labels): value for (_, name, labels), value in self._host.metrics.items()}

    @property
    def observations(self) -> dict[str, list[float]]:
        """The values of histograms, by the same texts."""
        return {
            _metric_text(name, labels): values
            for (_, name, labels), values in self._host.observations.items()
        }

    @property
    def policies(self) -> dict[str, PolicyFunction]:
        """The policies of the pipeline, by name."""
        return {each.name: each.function for each in self._pipeline.handlers if each.kind == "policy"}

    def delivered(self, sink: str) -> list[HoldEvent]:
        """The events that a sink was given in calls that ended well, in their order."""
        return self._watched.delivered[sink]

    def all_delivered(self) -> dict[str, list[HoldEvent]]:
        """The same of all sinks, by name."""
        return dict(self._watched.delivered)

    def meter(self, handler: str) -> LocalMeter:
        """What operators see of a handler: calls, events, failures, the last traceback."""
        return self._host.meters[self._pipeline.name, handler]

    def meters(self) -> dict[str, LocalMeter]:
        """The meters of all handlers that run, by name."""
        return {handler: meter for (_, handler), meter in self._host.meters.items()}

    def position(self, handler: str) -> int | None:
        """The durable position of a sink, or of `events` for all `on_batch` and `on_event` handlers."""
        return self._host.position(self._pipeline.name, handler)

    def published(
        self, policy: str, as_of: Instant | None = None, from_: Instant | None = None
    ) -> HoldSnapshot:
        """The leaderboard that a policy of the pipeline gives, by default up to now."""
        functions = self.policies
        if policy not in functions:
            known = ", ".join(functions) or "none"
            raise InputError("policy", f"unknown policy {excerpt(policy)}; known are {known}")
        window = Window.of(self.now if as_of is None else as_of, from_, closed_only=None)
        return HoldSnapshot(published(functions[policy], self.tracker.engine, window))

    def feed(self, *events: Event) -> list[Refusal]:
        """Record events, and let the handlers have them; returns those that `before_accept` refused."""
        self._check_open()
        refusals = self._loop.complete(self._host.accept([event_from(each) for each in events]))
        self._settle(0)
        return refusals

    def advance(self, duration: Duration) -> None:
        """Let time pass, with everything that is due meanwhile."""
        self._check_open()
        self._settle(us_from_duration("duration", duration, least_us=0))

    def restart(self, *, crash: bool = False) -> None:
        """Stop the pipeline and start it again, as a reload does; with `crash` as after `kill -9`.

        What is durable survives: events, positions and state.
        """
        self._check_open()
        self._stop(crash=crash)
        self._start()

    def fail_commits(self, times: int = 1) -> None:
        """Let the next writes of positions and state fail, as on a full disk."""
        self._host.commits_to_fail = times

    def fail_submissions(self, times: int = 1) -> None:
        """Let the next recordings of emitted events fail, as in a service that is overloaded."""
        self._host.submissions_to_fail = times

    def enable(self, handler: str | None = None) -> None:
        """Call a handler again that is disabled or backs off, or every such one, as an operator does."""
        self._runtime.enable(handler)
        self._settle(0)

    def replay(self, sink: str) -> Replayed:
        """Deliver the dead letters of a sink again, as an operator does."""
        return self._loop.complete(self._runtime.replay(sink))

    def read_sources(self) -> None:
        """Begin to read every source once, for a harness that was made with `read_sources=False`."""
        self._reading = self._loop.create_task(self._runtime.read_sources())
        self._settle(0)

    def refusals(self, source: str) -> list[str]:
        """Why items of a source were refused since the last start, such as `sales: item 3: ...`."""
        return self._runtime.readers[source].reasons

    def close(self) -> None:
        """Stop the pipeline and end the loop."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._stop(crash=False)
        finally:
            self._guard.close()
            self._host.close()
            logger = logging.getLogger(f"pipeline.{self._pipeline.name}")
            logger.removeHandler(self._log_handler)
            logger.setLevel(self._level_before)
            self._loop.complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _start(self) -> None:
        self._generation += 1
        clock = LoopClock()
        # The same seed moves jobs with jitter in the same way.
        self._scheduler = AsyncScheduler(clock=clock, random=Random(0), handle_signals=False)  # noqa: S311
        self._runtime = Runtime(
            self._watched,
            self._host,
            clock=clock,
            scheduler=self._scheduler,
            guard=self._guard,
            dead_letters=self._dead_letters,
            generation=self._generation,
        )
        self._scheduling = self._loop.create_task(self._scheduler.run_forever())
        self._loop.complete(self._start_runtime())
        self._settle(0)

    async def _start_runtime(self) -> None:
        await self._runtime.start(read_sources=self._read_sources)

    def _stop(self, *, crash: bool) -> None:
        self._loop.complete(self._runtime.abandon() if crash else self._runtime.stop(), _STOP_US)
        self._scheduler.stop()
        self._loop.complete(_ended(self._scheduling), _STOP_US)

    def _settle(self, us: int) -> None:
        self._loop.advance(us)
        if self._runtime.failure is not None:
            raise self._runtime.failure
        for name, meter in self.meters().items():
            before, self._raised[name] = self._raised.get(name, 0), meter.failures
            if self._raise_failures and meter.failures > before:
                raise HandlerFailed(name, meter.last_traceback)

    def _is_busy_elsewhere(self) -> bool:
        if self._guard.threads.is_busy:
            return True
        return self._loop.waits_for_files and any(each.running for each in self._host.meters.values())

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("this harness is closed")


class _TestHost(LocalHost):
    """A local host that notes what is submitted, and fails when told to."""

    def __init__(
        self, tracker: AsyncTracker, now_us: Callable[[], int], emitted: list[HoldEvent | Transfer]
    ) -> None:
        super().__init__(tracker, now_us=now_us)
        self.tracker = tracker
        self.commits_to_fail = 0
        self.submissions_to_fail = 0
        self._emitted = emitted

    async def submit(self, pipeline: str, events: Sequence[HoldEvent | Transfer]) -> list[str]:
        if self.submissions_to_fail:
            self.submissions_to_fail -= 1
            raise InjectedFault("this submission was told to fail")
        return await super().submit(pipeline, events)

    async def record(self, events: Sequence[HoldEvent | Transfer], emitted_by: str | None) -> None:
        await super().record(events, emitted_by)
        if emitted_by is not None:
            self._emitted += events

    async def commit(
        self, pipeline: str, name: str, position: int, changes: Mapping[str, str | None]
    ) -> None:
        self._fail_if_told()
        await super().commit(pipeline, name, position, changes)

    async def commit_state(self, pipeline: str, changes: Mapping[str, str | None]) -> None:
        """Keep changes; a coroutine, as the port asks."""
        self._fail_if_told()
        await super().commit_state(pipeline, changes)

    def _fail_if_told(self) -> None:
        if self.commits_to_fail:
            self.commits_to_fail -= 1
            raise InjectedFault("this commit was told to fail")


@dataclass(frozen=True)
class _Watched:
    """A pipeline whose sinks note what they were given."""

    pipeline: Definition
    delivered: dict[str, list[HoldEvent]]
    arguments: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.pipeline.name

    @property
    def start(self) -> Start:
        return self.pipeline.start

    @property
    def handlers(self) -> tuple[Handler, ...]:
        return tuple(self._noting(each) if each.kind == "sink" else each for each in self.pipeline.handlers)

    def _noting(self, sink: Handler) -> Handler:
        function = sink.function
        delivered = self.delivered.setdefault(sink.name, [])

        @functools.wraps(function)
        def deliver(batch: Batch, ctx: object) -> object:
            result = function(batch, ctx)
            delivered.extend(batch.events())
            return result

        @functools.wraps(function)
        async def deliver_later(batch: Batch, ctx: object) -> object:
            result = await function(batch, ctx)
            delivered.extend(batch.events())
            return result

        return replace(sink, function=deliver_later if inspect.iscoroutinefunction(function) else deliver)


class _Log(logging.Handler):
    """Notes what is logged below one name."""

    def __init__(self, lines: list[str], prefix: str) -> None:
        super().__init__()
        self._lines = lines
        self._prefix = prefix

    def emit(self, record: logging.LogRecord) -> None:
        handler = record.name.removeprefix(self._prefix)
        self._lines.append(f"{record.levelname} {handler}: {record.getMessage()}")


def event_from(event: Event) -> HoldEvent | Transfer:
    """The model of an event given as a model, or as the fields of a JSON line."""
    if isinstance(event, HoldEvent | Transfer):
        return event
    if not isinstance(event, Mapping):
        raise InputError("event", f"expected HoldEvent, Transfer or its fields, not {excerpt(event)}")
    if any(event.get(each) is not None for each in ("from_id", "to_id", "amount")):
        return Transfer.model_validate(event)
    return HoldEvent.model_validate(event)


def _metric_text(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    inner = ",".join(f'{label}="{value}"' for label, value in labels)
    return f"{name}{{{inner}}}" if inner else name


async def _ended(task: Any) -> None:
    await task

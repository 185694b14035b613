"""Drives one pipeline over a host: feeds its handlers, runs its jobs and sources, commits what is done.

`start` opens the consumers and begins, `stop` lets calls end, flushes sinks and commits. Each part runs in a
task of its own, so that none waits for a slow one. How one call is made and survived is in `calls`, how a
batch reaches handlers in `event_follower` and `sink_follower`, how a source is read in `source_reader`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.pipeline.calling.calls import HandlerCalls
from poh_holdmetrics.pipeline.context import Context
from poh_holdmetrics.pipeline.handlers import EVENTS, SinkOptions, SourceOptions
from poh_holdmetrics.pipeline.running.dead_letters import DeadLetters
from poh_holdmetrics.pipeline.running.delivery import Replayed, SinkDelivery
from poh_holdmetrics.pipeline.running.event_follower import EventFollower
from poh_holdmetrics.pipeline.running.gate import RunningGate, judging
from poh_holdmetrics.pipeline.running.job_runner import JobRunner
from poh_holdmetrics.pipeline.running.running_handler import RunningHandler
from poh_holdmetrics.pipeline.running.sink_follower import SinkFollower
from poh_holdmetrics.pipeline.running.source_reader import SourceReader, refusing
from poh_holdmetrics.pipeline.running.submission import Submission
from poh_holdmetrics.pipeline.state import RESERVED, SharedState

if TYPE_CHECKING:
    from pathlib import Path

    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.calling.guard import Guard
    from poh_holdmetrics.pipeline.handlers import Definition, Handler, Kind
    from poh_holdmetrics.pipeline.port import Batch, Host, WhenFull
    from poh_holdmetrics.scheduler import AsyncScheduler

_log = logging.getLogger(__name__)

#: Kinds whose answer is read where the function is called.
_WRAPPED = {"transform": refusing, "before_accept": judging}
#: How long a task may take to end after it was cancelled.
_CANCEL_SECONDS = 1.0


class Runtime:
    """One pipeline at work, for one generation of its file."""

    def __init__(
        self,
        pipeline: Definition,
        host: Host,
        *,
        clock: Clock,
        scheduler: AsyncScheduler,
        guard: Guard,
        dead_letters: Path | None = None,
        generation: int = 1,
        when_full: WhenFull = "lag",
    ) -> None:
        """`scheduler` runs the jobs and is run by the caller; `guard` is shared and closed by the caller.

        `dead_letters` is the folder for what sinks cannot deliver. `when_full` is that of `PIPELINE/events`.
        """
        self.pipeline = pipeline
        self.generation = generation
        self.failure: BaseException | None = None
        """What ended a part of the pipeline that should go on; never an exception of a handler."""
        self.shared = SharedState({})
        """The state as all handlers see it."""
        self.handlers: dict[str, RunningHandler] = {}
        """The handlers that it calls, by name."""
        self.followers: list[EventFollower | SinkFollower] = []
        self.readers: dict[str, SourceReader] = {}
        self.jobs: dict[str, JobRunner] = {}
        self._host = host
        self._clock = clock
        self._scheduler = scheduler
        self._guard = guard
        self._dead_letters = dead_letters
        self._when_full: WhenFull = when_full
        self._submission = Submission(host, clock, pipeline.name)
        self._deliveries: dict[str, SinkDelivery] = {}
        self._scheduled: list[str] = []
        #: Calls in these are waited for when it stops; sources are ended where they are.
        self._working: set[asyncio.Task[Any]] = set()
        self._reading: set[asyncio.Task[Any]] = set()
        self._progress = asyncio.Event()

    async def start(self, *, read_sources: bool = True) -> None:
        """Open the consumers and begin; `read_sources=False` leaves the sources to `read_sources`."""
        name = self.pipeline.name
        stored = await self._host.state(name)
        self.shared = SharedState(stored)
        for handler in self.pipeline.handlers:
            if handler.kind != "policy":  # called when scores are published
                self.handlers[handler.name] = self._running(handler)
        try:
            await self._open()
        except BaseException:
            for follower in self.followers:
                await follower.close()
            raise
        # Those of the generation before are asked until now, so that no event passes unchecked at a reload.
        self._host.set_gates(name, [self._gate(running) for running in self._of("before_accept")])
        for follower in self.followers:
            self._start(follower.run(), follower.name, self._working)
        for running in self._of("every"):
            runner = JobRunner(self._host, name, running, self._another, self._clock)
            self.jobs[running.name] = runner
            options = runner.options
            self._every(
                options.interval_seconds,
                running.name,
                runner.run,
                self._working,
                options.jitter,
                options.overlap,
            )
        transforms = self._of("transform")
        for running in self._of("source"):
            position = stored.get(f"{RESERVED}source/{running.name}")
            reader = SourceReader(self._host, name, running, transforms, position, self._clock)
            self.readers[running.name] = reader
            if read_sources:
                self._start(reader.run(), f"{name}/{running.name}", self._reading)
                interval = cast("SourceOptions", running.handler.options).interval_seconds
                if interval is not None:
                    self._every(interval, running.name, reader.run, self._reading)

    async def stop(self, drain_seconds: float = 5.0) -> None:
        """Let calls end, flush sinks and commit, for at most `drain_seconds`; then cancel what is left."""
        self._unschedule()
        for follower in self.followers:
            follower.stop()
        for task in self._reading:
            task.cancel()
        for name, reader in self.readers.items():
            self._start(reader.finish(), f"{self.pipeline.name}/{name}", self._working)
        await self._ended(drain_seconds)
        await self.abandon()

    async def abandon(self) -> None:
        """End everything where it is and commit nothing more."""
        self._unschedule()
        for task in (*self._working, *self._reading):
            task.cancel()
        await self._ended(_CANCEL_SECONDS)
        for reader in self.readers.values():
            reader.cancel()
        for runner in self.jobs.values():
            runner.cancel()
        for running in self.handlers.values():
            await running.calls.close()

    def flush(self) -> None:
        """Deliver events to sinks from now on without waiting for more of them."""
        for follower in self.followers:
            if isinstance(follower, SinkFollower):
                follower.flush()

    def enable(self, name: str | None = None) -> list[str]:
        """Call a handler again that is disabled or backs off, or every such one; returns their names."""
        enabled = [self._known(name)] if name is not None else self._held_back()
        for running in enabled:
            running.calls.enable()
        for follower in self.followers:
            follower.wake()
        return [running.name for running in enabled]

    async def replay(self, name: str) -> Replayed:
        """Deliver the dead letters of a sink again."""
        running = self._known(name)
        delivery = self._deliveries.get(name)
        if delivery is None:
            raise InputError("handler", f"{name} is not a sink; only sinks have dead letters")

        async def attempt(batch: Batch) -> Any:
            return await running.call(batch, events=len(batch))

        return await delivery.replay(attempt)

    async def read_sources(self) -> None:
        """Read each source once, all of them at the same time, to their ends."""
        tasks = [
            self._start(reader.run(), f"{self.pipeline.name}/{name}", self._reading)
            for name, reader in self.readers.items()
        ]
        if tasks:
            await asyncio.wait(tasks)

    async def caught_up(self, sequence: int) -> None:
        """Wait until the feed up to `sequence` is handled, by all but disabled sinks."""
        while any(each.commits.handled < sequence and not each.is_blocked for each in self.followers):
            if self.failure is not None:
                raise RuntimeError(f"pipeline {self.pipeline.name} has failed") from self.failure
            self._progress.clear()
            await self._progress.wait()

    def _unschedule(self) -> None:
        for job in self._scheduled:
            self._scheduler.remove(job)
        self._scheduled.clear()

    def _known(self, name: str) -> RunningHandler:
        running = self.handlers.get(name)
        if running is None:
            known = ", ".join(self.handlers) or "none"
            raise InputError("handler", f"unknown handler {excerpt(name)}; known are {known}")
        return running

    def _held_back(self) -> list[RunningHandler]:
        return [
            running
            for running in self.handlers.values()
            if running.calls.is_disabled or running.calls.is_backing_off
        ]

    def _of(self, *kinds: Kind) -> list[RunningHandler]:
        return [running for running in self.handlers.values() if running.handler.kind in kinds]

    def _running(self, handler: Handler) -> RunningHandler:
        name = self.pipeline.name
        meter = self._host.meter(name, handler.name, handler.kind)
        # The meter goes on from the generation before, which has stopped.
        meter.state("running")
        wrapped = _WRAPPED.get(handler.kind)
        called = handler if wrapped is None else wrapped(handler)
        calls = HandlerCalls(name, called, meter, self._guard, self._clock)
        return RunningHandler(handler, calls, self._context(handler), meter, self._submission)

    def _another(self, running: RunningHandler) -> RunningHandler:
        context = self._context(running.handler)
        return RunningHandler(running.handler, running.calls, context, running.meter, self._submission)

    def _gate(self, running: RunningHandler) -> RunningGate:
        name = self.pipeline.name

        def start(coroutine: Coroutine[Any, Any, None]) -> None:
            self._start(coroutine, f"{name}/{running.name}", self._working)

        return RunningGate(self._host, name, running, self._another, self._clock, start)

    def _context(self, handler: Handler) -> Context:
        return Context(
            self._host,
            self.shared,
            pipeline=self.pipeline.name,
            handler=handler.name,
            arguments=self.pipeline.arguments,
            generation=self.generation,
        )

    async def _open(self) -> None:
        name = self.pipeline.name
        both = self._of("on_batch", "on_event")
        if both:
            start = self.pipeline.start
            consumer = await self._host.consumer(name, EVENTS, start=start, when_full=self._when_full)
            self.followers.append(EventFollower(consumer, both, self._clock, self._progress.set))
        for running in self._of("sink"):
            start = cast("SinkOptions", running.handler.options).start
            consumer = await self._host.consumer(name, running.name, start=start, when_full="lag")
            folder = self._dead_letters
            letters = None if folder is None else DeadLetters(folder, name, running.name)
            delivery = SinkDelivery(running.calls, letters, running.meter, self._host.now_us)
            self._deliveries[running.name] = delivery
            self.followers.append(SinkFollower(consumer, running, delivery, self._clock, self._progress.set))

    def _every(
        self,
        seconds: float,
        name: str,
        run: Callable[[], Coroutine[Any, Any, object]],
        tasks: set[asyncio.Task[Any]],
        jitter: float = 0.0,
        overlap: str = "skip",
    ) -> None:
        job = f"{self.pipeline.name}/{name}"

        async def work() -> None:
            # In a task of the runtime, which waits for it or ends it when it stops.
            await asyncio.wait({self._start(run(), job, tasks)})

        self._scheduler.every(seconds, work, name=job, jitter=jitter, overlap=overlap)
        self._scheduled.append(job)

    def _start(
        self, coroutine: Coroutine[Any, Any, object], part: str, tasks: set[asyncio.Task[Any]]
    ) -> asyncio.Task[Any]:
        def ended(task: asyncio.Task[Any]) -> None:
            tasks.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._fail(part, error)

        task = asyncio.create_task(coroutine, name=part)
        tasks.add(task)
        task.add_done_callback(ended)
        return task

    def _fail(self, part: str, error: BaseException) -> None:
        self.failure = error
        detail = f"{part} has ended: {type(error).__name__}: {error}"
        _log.error("Pipeline %s: %s", self.pipeline.name, detail, exc_info=error)
        self._host.pipeline_state(self.pipeline.name, "failed", generation=self.generation, detail=detail)
        self._progress.set()

    async def _ended(self, seconds: float) -> None:
        """Wait until no task is left, at most so long."""
        limit = asyncio.ensure_future(self._clock.sleep_until(self._clock.now() + seconds))
        try:
            while (left := {*self._working, *self._reading}) and not limit.done():
                await asyncio.wait({*left, limit}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            limit.cancel()

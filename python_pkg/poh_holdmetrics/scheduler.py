"""Jobs at fixed intervals in an asyncio program, until it is stopped.

`AsyncScheduler` starts each job at its due times, counted from the start of the scheduler and not from the
end of the last run, so that they do not drift. A job that fails is logged and counted and does not stop the
others. Keeps nothing over a restart and knows no calendar. The clock is an argument (`clock`), so that tests
never sleep.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Self

from poh_holdmetrics.clock import Clock, LoopClock
from poh_holdmetrics.errors import InputError

if TYPE_CHECKING:
    from poh_holdmetrics.config import Settings

_log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[object]]


class Overlap(Enum):
    """What happens at a due time while the last run of the job has not ended."""

    SKIP = "skip"
    """Skip this run and count it."""
    QUEUE = "queue"
    """Run once more when the last run ends; skip and count further due times until then."""
    ALLOW = "allow"
    """Run concurrently."""


@dataclass(eq=False, kw_only=True, slots=True)
class Job:
    """One job and its counters, which only the scheduler changes."""

    name: str
    interval_seconds: float
    work: Work
    overlap: Overlap
    runs: int = 0
    """Runs started."""
    failures: int = 0
    """Runs that ended in an exception."""
    skipped: int = 0
    """Due times skipped because a run had not ended."""
    missed: int = 0
    """Due times that passed while the loop was blocked or the machine suspended."""
    running: int = 0
    """Runs in progress."""
    is_queued: bool = False
    """Whether one more run follows the current one."""
    last_error: Exception | None = None
    """The exception of the last failed run."""


class AsyncScheduler:
    """Runs jobs until `stop`, Ctrl-C or SIGTERM; then waits a bounded time for running jobs to end.

    scheduler = AsyncScheduler()
    scheduler.every(60, publish_leaderboard)
    scheduler.every(3600, collect_garbage)
    asyncio.run(scheduler.run_forever())
    """

    def __init__(
        self, *, clock: Clock | None = None, drain_seconds: float = 5.0, handle_signals: bool = True
    ) -> None:
        """`drain_seconds` is the longest wait for running jobs when stopping; then they are cancelled."""
        self._clock = LoopClock() if clock is None else clock
        self._drain_seconds = drain_seconds
        self._handle_signals = handle_signals
        self._jobs: list[Job] = []
        self._group: asyncio.TaskGroup | None = None
        self._timers: set[asyncio.Task[None]] = set()
        self._runs: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._cancel_now = asyncio.Event()

    @classmethod
    def configured(cls, settings: Settings, *, clock: Clock | None = None) -> Self:
        """A scheduler with the settings' `drain_seconds` and a `collect_garbage` job at their interval."""
        scheduler = cls(clock=clock, drain_seconds=settings.drain_seconds)
        scheduler.every(settings.gc_interval_seconds, collect_garbage)
        return scheduler

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs, in the order of their registration."""
        return tuple(self._jobs)

    def every(
        self,
        interval: float | timedelta,
        coro: Work,
        *,
        name: str | None = None,
        overlap: Overlap | str = Overlap.SKIP,
    ) -> Job:
        """Call `coro` (a function that returns an awaitable) every `interval` seconds.

        The first run is due one interval after the start, or after this call if the scheduler already runs.
        Raises `InputError` for an interval that is not positive or an unknown `overlap`.
        """
        seconds = interval.total_seconds() if isinstance(interval, timedelta) else float(interval)
        if not (math.isfinite(seconds) and seconds > 0):
            raise InputError("interval", f"expected a number of seconds above 0, not {interval!r:.40}")
        try:
            policy = Overlap(overlap)
        except ValueError:
            known = ", ".join(each.value for each in Overlap)
            raise InputError("overlap", f"unknown policy {overlap!r:.40}; known are {known}") from None
        label = name or str(getattr(coro, "__name__", type(coro).__name__))
        job = Job(name=label, interval_seconds=seconds, work=coro, overlap=policy)
        self._jobs.append(job)
        if self._group is not None:
            self._start_timer(self._group, job)
        return job

    def stop(self) -> None:
        """Start no more runs and end when the current ones have; a second call cancels those at once."""
        if self._stop.is_set():
            self._cancel_now.set()
        self._stop.set()

    async def run_forever(self) -> None:
        """Run the jobs until stopped. If cancelled, it drains first and then raises the cancellation."""
        if self._group is not None:
            raise RuntimeError("this scheduler already runs")
        self._stop, self._cancel_now = asyncio.Event(), asyncio.Event()
        with self._signals():
            try:
                async with asyncio.TaskGroup() as group:
                    self._group = group
                    for job in self._jobs:
                        self._start_timer(group, job)
                    try:
                        await self._stop.wait()
                    finally:
                        self._stop.set()
                        for timer in self._timers:
                            timer.cancel()
                        await self._drain()
            finally:
                self._group = None

    def _start_timer(self, group: asyncio.TaskGroup, job: Job) -> None:
        timer = group.create_task(self._keep_time(group, job), name=f"timer of {job.name}")
        self._timers.add(timer)
        timer.add_done_callback(self._timers.discard)

    async def _keep_time(self, group: asyncio.TaskGroup, job: Job) -> None:
        origin = self._clock.now()
        due = 1
        while True:
            await self._clock.sleep_until(origin + due * job.interval_seconds)
            passed = max(due, math.floor((self._clock.now() - origin) / job.interval_seconds))
            job.missed += passed - due
            due = passed + 1
            self._start(group, job)

    def _start(self, group: asyncio.TaskGroup, job: Job) -> None:
        if self._stop.is_set():
            return
        if job.running and job.overlap is not Overlap.ALLOW:
            if job.overlap is Overlap.QUEUE and not job.is_queued:
                job.is_queued = True
            else:
                job.skipped += 1
            return
        job.running += 1
        run = group.create_task(self._run(job), name=f"run of {job.name}")
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)

    async def _run(self, job: Job) -> None:
        try:
            while True:
                await self._run_once(job)
                if not job.is_queued or self._stop.is_set():
                    return
                job.is_queued = False
        finally:
            job.running -= 1

    @staticmethod
    async def _run_once(job: Job) -> None:
        job.runs += 1
        try:
            await job.work()
        except asyncio.CancelledError as cancelled:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # The job itself raised a cancellation; this run was not cancelled.
            _failed(job, RuntimeError(f"job {job.name} was cancelled from within"), cancelled)
        except Exception as error:  # noqa: BLE001 - a job may raise anything, and stops no other
            _failed(job, error, error)

    async def _drain(self) -> None:
        """Wait for the current runs, at most `drain_seconds` or until a second `stop`; then cancel them."""
        if not self._runs:
            return
        _log.info("Waiting for %d runs to end, at most %g s.", len(self._runs), self._drain_seconds)
        limits = {
            asyncio.ensure_future(self._clock.sleep_until(self._clock.now() + self._drain_seconds)),
            asyncio.ensure_future(self._cancel_now.wait()),
        }
        try:
            while self._runs and not any(limit.done() for limit in limits):
                await asyncio.wait({*self._runs, *limits}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*limits, *self._runs):
                task.cancel()
            await asyncio.gather(*limits, return_exceptions=True)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM stop the scheduler, if this loop may handle signals.

        If not (Windows, a thread, a host that handles them itself), Ctrl-C arrives as a cancellation of
        `asyncio.run`, which drains as well.
        """
        loop = asyncio.get_running_loop()
        before = {}
        if self._handle_signals:
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                try:
                    loop.add_signal_handler(number, self.stop)
                except (NotImplementedError, RuntimeError, ValueError) as refusal:
                    _log.debug("Signal %s is not handled here: %s.", number.name, refusal)
                else:
                    before[number] = handler
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)


async def collect_garbage() -> None:
    """A job for `every`: free reference cycles at fixed intervals instead of in the middle of a request.

    With `gc.disable()` after start-up only this job runs the collector, which matters to programs that hold
    millions of objects. It occupies the loop meanwhile, and removes no facts, which later corrections need.
    It is a coroutine although it awaits nothing, because that is what `every` calls.
    """
    unreachable = gc.collect()
    _log.debug("Collected %d unreachable objects.", unreachable)


def _failed(job: Job, error: Exception, cause: BaseException) -> None:
    job.failures += 1
    job.last_error = error
    _log.error("Job %s failed, %d times so far.", job.name, job.failures, exc_info=cause)

"""Jobs at fixed intervals beside the rest of an asyncio program, until it is told to stop.

`AsyncScheduler` starts each job at its beat, counted from the start and never from the end of the last run,
so that nothing drifts. A job that fails is logged and counted and stops no other. Keeps nothing over a
restart and knows no calendar. The clock is an argument (`clock`), so that tests never sleep.
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
    """What happens at a beat while the job's last run is still going."""

    SKIP = "skip"
    """Leave the beat out and count it."""
    QUEUE = "queue"
    """Run once more when the last run ends; further beats until then are left out and counted."""
    ALLOW = "allow"
    """Run beside it."""


@dataclass(eq=False, kw_only=True, slots=True)
class Job:
    """One job and its figures, which the scheduler alone changes."""

    name: str
    interval_seconds: float
    work: Work
    overlap: Overlap
    runs: int = 0
    """Runs begun."""
    failures: int = 0
    """Runs that ended in an exception."""
    skipped: int = 0
    """Beats left out because a run was still going."""
    missed: int = 0
    """Beats that passed unseen, because the loop was blocked or the machine asleep."""
    running: int = 0
    """Runs going on now."""
    is_queued: bool = False
    """Whether one more run follows the present one."""
    last_error: Exception | None = None
    """What the last failed run raised."""


class AsyncScheduler:
    """Runs jobs until `stop`, Ctrl-C or SIGTERM; then waits a bounded time for those that still run.

    scheduler = AsyncScheduler()
    scheduler.every(60, publish_leaderboard)
    scheduler.every(3600, collect_garbage)
    asyncio.run(scheduler.run_forever())
    """

    def __init__(
        self, *, clock: Clock | None = None, drain_seconds: float = 5.0, handle_signals: bool = True
    ) -> None:
        """`drain_seconds` bounds the wait for running jobs at the end; then they are cancelled."""
        self._clock = LoopClock() if clock is None else clock
        self._drain_seconds = drain_seconds
        self._handle_signals = handle_signals
        self._jobs: list[Job] = []
        self._group: asyncio.TaskGroup | None = None
        self._drivers: set[asyncio.Task[None]] = set()
        self._runs: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    @classmethod
    def configured(cls, settings: Settings, *, clock: Clock | None = None) -> Self:
        """A scheduler with the settings' `drain_seconds` and a `collect_garbage` job at their interval."""
        scheduler = cls(clock=clock, drain_seconds=settings.drain_seconds)
        scheduler.every(settings.gc_interval_seconds, collect_garbage)
        return scheduler

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs, in the order in which they were given."""
        return tuple(self._jobs)

    def every(
        self,
        interval: float | timedelta,
        coro: Work,
        *,
        name: str | None = None,
        overlap: Overlap | str = Overlap.SKIP,
    ) -> Job:
        """Call `coro` (a function that returns an awaitable) once an `interval` in seconds.

        The first beat is one interval after the start, or after this call where the scheduler runs already.
        Raises `InputError` for an interval that is not positive or a policy that is none.
        """
        seconds = interval.total_seconds() if isinstance(interval, timedelta) else float(interval)
        if not (math.isfinite(seconds) and seconds > 0):
            raise InputError("interval", f"a number of seconds above 0 is wanted, not {interval!r}")
        try:
            policy = Overlap(overlap)
        except ValueError:
            known = ", ".join(each.value for each in Overlap)
            raise InputError("overlap", f"{overlap!r} is none of {known}") from None
        label = name or str(getattr(coro, "__name__", type(coro).__name__))
        job = Job(name=label, interval_seconds=seconds, work=coro, overlap=policy)
        self._jobs.append(job)
        if self._group is not None:
            self._drive(self._group, job)
        return job

    def stop(self) -> None:
        """Begin no more runs and end when the present ones have; asked again, cancel those at once."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def run_forever(self) -> None:
        """Run the jobs until told to stop. Where it is cancelled, it drains first and then passes that on."""
        if self._group is not None:
            raise RuntimeError("this scheduler runs already")
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        with self._signals():
            try:
                async with asyncio.TaskGroup() as group:
                    self._group = group
                    for job in self._jobs:
                        self._drive(group, job)
                    try:
                        await self._stop.wait()
                    finally:
                        self._stop.set()
                        for driver in self._drivers:
                            driver.cancel()
                        await self._drained()
            finally:
                self._group = None

    def _drive(self, group: asyncio.TaskGroup, job: Job) -> None:
        driver = group.create_task(self._beats(group, job), name=f"beat of {job.name}")
        self._drivers.add(driver)
        driver.add_done_callback(self._drivers.discard)

    async def _beats(self, group: asyncio.TaskGroup, job: Job) -> None:
        origin = self._clock.now()
        beat = 1
        while True:
            await self._clock.sleep_until(origin + beat * job.interval_seconds)
            passed = max(beat, math.floor((self._clock.now() - origin) / job.interval_seconds))
            job.missed += passed - beat
            beat = passed + 1
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
            # The job let a cancellation of its own escape; nobody cancelled this run.
            _failed(job, RuntimeError(f"job {job.name} was cancelled from within"), cancelled)
        except Exception as error:  # noqa: BLE001 - a job may raise anything, and stops no other
            _failed(job, error, error)

    async def _drained(self) -> None:
        """Wait for the present runs, at most `drain_seconds` or until asked to hurry; then cancel them."""
        if not self._runs:
            return
        _log.info("Waiting for %d runs to end, at most %g s.", len(self._runs), self._drain_seconds)
        limits = {
            asyncio.ensure_future(self._clock.sleep_until(self._clock.now() + self._drain_seconds)),
            asyncio.ensure_future(self._hurry.wait()),
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
        """Let Ctrl-C and SIGTERM stop the scheduler, where this loop may handle signals.

        Elsewhere (Windows, a thread, a host that keeps its signals) Ctrl-C arrives as a cancellation of
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
    """A job for `every`: free reference cycles at a chosen beat instead of in the middle of a request.

    With `gc.disable()` after start-up this job alone decides when the collector runs, which matters to
    programs that hold millions of objects. It occupies the loop while it does. It takes away no facts: those
    are needed for later corrections.
    """
    unreachable = gc.collect()
    _log.debug("Collected %d unreachable objects.", unreachable)


def _failed(job: Job, error: Exception, cause: BaseException) -> None:
    job.failures += 1
    job.last_error = error
    _log.error("Job %s failed, %d times so far.", job.name, job.failures, exc_info=cause)

"""Jobs at fixed intervals in an asyncio program, until it is stopped.

`AsyncScheduler` starts each job at its due times, counted from the start of the scheduler and not from the
end of the last run, so that they do not drift. A job that fails is logged and counted and does not stop the
others. Keeps nothing over a restart and knows no calendar. The clock and the source of random numbers are
arguments, so that tests never sleep. What is known about a job is in `jobs`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Self

from poh_holdmetrics.clock import Clock, LoopClock
from poh_holdmetrics.durations import Duration
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.jobs import Job, Overlap, Work

if TYPE_CHECKING:
    from poh_holdmetrics.config import Settings

_log = logging.getLogger(__name__)


class AsyncScheduler:
    """Runs jobs until `stop`, Ctrl-C or SIGTERM; then waits a bounded time for running jobs to end.

    scheduler = AsyncScheduler()
    scheduler.every("1m", publish_leaderboard, jitter=0.1)
    scheduler.every("1h", collect_garbage)
    asyncio.run(scheduler.run_forever())
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        drain_seconds: float = 5.0,
        handle_signals: bool = True,
    ) -> None:
        """`drain_seconds` is the longest wait for running jobs when stopping; then they are cancelled.

        `random` spreads the due times of jobs with jitter; the same seed spreads them in the same way.
        """
        self._clock = LoopClock() if clock is None else clock
        self._random = Random() if random is None else random  # noqa: S311 - no secret
        self._drain_seconds = drain_seconds
        self._handle_signals = handle_signals
        self._jobs: dict[str, Job] = {}
        self._group: asyncio.TaskGroup | None = None
        self._timers: dict[str, asyncio.Task[None]] = {}
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
        return tuple(self._jobs.values())

    def report(self, now_us: int) -> list[dict[str, object]]:
        """The jobs as plain values, their due times as RFC 3339; `now_us` is the current instant."""
        now = self._clock.now()
        return [job.report(now, now_us) for job in self._jobs.values()]

    def every(
        self,
        interval: Duration,
        work: Work,
        *,
        name: str | None = None,
        jitter: float = 0.0,
        overlap: Overlap | str = Overlap.SKIP,
    ) -> Job:
        """Call `work` (a function that returns an awaitable) once in every `interval`.

        The first run is due one interval after the start, or after this call if the scheduler already runs.
        `jitter` from 0 to 1 is the part of the interval over which each due time is spread at random, around
        the time at which it would be due without; so jobs of many processes do not start all at once.
        Raises `InputError` for an invalid argument and for the name of another job.
        """
        job = Job.of(interval, work, name=name, jitter=jitter, overlap=overlap)
        if job.name in self._jobs:
            raise InputError("name", f"a job {excerpt(job.name)} exists already; pass another name")
        self._jobs[job.name] = job
        if self._group is not None:
            self._start_timer(self._group, job)
        return job

    def remove(self, name: str) -> Job:
        """Forget a job; a current run goes on to its end. Raises `InputError` if there is no such job."""
        job = self._job(name)
        del self._jobs[name]
        job.is_queued, job.next_due = False, None
        if timer := self._timers.pop(name, None):
            timer.cancel()
        return job

    def pause(self, name: str) -> None:
        """Start no run of a job at its due times until it is resumed; a queued run is skipped."""
        job = self._job(name)
        job.is_paused = True
        job.skipped += job.is_queued
        job.is_queued = False

    def resume(self, name: str) -> None:
        """Run a paused job again from its next due time on."""
        self._job(name).is_paused = False

    def run_now(self, name: str) -> bool:
        """Start a run of a job at once, also of a paused one; its due times stay the same.

        False if the last run has not ended and the overlap policy skips this one.
        Raises `RuntimeError` if the scheduler does not run.
        """
        job = self._job(name)
        if self._group is None or self._stop.is_set():
            raise RuntimeError("this scheduler does not run")
        return self._start(self._group, job)

    def _job(self, name: str) -> Job:
        job = self._jobs.get(name)
        if job is None:
            known = ", ".join(self._jobs) or "none"
            raise InputError("job", f"unknown job {excerpt(name)}; known are {known}")
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
                    for job in self._jobs.values():
                        self._start_timer(group, job)
                    try:
                        await self._stop.wait()
                    finally:
                        self._stop.set()
                        for timer in self._timers.values():
                            timer.cancel()
                        await self._drain()
            finally:
                self._group = None
                self._timers.clear()
                for job in self._jobs.values():
                    job.next_due = None

    def _start_timer(self, group: asyncio.TaskGroup, job: Job) -> None:
        self._timers[job.name] = group.create_task(self._keep_time(group, job), name=f"timer of {job.name}")

    async def _keep_time(self, group: asyncio.TaskGroup, job: Job) -> None:
        origin, interval = self._clock.now(), job.interval_seconds
        due = 1
        while True:
            # At most half an interval to either side, so that no due time comes before the last one.
            shift = job.jitter * (self._random.random() - 0.5) if job.jitter else 0.0
            job.next_due = origin + (due + shift) * interval
            await self._clock.sleep_until(job.next_due)
            job.last_due = job.next_due
            passed = max(due, math.floor((self._clock.now() - origin) / interval))
            if not job.is_paused:
                job.missed += passed - due
                self._start(group, job)
            due = passed + 1

    def _start(self, group: asyncio.TaskGroup, job: Job) -> bool:
        """Start or queue a run; whether it was not skipped."""
        if self._stop.is_set():
            return False
        if job.running and job.overlap is not Overlap.ALLOW:
            if job.overlap is Overlap.SKIP or job.is_queued:
                job.skipped += 1
                return False
            job.is_queued = True
            return True
        job.running += 1
        run = group.create_task(self._run(job), name=f"run of {job.name}")
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        return True

    async def _run(self, job: Job) -> None:
        try:
            while True:
                await self._run_once(job)
                if not job.is_queued or self._stop.is_set():
                    return
                job.is_queued = False
        finally:
            job.running -= 1

    async def _run_once(self, job: Job) -> None:
        job.runs += 1
        began = self._clock.now()
        try:
            await job.work()
        except asyncio.CancelledError as cancelled:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # The job itself raised a cancellation; this run was not cancelled.
            _failed(job, cancelled)
        except Exception as error:  # noqa: BLE001 - a job may raise anything, and stops no other
            _failed(job, error)
        finally:
            job.last_seconds = self._clock.now() - began

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


def _failed(job: Job, cause: BaseException) -> None:
    job.failed(cause)
    _log.error("Job %s failed, %d times so far.", job.name, job.failures, exc_info=cause)

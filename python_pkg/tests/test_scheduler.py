"""The scheduler under a clock that is moved by hand: no test sleeps."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

import pytest

from conftest import HERE
from poh_holdmetrics.config import Settings
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.jobs import Overlap
from poh_holdmetrics.scheduler import AsyncScheduler, collect_garbage


class HandClock:
    """A clock that moves only when told to, and wakes the sleepers in order of time."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.seconds

    async def sleep_until(self, at: float) -> None:
        if at > self.seconds:
            sleeper = asyncio.get_running_loop().create_future()
            self._sleepers.append((at, sleeper))
            await sleeper

    async def move(self, seconds: float) -> None:
        """Pass time, waking every sleeper on the way at its own time."""
        await settle()
        end = self.seconds + seconds
        while due := self._due(end):
            at, sleeper = due
            self.seconds = max(self.seconds, at)
            sleeper.set_result(None)
            await settle()
        self.seconds = end

    async def leap(self, seconds: float) -> None:
        """Pass time at once, as if the machine had been suspended."""
        await settle()
        self.seconds += seconds
        while due := self._due(self.seconds):
            due[1].set_result(None)
        await settle()

    def _due(self, until: float) -> tuple[float, asyncio.Future[None]] | None:
        """The next sleeper to wake."""
        self._sleepers = [each for each in self._sleepers if not each[1].done()]
        return min(
            (each for each in self._sleepers if each[0] <= until), key=lambda each: each[0], default=None
        )


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def play(
    scenario: Callable[[AsyncScheduler, HandClock], Awaitable[None]], *, drain_seconds: float = 5.0
) -> AsyncScheduler:
    """Run `scenario` concurrently with a scheduler, which is then stopped and must end."""

    async def run() -> AsyncScheduler:
        clock = HandClock()
        scheduler = AsyncScheduler(clock=clock, drain_seconds=drain_seconds, handle_signals=False)
        running = asyncio.create_task(scheduler.run_forever())
        await settle()
        await scenario(scheduler, clock)
        scheduler.stop()
        await asyncio.wait_for(running, timeout=10)
        return scheduler

    return asyncio.run(run())


def test_a_job_runs_at_every_due_time_and_does_not_drift() -> None:
    at: list[float] = []

    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        async def work() -> None:
            await clock.sleep_until(clock.now() + 0.03)
            at.append(clock.now() - 1000)

        scheduler.every(timedelta(milliseconds=100), work)
        await clock.move(1000.05)

    scheduler = play(scenario)
    (job,) = scheduler.jobs
    assert (job.name, job.runs, job.skipped, job.missed) == ("work", 10_000, 0, 0)
    assert at[-1] == pytest.approx(1000.03, abs=1e-6)


def test_due_times_missed_in_a_suspension_are_counted_and_not_caught_up() -> None:
    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        job = scheduler.every(10, collect_garbage)
        await clock.leap(45)
        assert (job.runs, job.missed) == (1, 3)
        await clock.move(6)
        assert (job.runs, job.missed) == (2, 3)

    play(scenario)


@pytest.mark.parametrize(
    ("overlap", "runs", "skipped", "at_once"), [("skip", 1, 4, 1), ("queue", 1, 3, 1), ("allow", 5, 0, 5)]
)
def test_the_overlap_policy_holds(overlap: str, runs: int, skipped: int, at_once: int) -> None:
    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        gate = asyncio.Event()
        job = scheduler.every(1, gate.wait, overlap=overlap)
        await clock.move(5.5)
        assert (job.runs, job.skipped, job.running) == (runs, skipped, at_once)
        gate.set()
        await settle()
        # A queued run starts now, the others were skipped.
        assert (job.runs, job.running) == (runs + (overlap == "queue"), 0)

    play(scenario)


def test_a_failing_job_is_logged_and_counted_and_does_not_stop_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def bad() -> None:
        raise OSError("disk is gone")

    async def cancelled() -> None:
        raise asyncio.CancelledError

    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        jobs = [scheduler.every(1, work) for work in (bad, cancelled, collect_garbage)]
        await clock.move(3.5)
        assert [(job.runs, job.failures) for job in jobs] == [(3, 3), (3, 3), (3, 0)]
        last, cancellation = jobs[0].last_traceback or "", jobs[1].last_traceback or ""
        assert last.endswith("OSError: disk is gone\n")
        assert "in bad" in last
        assert cancellation.endswith("CancelledError\n")

    with caplog.at_level(logging.ERROR):
        play(scenario)
    assert "Job bad failed, 3 times so far." in caplog.text
    assert "disk is gone" in caplog.text


def test_stopping_waits_for_running_jobs_and_starts_no_more() -> None:
    done: list[str] = []

    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        gate = asyncio.Event()

        async def work() -> None:
            await gate.wait()
            done.append("whole")

        job = scheduler.every(1, work, overlap=Overlap.QUEUE)
        await clock.move(2.5)
        assert job.is_queued
        scheduler.stop()
        await clock.move(2)
        assert (done, job.running) == ([], 1)
        gate.set()
        await settle()
        assert (done, job.runs, job.running) == (["whole"], 1, 0)

    play(scenario)


@pytest.mark.parametrize("how", ["time", "second stop"])
def test_the_wait_is_bounded(how: str) -> None:
    ended: list[str] = []

    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

        scheduler.every(1, work)
        await clock.move(1.5)
        scheduler.stop()
        await clock.move(4.9)
        assert ended == []
        if how == "time":
            await clock.move(0.2)
        else:
            scheduler.stop()
            await settle()
        assert ended == ["cancelled"]

    play(scenario)


def test_a_cancelled_scheduler_drains_and_then_raises_the_cancellation() -> None:
    async def scenario() -> list[str]:
        clock, gate, done = HandClock(), asyncio.Event(), list[str]()

        async def work() -> None:
            await gate.wait()
            done.append("whole")

        scheduler = AsyncScheduler(clock=clock, handle_signals=False)
        scheduler.every(1, work)
        running = asyncio.create_task(scheduler.run_forever())
        await clock.move(1.5)
        running.cancel()
        await settle()
        assert not running.done()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await running
        return done

    assert asyncio.run(scenario()) == ["whole"]


def test_a_scheduler_cannot_run_twice_at_once_but_can_run_again() -> None:
    async def scenario() -> None:
        clock = HandClock()
        scheduler = AsyncScheduler(clock=clock, handle_signals=False)
        job = scheduler.every(1, collect_garbage)
        for round_number in (1, 2):
            running = asyncio.create_task(scheduler.run_forever())
            await clock.move(1.5)
            with pytest.raises(RuntimeError, match="already runs"):
                await scheduler.run_forever()
            scheduler.stop()
            await running
            assert job.runs == round_number

    asyncio.run(scenario())


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf"), timedelta(0), "soon", "0s"])
def test_an_invalid_interval_is_refused(interval: float | str | timedelta) -> None:
    with pytest.raises(InputError, match="interval: expected a duration"):
        AsyncScheduler().every(interval, collect_garbage)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(InputError, match='unknown policy "drop"; known are skip, queue, allow'):
        AsyncScheduler().every(1, collect_garbage, overlap="drop")


@pytest.mark.parametrize("jitter", [-0.1, 1.1, float("nan")])
def test_an_invalid_jitter_is_refused(jitter: float) -> None:
    with pytest.raises(InputError, match="jitter: expected a part of the interval from 0 to 1, not"):
        AsyncScheduler().every(1, collect_garbage, jitter=jitter)


def test_two_jobs_cannot_have_one_name() -> None:
    scheduler = AsyncScheduler()
    scheduler.every("1m", collect_garbage)
    with pytest.raises(InputError, match='name: a job "collect_garbage" exists already; pass another name'):
        scheduler.every("1h", collect_garbage)
    scheduler.every("1h", collect_garbage, name="hourly")
    for act in (scheduler.remove, scheduler.pause, scheduler.resume, scheduler.run_now):
        with pytest.raises(InputError, match='unknown job "daily"; known are collect_garbage, hourly'):
            act("daily")
    with pytest.raises(RuntimeError, match="does not run"):
        scheduler.run_now("hourly")


def test_jitter_spreads_the_runs_around_the_grid_and_they_do_not_drift() -> None:
    def run(seed: int) -> list[float]:
        at: list[float] = []

        async def scenario() -> None:
            clock = HandClock()
            scheduler = AsyncScheduler(clock=clock, random=Random(seed), handle_signals=False)  # noqa: S311

            async def work() -> None:
                at.append(clock.now() - 1000)

            job = scheduler.every("10s", work, jitter=0.4)
            running = asyncio.create_task(scheduler.run_forever())
            await clock.move(10_004)
            assert (job.runs, job.missed, job.skipped) == (1000, 0, 0)
            scheduler.stop()
            await running

        asyncio.run(scenario())
        return at

    at = run(1)
    shifts = [when - 10 * number for number, when in enumerate(at, 1)]
    assert -2 <= min(shifts) < -1.9
    assert 1.9 < max(shifts) <= 2
    assert abs(sum(shifts) / len(shifts)) < 0.1
    assert run(1) == at
    assert run(2) != at


def test_with_full_jitter_each_interval_still_has_its_run() -> None:
    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        async def work() -> None:
            await clock.sleep_until(clock.now())

        job = scheduler.every("1s", work, jitter=1)
        await clock.move(500.5)
        assert (job.runs, job.missed) == (500, 0)

    play(scenario)


def test_a_paused_job_lets_its_due_times_pass_uncounted() -> None:
    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        job = scheduler.every("10s", collect_garbage)
        await clock.move(25)
        scheduler.pause("collect_garbage")
        await clock.leap(40)
        await clock.move(20)
        assert (job.runs, job.missed, job.skipped) == (2, 0, 0)
        scheduler.resume("collect_garbage")
        assert job.next_due == 1090
        await clock.move(6)
        assert (job.runs, job.last_due) == (3, 1090)

    play(scenario)


def test_a_run_out_of_turn_leaves_the_due_times_as_they_are() -> None:
    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        gate = asyncio.Event()
        job = scheduler.every("10s", gate.wait, name="wait")
        await clock.move(3)
        scheduler.pause("wait")
        assert scheduler.run_now("wait")
        await settle()
        assert (job.runs, job.next_due) == (1, 1010)
        assert not scheduler.run_now("wait")
        assert job.skipped == 1
        gate.set()
        await clock.move(4)
        scheduler.resume("wait")
        await clock.move(4)
        assert (job.runs, job.last_due) == (2, 1010)

    play(scenario)


def test_a_queued_run_does_not_survive_a_pause() -> None:
    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        gate = asyncio.Event()
        job = scheduler.every("1s", gate.wait, name="wait", overlap="queue")
        await clock.move(2.5)
        assert job.is_queued
        scheduler.pause("wait")
        gate.set()
        await settle()
        assert (job.runs, job.running, job.skipped, job.is_queued) == (1, 0, 1, False)

    play(scenario)


def test_a_removed_job_ends_its_run_and_its_name_is_free() -> None:
    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        gate = asyncio.Event()
        old = scheduler.every("1s", gate.wait, name="publish", overlap="queue")
        await clock.move(2.5)
        assert scheduler.remove("publish") is old
        new = scheduler.every("1s", collect_garbage, name="publish")
        assert scheduler.jobs == (new,)
        assert (old.running, old.next_due) == (1, None)
        gate.set()
        await clock.move(2.5)
        assert (old.runs, old.running, new.runs) == (1, 0, 2)

    play(scenario)


def test_the_report_is_plain_values_with_instants() -> None:
    reports: list[list[dict[str, object]]] = []

    async def scenario(scheduler: AsyncScheduler, clock: HandClock) -> None:
        async def slow() -> None:
            await clock.sleep_until(clock.now() + 1.5)
            raise ValueError("no")

        scheduler.every("1m30s", slow, jitter=0, overlap="queue")
        await clock.move(100)
        reports.append(scheduler.report(1_000_000_000))

    scheduler = play(scenario)
    ((report,),) = reports
    assert str(report.pop("last_traceback")).endswith("ValueError: no\n")
    assert json.loads(json.dumps(report)) == {
        "name": "slow",
        "interval": "1m30s",
        "jitter": 0,
        "overlap": "queue",
        "paused": False,
        "running": 0,
        "queued": False,
        "runs": 1,
        "failures": 1,
        "skipped": 0,
        "missed": 0,
        "last_due": "1970-01-01T00:16:30Z",
        "next_due": "1970-01-01T00:18:00Z",
        "last_seconds": 1.5,
    }
    assert scheduler.jobs[0].next_due is None


def test_the_settings_configure_the_garbage_job() -> None:
    scheduler = AsyncScheduler.configured(Settings(gc_interval_seconds=7))
    assert [(job.name, job.interval_seconds) for job in scheduler.jobs] == [("collect_garbage", 7)]


_PROGRAM = """
import asyncio, os, signal, sys
from poh_holdmetrics.scheduler import AsyncScheduler
async def kick():
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
async def main():
    scheduler = AsyncScheduler()
    scheduler.every(0.01, kick)
    await scheduler.run_forever()
    print("stopped")
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal handlers in its event loop")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_stops_the_scheduler_cleanly(python: str, name: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(
        [python, "-c", _PROGRAM, name],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr


def test_without_signal_handlers_it_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> int:
        def refuse(*_: object) -> None:
            raise NotImplementedError

        monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", refuse)
        clock = HandClock()
        scheduler = AsyncScheduler(clock=clock)
        job = scheduler.every(1, collect_garbage)
        running = asyncio.create_task(scheduler.run_forever())
        await clock.move(1.5)
        scheduler.stop()
        await running
        return job.runs

    before = signal.getsignal(signal.SIGTERM)
    assert asyncio.run(scenario()) == 1
    assert signal.getsignal(signal.SIGTERM) is before

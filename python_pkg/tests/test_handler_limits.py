"""The limits of handlers: what ends a call, and that nothing of it reaches other code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import Iterator

import pytest

from handler_support import calls_of, handler
from poh_holdmetrics.pipeline.calling import slots
from poh_holdmetrics.pipeline.calling.called import Outcome, StillRunning
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.calling.slots import HardLimitExceeded, SoftLimitExceeded
from poh_holdmetrics.pipeline.calling.worker_threads import StuckCall


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard(soft_seconds=0.2, hard_seconds=0.2)
    yield guard
    guard.close()


def endless_that_swallows_a_few() -> None:
    swallowed = 0
    while True:
        try:
            while True:
                pass
        except BaseException:
            swallowed += 1
            if swallowed > 3:
                raise


class _Named:
    label = "pipeline/handler"
    is_closed = False

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[object]] = set()

    def interrupted(self) -> None:
        """Expected."""

    def stuck(self, seconds: float, where: str) -> None:
        raise AssertionError(f"stuck for {seconds} s in {where}")


@pytest.mark.parametrize("blocking", [False, True])
def test_an_endless_loop_that_swallows_exceptions_ends(guard: Guard, blocking: bool) -> None:
    async def run() -> None:
        calls, meter = calls_of(guard, handler(endless_that_swallows_a_few, blocking=blocking))
        began = time.monotonic()
        called = await calls.call()
        assert time.monotonic() - began < 2
        assert called.outcome is Outcome.FAILED
        assert isinstance(called.error, HardLimitExceeded)
        assert meter.counts["timed_out"] == 1
        assert "endless_that_swallows_a_few" in meter.tracebacks[0]

    asyncio.run(run())


def test_the_exception_of_one_call_never_reaches_the_next_one_or_the_caller() -> None:
    """Calls that end at about their limit, so that the watcher and the end of the call race."""
    guard = Guard(soft_seconds=1, hard_seconds=0.002)
    named = _Named()
    interrupted = finished = 0
    deadline = time.monotonic() + 2.0

    def spin(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass

    try:
        turn = 0
        while time.monotonic() < deadline:
            turn += 1
            try:
                guard.limits.run(named, None, spin, 0.002 + turn % 20 * 0.001)
                finished += 1
            except HardLimitExceeded:
                interrupted += 1
            # The caller's own code, which would be hit here.
            for _ in range(2000):
                pass
    finally:
        guard.close()
    assert interrupted
    assert finished


def test_a_call_that_ends_beyond_its_limit_before_the_watcher_had_a_turn_counts_as_timed_out(
    guard: Guard,
) -> None:
    guard.limits.slot()
    guard.limits.close()  # no watcher starts for a thread that is known
    time_now = 0.0
    guard.limits.now = lambda: time_now

    def long_call_into_c() -> None:
        nonlocal time_now
        time_now += guard.limits.hard_seconds

    calls, meter = calls_of(guard, handler(long_call_into_c))
    assert asyncio.run(calls.call()).outcome is Outcome.DONE
    assert meter.counts["timed_out"] == 1


class _LateWatcher:
    """A lock of which the first two holders are hit by the exception: the most that a watcher can do."""

    def __init__(self) -> None:
        self._hits = 2

    def __enter__(self) -> None:
        if self._hits:
            self._hits -= 1
            slots._raise(threading.get_ident(), HardLimitExceeded)

    def __exit__(self, *_: object) -> None:
        pass


def test_an_exception_that_arrives_after_the_end_of_a_call_changes_nothing(guard: Guard) -> None:
    slot = guard.limits.slot()
    slot.lock = _LateWatcher()  # type: ignore[assignment]
    assert guard.limits.run(_Named(), None, lambda: "value") == "value"
    assert slot.watched is None


def test_an_asynchronous_handler_is_cancelled_at_its_soft_limit(guard: Guard) -> None:
    async def waits() -> None:
        await asyncio.sleep(30)

    async def run() -> None:
        calls, meter = calls_of(guard, handler(waits, timeout=0.05))
        called = await calls.call()
        assert isinstance(called.error, SoftLimitExceeded)
        assert meter.counts["timed_out"] == 1
        assert "await asyncio.sleep(30)" in meter.tracebacks[0]
        # The task of the caller is not cancelled by it.
        await asyncio.sleep(0)

    asyncio.run(run())


# Python complains about the dropped coroutine, which ignores GeneratorExit.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_asynchronous_handler_that_swallows_its_cancellation_is_dropped(guard: Guard) -> None:
    async def stubborn() -> None:
        while True:
            with contextlib.suppress(BaseException):
                await asyncio.sleep(30)

    async def run() -> None:
        calls, meter = calls_of(guard, handler(stubborn, timeout=0.05))
        began = time.monotonic()
        called = await calls.call()
        assert time.monotonic() - began < 2
        assert called.outcome is Outcome.FAILED
        assert isinstance(called.error, HardLimitExceeded)
        assert "in stubborn" in meter.tracebacks[0]

    asyncio.run(run())
    gc.collect()


def test_a_handler_that_cleans_up_after_its_cancellation_may_do_so(guard: Guard) -> None:
    cleaned = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(True)

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(tidy, timeout=0.05))
        assert isinstance((await calls.call()).error, SoftLimitExceeded)

    asyncio.run(run())
    assert cleaned


def test_a_step_between_two_awaits_has_the_hard_limit(guard: Guard) -> None:
    async def heavy() -> None:
        await asyncio.sleep(0)
        endless_that_swallows_a_few()

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(heavy))
        assert isinstance((await calls.call()).error, HardLimitExceeded)

    asyncio.run(run())


def test_a_blocking_handler_in_a_long_c_call_is_named_as_stuck_and_given_up(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    released = threading.Event()

    def sleeps() -> None:
        released.wait(30)

    async def run() -> None:
        calls, meter = calls_of(guard, handler(sleeps, blocking=True))
        called = await calls.call()
        assert isinstance(called.error, StuckCall)
        assert any(state == "running" and "stuck for" in detail for state, detail in meter.states)
        assert "released.wait(30)" in caplog.text
        # The handler is not called a second time while its thread is stuck; others have a thread.
        assert isinstance((await calls.call()).error, StillRunning)
        others = [calls_of(guard, handler(lambda: 1, "transform", blocking=True))[0] for _ in range(5)]
        assert [(await each.call()).value for each in others] == [1] * 5
        released.set()
        await asyncio.sleep(0.1)
        assert (await calls.call()).outcome is Outcome.DONE

    asyncio.run(run())


def test_unloading_interrupts_a_blocking_call(guard: Guard) -> None:
    guard.limits.hard_seconds = 30.0
    ended = threading.Event()

    def loops() -> None:
        try:
            while True:
                pass
        finally:
            ended.set()

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(loops, blocking=True))
        task = asyncio.create_task(calls.call())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(ended.wait, 5)

    asyncio.run(run())


def test_a_call_that_waits_for_nothing_costs_no_timer(guard: Guard) -> None:
    async def quick() -> None:
        """Waits for nothing."""

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(quick))
        await calls.call()
        assert not asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]

    asyncio.run(run())

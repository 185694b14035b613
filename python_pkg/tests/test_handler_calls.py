"""Whatever a handler does, its caller goes on, and the meter and the log name the handler."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import random
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from handler_support import HandClock, calls_of, handler
from poh_holdmetrics import AsyncTracker, HoldEvent
from poh_holdmetrics.pipeline.calling.breaker import Backoff, Breaker
from poh_holdmetrics.pipeline.calling.called import Called, NonsenseReturned, Outcome
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.context import Context
from poh_holdmetrics.pipeline.offline.local import LocalHost
from poh_holdmetrics.pipeline.state import SharedState


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard(soft_seconds=5, hard_seconds=5)
    yield guard
    guard.close()


class Rude(BaseException):
    pass


class Unprintable(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise SystemExit


def exits() -> None:
    sys.exit(3)


def interrupts() -> None:
    raise KeyboardInterrupt


def is_rude() -> None:
    raise Rude


def recurses() -> None:
    recurses()


def runs_out() -> None:
    raise MemoryError


def is_unprintable() -> None:
    raise Unprintable


def cancels() -> None:
    raise asyncio.CancelledError


def stops() -> None:
    raise StopIteration


@pytest.mark.parametrize("way", ["def", "async def", "async def that waits", "blocking"])
@pytest.mark.parametrize(
    "bad", [exits, interrupts, is_rude, recurses, runs_out, is_unprintable, cancels, stops]
)
def test_whatever_a_handler_raises_is_a_failure_with_its_traceback(
    guard: Guard, bad: Callable[[], None], way: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def at_once() -> None:
        """Waits for nothing."""
        bad()

    async def later() -> None:
        await asyncio.sleep(0)
        bad()

    function = {"async def": at_once, "async def that waits": later}.get(way, bad)

    async def run() -> None:
        calls, meter = calls_of(guard, handler(function, blocking=way == "blocking"))
        called = await calls.call()
        assert called.outcome is Outcome.FAILED
        assert called.error is not None
        assert len(meter.tracebacks) == 1
        assert meter.begun == 1
        assert "handler" in caplog.text
        await asyncio.sleep(0)

    asyncio.run(run())
    logged = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(logged) == 1
    assert logged[0].getMessage().startswith("culprit/handler failed")
    if bad is not is_unprintable:
        assert bad.__name__ in logged[0].getMessage()


def test_the_cancellation_of_the_caller_passes(guard: Guard) -> None:
    async def waits() -> None:
        await asyncio.sleep(30)

    async def run() -> None:
        calls, meter = calls_of(guard, handler(waits))
        task = asyncio.create_task(calls.call())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not meter.tracebacks

    asyncio.run(run())


def test_the_chain_of_causes_is_logged_and_the_frames_of_the_package_are_not(guard: Guard) -> None:
    def fails() -> None:
        try:
            raise KeyError("first")  # noqa: TRY301
        except KeyError as error:
            raise ValueError("second") from error

    async def run() -> None:
        calls, meter = calls_of(guard, handler(fails))
        await calls.call()
        text = meter.tracebacks[0]
        assert "KeyError: 'first'" in text
        assert "direct cause" in text
        assert "ValueError: second" in text
        assert "limits.py" not in text

    asyncio.run(run())


def test_values_come_back(guard: Guard) -> None:
    async def run() -> None:
        calls, meter = calls_of(guard, handler(lambda a, b: a + b, "transform"))
        assert await calls.call(1, 2, events=7) == Called(Outcome.DONE, 3)
        assert meter.events == 7

    asyncio.run(run())


def test_a_function_that_returns_a_coroutine_is_awaited(guard: Guard) -> None:
    async def inner() -> int:
        await asyncio.sleep(0)
        return 4

    def returns() -> object:
        return inner()

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(returns, "transform"))
        assert (await calls.call()).value == 4
        calls, _meter = calls_of(guard, handler(returns, blocking=True))
        assert isinstance((await calls.call()).error, NonsenseReturned)

    asyncio.run(run())


def test_nonsense_returned_is_named(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    def generates() -> Iterator[int]:
        yield 1

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(generates))
        called = await calls.call()
        assert isinstance(called.error, NonsenseReturned)
        assert "remove its yield" in str(called.error)
        calls, _meter = calls_of(guard, handler(lambda: 17))
        for _ in range(3):
            assert (await calls.call()).outcome is Outcome.DONE

    asyncio.run(run())
    assert caplog.text.count("which is ignored") == 1


def failing(times: int) -> tuple[Callable[[], None], list[float]]:
    tried: list[float] = []

    def fails() -> None:
        tried.append(0)
        if len(tried) <= times:
            raise ValueError(len(tried))

    return fails, tried


def test_failures_are_retried_with_growing_back_off(guard: Guard) -> None:
    fails, tried = failing(2)
    clock = HandClock()

    async def run() -> None:
        calls, meter = calls_of(guard, handler(fails, on_error="retry"), clock=clock)
        assert (await calls.call()).outcome is Outcome.DONE
        assert meter.counts["retried"] == 2

    asyncio.run(run())
    assert len(tried) == 3
    assert clock.slept == [1.0, 2.0]


def test_a_failed_attempt_leaves_nothing_in_the_context(guard: Guard) -> None:
    tried: list[int] = []

    def fails(context: Context) -> None:
        context.emit(
            HoldEvent(token_id="t", holder_id="h", start=datetime.now(UTC), event_id=f"{len(tried)}")
        )
        context.state[f"{len(tried)}"] = 1
        tried.append(1)
        if len(tried) < 3:
            raise ValueError

    async def run() -> None:
        host = LocalHost(AsyncTracker())
        context = Context(host, SharedState({}), pipeline="p", handler="h", arguments={})
        calls, _meter = calls_of(guard, handler(fails, on_error="retry"))
        assert (await calls.call(context)).outcome is Outcome.DONE
        assert [each.event_id for each in context.outbox] == ["2"]
        assert context.state.keep() == {"2": "1"}

    asyncio.run(run())


def test_retries_are_bounded(guard: Guard) -> None:
    fails, tried = failing(1000)

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(fails, on_error="retry", retries=2))
        assert (await calls.call()).outcome is Outcome.FAILED

    asyncio.run(run())
    assert len(tried) == 3


def test_a_handler_is_disabled_until_it_is_enabled(guard: Guard) -> None:
    fails, tried = failing(1)

    async def run() -> None:
        calls, meter = calls_of(guard, handler(fails, on_error="disable"))
        assert (await calls.call()).outcome is Outcome.DISABLED
        assert (await calls.call()).outcome is Outcome.DISABLED
        assert len(tried) == 1
        assert meter.states[-1][0] == "disabled"
        calls.enable()
        assert (await calls.call()).outcome is Outcome.DONE
        assert meter.states[-1][0] == "running"

    asyncio.run(run())


def test_failures_in_a_row_open_the_breaker_and_a_success_closes_it(guard: Guard) -> None:
    fails, _tried = failing(6)
    clock = HandClock()

    async def run() -> None:
        calls, meter = calls_of(guard, handler(fails, "every"), clock=clock)
        for _ in range(5):
            assert (await calls.call()).outcome is Outcome.FAILED
        assert not clock.slept
        state, detail = meter.states[-1]
        assert state == "backing_off"
        assert "5 failures in a row" in detail
        await calls.call()
        await calls.call()
        assert clock.slept == [1.0, 2.0]
        assert meter.states[-1] == ("running", "")
        await calls.call()
        assert clock.slept == [1.0, 2.0]

    asyncio.run(run())


def test_a_check_of_events_never_waits_for_the_breaker(guard: Guard) -> None:
    fails, tried = failing(1000)
    clock = HandClock()

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(fails, "before_accept"), clock=clock)
        for _ in range(20):
            assert (await calls.call()).outcome is Outcome.FAILED

    asyncio.run(run())
    assert len(tried) == 5
    assert not clock.slept


def test_back_off_grows_to_its_bound_with_a_jitter_that_a_seed_decides() -> None:
    def delays() -> list[float]:
        return [
            Backoff(random=random.Random(attempt), longest_seconds=30).seconds(attempt)  # noqa: S311
            for attempt in range(1, 100)
        ]

    assert delays() == delays()
    assert all(abs(delay - min(30.0, 2.0**n)) <= 0.2 * min(30.0, 2.0**n) for n, delay in enumerate(delays()))
    breaker = Breaker(backoff=Backoff(random=random.Random(1)), failures_max=2)  # noqa: S311
    assert breaker.failed(10.0) is None
    assert breaker.failed(10.0) is not None
    assert breaker.open_until > 10.0


def test_the_log_of_failures_is_bounded_and_says_what_it_left_out(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    clock = HandClock()

    async def run() -> None:
        calls, meter = calls_of(guard, handler(exits), clock=clock, failures_max=10_000)
        for _ in range(100):
            await calls.call()
        assert len(meter.tracebacks) == 100
        assert len(caplog.records) == 5
        clock.time += 61
        await calls.call()

    asyncio.run(run())
    assert "(95 failures before it are not logged)" in caplog.records[-1].getMessage()


def test_tasks_left_behind_are_named_limited_and_cancelled_at_unload(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    ended = []

    async def child() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("child")

    async def stays() -> None:
        grandchild = asyncio.create_task(child(), name="grandchild")
        await grandchild

    async def spawns() -> None:
        """Waits for nothing."""
        held.append(asyncio.create_task(stays(), name="stays"))

    held: list[asyncio.Task[Any]] = []

    async def run() -> None:
        calls, meter = calls_of(guard, handler(spawns))
        await calls.call()
        assert meter.counts["left_behind"] == 1
        assert "has left behind: task stays" in caplog.text
        await asyncio.sleep(0.01)
        assert len(calls.tasks) == 2
        await calls.close()
        assert not calls.tasks
        assert meter.states[-1][0] == "stopped"

    asyncio.run(run())
    assert ended == ["child"]


def test_a_task_of_a_handler_can_neither_hold_the_loop_nor_end_it(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(soft_seconds=5, hard_seconds=0.2)

    async def loops() -> None:
        await asyncio.sleep(0)
        while True:
            pass

    async def exits_later() -> None:
        await asyncio.sleep(0)
        sys.exit(3)

    async def spawns() -> None:
        """Waits for nothing."""
        held.extend([asyncio.create_task(loops()), asyncio.create_task(exits_later())])

    held: list[asyncio.Task[Any]] = []

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(spawns))
        began = time.monotonic()
        await calls.call()
        await asyncio.wait(held)
        assert time.monotonic() - began < 3
        await calls.close()

    try:
        asyncio.run(run())
    finally:
        guard.close()
    assert "raised SystemExit" in caplog.text
    assert "HardLimitExceeded" in caplog.text


def test_a_task_that_ignores_its_cancellation_does_not_hold_up_unloading(guard: Guard) -> None:
    async def stubborn() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    async def spawns() -> None:
        """Waits for nothing."""
        held.append(asyncio.create_task(stubborn()))

    held: list[asyncio.Task[Any]] = []

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(spawns))
        await calls.call()
        await asyncio.sleep(0)
        began = time.monotonic()
        await calls.close()
        assert time.monotonic() - began < 0.9
        assert held[0].done()

    asyncio.run(run())


def test_a_thread_left_behind_is_named(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    released = threading.Event()

    def spawns() -> None:
        threading.Thread(target=released.wait, name="stowaway", daemon=True).start()

    async def run() -> None:
        calls, meter = calls_of(guard, handler(spawns))
        await calls.call()
        assert meter.counts["left_behind"] == 1

    asyncio.run(run())
    released.set()
    assert "culprit/handler has left behind: thread stowaway" in caplog.text


def test_a_loop_has_its_own_task_factory_back() -> None:
    guard = Guard()

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(lambda: None))
        await calls.call()
        loop = asyncio.get_running_loop()
        assert loop.get_task_factory() is not None
        guard.close()
        assert loop.get_task_factory() is None

    asyncio.run(run())


def test_standard_streams_that_a_handler_closes_are_open_again(
    guard: Guard, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO()))

    def closes() -> None:
        sys.stdout.close()
        sys.stderr.close()

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(closes))
        await calls.call()

    asyncio.run(run())
    assert not sys.stdout.closed
    assert not sys.stderr.closed
    assert "culprit/handler has closed sys.stdout" in caplog.text
    for stream in (sys.stdout, sys.stderr):
        stream.close()


@pytest.mark.parametrize("blocking", [False, True])
def test_a_source_is_read_item_by_item_until_it_fails(guard: Guard, blocking: bool) -> None:
    def listing(upto: int) -> Iterator[int]:
        yield from range(upto)
        raise OSError("gone")

    async def run() -> None:
        calls, meter = calls_of(guard, handler(listing, "source", blocking=blocking))
        *items, called = [each async for each in calls.items(3)]
        assert items == [0, 1, 2]
        assert called.outcome is Outcome.FAILED
        assert "OSError: gone" in meter.tracebacks[0]

    asyncio.run(run())


@pytest.mark.parametrize("way", ["def", "blocking", "async def"])
def test_a_source_that_is_not_read_to_its_end_cleans_up(guard: Guard, way: str) -> None:
    cleaned = []

    def listing() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            cleaned.append(threading.current_thread().name)

    async def listing_later() -> AsyncIterator[int]:
        try:
            for each in range(10):
                yield each
        finally:
            await asyncio.sleep(0)
            cleaned.append("here")

    async def run() -> None:
        function = listing_later if way == "async def" else listing
        calls, meter = calls_of(guard, handler(function, "source", blocking=way == "blocking"))
        items = calls.items()
        assert await anext(items) == 0
        await items.aclose()  # type: ignore[attr-defined]
        assert len(cleaned) == 1
        assert not meter.tracebacks

    asyncio.run(run())
    assert (way == "blocking") == cleaned[0].startswith("py-work")


def test_an_asynchronous_source_is_read_to_its_end(guard: Guard) -> None:
    async def listing() -> AsyncIterator[int]:
        for each in range(3):
            await asyncio.sleep(0)
            yield each

    async def run() -> None:
        calls, _meter = calls_of(guard, handler(listing, "source"))
        assert [each async for each in calls.items()] == [0, 1, 2, Called(Outcome.DONE)]

    asyncio.run(run())

"""The bad scripts that share a process with good ones: these go on, the culprit is named, no event is lost.

What needs a process of its own (a segmentation fault, `os._exit`) is in `test_worker_process`.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import re
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from poh_holdmetrics import AsyncTracker, HoldEvent
from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.pipeline import Pipeline
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.context import Context
from poh_holdmetrics.pipeline.offline.local import LocalHost, LocalMeter
from poh_holdmetrics.pipeline.port import Batch
from poh_holdmetrics.pipeline.running.runtime import Runtime
from poh_holdmetrics.scheduler import AsyncScheduler

EVENTS = 40

Bad = Callable[[Batch, Context], Any]


class Rude(BaseException):
    pass


def swallows_exceptions(_batch: Batch, _ctx: Context) -> None:
    times = 0
    while times < 3:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001 - as bad scripts do
            times += 1


def sleeps(_batch: Batch, _ctx: Context) -> None:
    time.sleep(1.6)


def matches(_batch: Batch, _ctx: Context) -> None:
    re.match("(a+)+$", "a" * 25 + "b")


def recurses(batch: Batch, ctx: Context) -> None:
    recurses(batch, ctx)


def exits(_batch: Batch, _ctx: Context) -> None:
    sys.exit(3)


def is_rude(_batch: Batch, _ctx: Context) -> None:
    raise Rude


def leaves_a_thread(_batch: Batch, _ctx: Context) -> None:
    threading.Thread(target=time.sleep, args=(0.5,), name="stowaway", daemon=True).start()


async def leaves_a_task(_batch: Batch, _ctx: Context) -> None:
    """A coroutine that waits for nothing."""
    tasks.append(asyncio.create_task(asyncio.sleep(60), name="stowaway"))


tasks: list[asyncio.Task[None]] = []


def closes_streams(_batch: Batch, _ctx: Context) -> None:
    sys.stdout.close()
    sys.stderr.close()


def mutates(batch: Batch, _ctx: Context) -> None:
    with contextlib.suppress(TypeError):
        batch.token_id[0] = "stolen"  # type: ignore[index]
    with contextlib.suppress(TypeError):
        batch.start_us[0] = 0
    with contextlib.suppress(AttributeError):
        batch.holder_id = ("stolen",)  # type: ignore[misc]
    raise ValueError


def returns_nonsense(_batch: Batch, _ctx: Context) -> Any:
    return (each for each in "nonsense")


async def never_ends(_batch: Batch, _ctx: Context) -> None:
    await asyncio.Event().wait()


async def swallows_cancellation(_batch: Batch, _ctx: Context) -> None:
    while True:
        with contextlib.suppress(BaseException):
            await asyncio.sleep(60)


def has_failed(meter: LocalMeter, _log: str) -> bool:
    return meter.failures > 0 and "Traceback" in meter.last_traceback


def was_stopped(meter: LocalMeter, _log: str) -> bool:
    return meter.counts["timed_out"] > 0 and "LimitExceeded" in meter.last_traceback


def is_stuck(meter: LocalMeter, log: str) -> bool:
    return meter.calls > 0 and "culprit/bad has run for" in log and "time.sleep(1.6)" in log


def has_left_something(meter: LocalMeter, log: str) -> bool:
    return meter.counts["left_behind"] > 0 and "culprit/bad has left behind" in log and "stowaway" in log


def has_closed(_meter: LocalMeter, log: str) -> bool:
    return "culprit/bad has closed sys.stdout" in log and "culprit/bad has closed sys.stderr" in log


def took_too_long(meter: LocalMeter, _log: str) -> bool:
    return meter.counts["timed_out"] > 0


def hides_its_time(meter: LocalMeter, log: str) -> bool:
    return meter.counts["timed_out"] > 0 and "culprit/bad took longer than its limit" in log


CORPUS: list[tuple[Bad, Callable[[LocalMeter, str], bool]]] = [
    (swallows_exceptions, hides_its_time),
    (sleeps, is_stuck),
    (matches, took_too_long),
    (recurses, has_failed),
    (exits, has_failed),
    (is_rude, has_failed),
    (leaves_a_thread, has_left_something),
    (leaves_a_task, has_left_something),
    (closes_streams, has_closed),
    (mutates, has_failed),
    (returns_nonsense, has_failed),
    (never_ends, was_stopped),
    (swallows_cancellation, was_stopped),
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("bad", "is_named"), CORPUS, ids=[bad.__name__ for bad, _ in CORPUS])
def test_a_bad_script_harms_only_itself(
    bad: Bad,
    is_named: Callable[[LocalMeter, str], bool],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO()))
    culprit, healthy = Pipeline("culprit"), Pipeline("healthy")
    called: list[int] = []
    delivered: list[str | None] = []
    seen: list[str] = []

    @culprit.on_batch()
    def first(batch: Batch, _ctx: Context) -> None:
        called.append(len(batch))

    if inspect.iscoroutinefunction(bad):

        @culprit.on_batch("bad")
        async def once_later(batch: Batch, ctx: Context) -> Any:
            return await bad(batch, ctx) if len(called) == 1 else None

    else:

        @culprit.on_batch("bad")
        def once(batch: Batch, ctx: Context) -> Any:
            return bad(batch, ctx) if len(called) == 1 else None

    @culprit.sink("archive", batch=7, flush="10ms")
    async def archive(batch: Batch, _ctx: Context) -> None:
        """A coroutine that waits for nothing."""
        delivered.extend(batch.event_id)

    @healthy.on_batch()
    def follow(batch: Batch, _ctx: Context) -> None:
        seen.extend(batch.token_id)

    async def run() -> None:
        tracker = AsyncTracker()
        host = LocalHost(tracker)
        guard = Guard(soft_seconds=0.3, hard_seconds=0.3)
        scheduler = AsyncScheduler(handle_signals=False)
        runtimes = [
            Runtime(pipeline, host, clock=LoopClock(), scheduler=scheduler, guard=guard)
            for pipeline in (culprit, healthy)
        ]
        for runtime in runtimes:
            await runtime.start()
        for number in range(EVENTS):
            event = {"token_id": "punk", "holder_id": "ada", "start": 1000, "event_id": f"event {number}"}
            await tracker.record(HoldEvent.model_validate(event))
            await asyncio.sleep(0.002)
        for runtime in runtimes:
            await asyncio.wait_for(runtime.caught_up(EVENTS), 20)
        for runtime in runtimes:
            await runtime.stop()
        meter = host.meters["culprit", "bad"]
        assert is_named(meter, caplog.text), (meter, caplog.text)
        assert host.position("healthy", "events") == EVENTS
        assert host.position("culprit", "events") == EVENTS
        assert all(other.failures == 0 for key, other in host.meters.items() if key != ("culprit", "bad"))
        guard.close()
        host.close()

    asyncio.run(run())
    assert seen == ["punk"] * EVENTS
    assert delivered == [f"event {number}" for number in range(EVENTS)]
    assert sum(called) == EVENTS
    sys.stdout.write("open again")
    for stream in (sys.stdout, sys.stderr):
        stream.close()

"""`before_accept` in plain Python: what senders are told, and what is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import pytest

from poh_holdmetrics.clock import Clock, LoopClock
from poh_holdmetrics.data_models import HoldEvent, Transfer
from poh_holdmetrics.pipeline import Pipeline
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.context import Context
from poh_holdmetrics.pipeline.offline.local import LocalHost
from poh_holdmetrics.pipeline.port import Batch
from poh_holdmetrics.pipeline.running.runtime import Runtime
from poh_holdmetrics.pipeline.verdicts import Verdicts
from poh_holdmetrics.scheduler import AsyncScheduler
from poh_holdmetrics.testing import PipelineHarness
from poh_holdmetrics.tracker import AsyncTracker

START = "2026-01-01T00:00:00Z"
_LATER = "send the event again later"


def hold(holder: str, of: str = "T") -> HoldEvent:
    return HoldEvent.model_validate({"token_id": of, "holder_id": holder, "start": START})


def transfer(sender: str, receiver: str) -> Transfer:
    fields = {"token_id": "T", "from_id": sender, "to_id": receiver, "at": START, "amount": 1}
    return Transfer.model_validate({**fields, "event_id": f"{sender}-{receiver}"})


class StandingClock:
    """A clock at which every wait is over at once, or none is."""

    def __init__(self, *, is_over: bool) -> None:
        self._is_over = is_over

    def now(self) -> float:
        return 0.0

    async def sleep_until(self, at: float) -> None:
        del at
        if not self._is_over:
            await asyncio.Event().wait()


def play(
    pipelines: Sequence[Pipeline],
    scenario: Callable[[LocalHost], Awaitable[None]],
    *,
    clock: Clock | None = None,
) -> LocalHost:
    """Run `scenario` beside the pipelines over one host."""

    async def run() -> LocalHost:
        host = LocalHost(AsyncTracker(), clock=clock or StandingClock(is_over=False))
        guard = Guard()
        async with AsyncExitStack() as stack:
            stack.callback(guard.close)
            for pipeline in pipelines:
                runtime = Runtime(pipeline, host, clock=LoopClock(), scheduler=AsyncScheduler(), guard=guard)
                await runtime.start()
                stack.push_async_callback(runtime.stop)
            await asyncio.wait_for(_awaited(scenario(host)), 20)
        return host

    return asyncio.run(run())


async def _awaited(value: Awaitable[None]) -> None:
    await value


def refusing(name: str, holder: str, **options: str) -> Pipeline:
    pipeline = Pipeline(name)

    @pipeline.before_accept(**options)  # type: ignore[arg-type]
    def check(batch: Batch, ctx: Context) -> list[str | None]:
        del ctx
        return [f"no {holder} here" if each == holder else None for each in batch.holder_id]

    return pipeline


async def told(host: LocalHost, *events: HoldEvent | Transfer) -> list[tuple[int, str]]:
    return [(refusal.index, refusal.reason) for refusal in await host.accept(events)]


def test_refused_events_are_not_recorded_and_a_transfer_is_refused_whole() -> None:
    async def scenario(host: LocalHost) -> None:
        events: list[HoldEvent | Transfer] = [hold("a"), hold("b")]
        events += [transfer("a", "b"), transfer("b", "c"), transfer("a", "c")]
        reason = "before_accept: tiers/check: no b here"
        assert await told(host, *events) == [(1, reason), (2, reason), (3, reason)]

    host = play([refusing("tiers", "b")], scenario)
    assert host.last_sequence == 3
    assert host.meters["tiers", "check"].counts["refused"] == 3


def test_the_handler_sees_the_rows_that_match_and_its_verdicts_find_their_events() -> None:
    pipeline = Pipeline("tiers")
    seen: list[tuple[str, ...]] = []

    @pipeline.before_accept(token="punk/*")
    async def check(batch: Batch, ctx: Context) -> Verdicts:
        await asyncio.sleep(0)
        assert ctx.pipeline == "tiers"
        seen.append(batch.holder_id)
        return {1: "too many", 0: hold("renamed", "punk/1")}

    async def scenario(host: LocalHost) -> None:
        events = [hold("a", "ape/1"), hold("b", "punk/1"), hold("c", "ape/2"), hold("d", "punk/2")]
        assert await told(host, *events) == [(3, "before_accept: tiers/check: too many")]
        assert await told(host, hold("a", "ape/1")) == []

    host = play([pipeline], scenario)
    assert seen == [("b", "d")]
    batch = asyncio.run(host.read(0, 10))
    assert batch is not None
    assert batch.holder_id == ("a", "renamed", "c", "a")


def test_a_transfer_cannot_be_changed() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.before_accept()
    def check(batch: Batch, ctx: Context) -> Verdicts:
        del batch, ctx
        return {1: hold("x")}

    async def scenario(host: LocalHost) -> None:
        reason = "before_accept: tiers/check: changed a transfer, which can only be accepted or refused"
        assert await told(host, transfer("a", "b")) == [(0, reason)]

    assert play([pipeline], scenario).last_sequence == 0


@pytest.mark.parametrize("on_timeout", ["accept", "refuse"])
@pytest.mark.parametrize(
    ("returned", "why"), [(None, "no answer within 2ms"), ("nonsense", "failed"), (KeyError("x"), "failed")]
)
def test_without_an_answer_on_timeout_decides(on_timeout: str, returned: object, why: str) -> None:
    pipeline = Pipeline("tiers")

    @pipeline.before_accept(budget="2ms", on_timeout=on_timeout, token="T")  # type: ignore[arg-type]
    async def check(batch: Batch, ctx: Context) -> object:
        del batch, ctx
        if returned is None:
            await asyncio.Event().wait()
        if isinstance(returned, Exception):
            raise returned
        return returned

    async def scenario(host: LocalHost) -> None:
        refused = [(0, f"before_accept: tiers/check: {why}; {_LATER}")]
        assert await told(host, hold("a"), hold("a", "U")) == ([] if on_timeout == "accept" else refused)

    host = play([pipeline], scenario, clock=StandingClock(is_over=returned is None))
    assert host.last_sequence == 1 + (on_timeout == "accept")
    assert host.meters["tiers", "check"].failures == (returned is not None)


def test_events_of_a_pipeline_pass_the_gates_of_the_others_only() -> None:
    emitting = refusing("emitting", "b")

    @emitting.on_batch()
    def follow(batch: Batch, ctx: Context) -> None:
        if "a" in batch.holder_id:
            for holder in ("b", "c", "d"):
                fields = {"token_id": "T", "holder_id": holder, "at": START, "delta": 1, "event_id": holder}
                ctx.emit(HoldEvent.model_validate(fields))

    async def scenario(host: LocalHost) -> None:
        assert await told(host, hold("c")) == [(0, "before_accept: other/check: no c here")]
        await host.accept([hold("a")])
        await host.read(2, 1)

    host = play([emitting, refusing("other", "c")], scenario)
    batch = asyncio.run(host.read(0, 10))
    assert batch is not None
    assert batch.holder_id == ("a", "b", "d")
    counts = host.meters["emitting", "follow"].counts
    assert (counts["emitted"], counts["refused"]) == (2, 1)


def test_what_a_gate_emits_and_counts_is_kept_after_its_answer() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.before_accept()
    def check(batch: Batch, ctx: Context) -> None:
        ctx.state["seen"] = ctx.state.get("seen", 0) + len(batch)

    async def scenario(host: LocalHost) -> None:
        await host.accept([hold("a"), hold("b")])
        await host.accept([hold("c")])
        while await host.state("tiers") != {"seen": "3"}:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)

    play([pipeline], scenario)


def test_in_the_harness_a_stuck_handler_costs_its_budget() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.before_accept(budget="5s", on_timeout="refuse")
    async def check(batch: Batch, ctx: Context) -> list[str]:
        if "stuck" in batch.holder_id:
            await asyncio.Event().wait()
        return [ctx.now.isoformat()] * len(batch)

    with PipelineHarness(pipeline, now=START) as harness:
        (refusal,) = harness.feed(hold("a"))
        assert refusal.reason == "before_accept: tiers/check: 2026-01-01T00:00:00+00:00"
        (refusal,) = harness.feed(hold("stuck"))
        assert refusal.reason == f"before_accept: tiers/check: no answer within 5s; {_LATER}"
        assert harness.now.isoformat() == "2026-01-01T00:00:05+00:00"
        assert harness.meter("check").counts["refused"] == 1

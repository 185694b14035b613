"""Gates and policies of a pipeline in a process of its own, as its parent calls them."""

from __future__ import annotations

import asyncio
import os
import signal
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

from poh_holdmetrics import AsyncTracker, HoldEvent
from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.errors import HoldMetricsError
from poh_holdmetrics.pipeline.loading.specs import Spec
from poh_holdmetrics.pipeline.offline.local import LocalHost
from poh_holdmetrics.pipeline.port import PublishedPolicy
from poh_holdmetrics.pipeline.worker.process import WorkerSettings
from poh_holdmetrics.pipeline.worker.runner import WorkerRunner
from poh_holdmetrics.pipeline.worker.segment_frames import (
    body_from_scores,
    frame_from_segments,
    scores_from_body,
    segments_from_frame,
)
from poh_holdmetrics.policies.segments import Segments
from poh_holdmetrics.windows import Window

pytestmark = pytest.mark.skipif(os.name == "nt", reason="worker processes need Unix")

SOURCE = """
import os, time
from fractions import Fraction
from poh_holdmetrics import Pipeline
from poh_holdmetrics.policies import Policy, Tiers

pipeline = Pipeline("apart", isolation="process")
pipeline.policy("ready")(Policy(steps=[Tiers(multipliers={"1s": 2})]))

@pipeline.before_accept(budget="5s", on_timeout="refuse", token="T")
def check(batch, ctx):
    if "dies" in batch.holder_id:
        os._exit(7)
    ctx.state["checked"] = ctx.state.get("checked", 0) + len(batch)
    changed = {n: e.model_copy(update={"holder_id": "B"}) for n, e in enumerate(batch.events())}
    return {n: "no a here" if e.holder_id == "a" else changed[n] for n, e in enumerate(batch.events())}

@pipeline.before_accept("slow", budget="200ms", on_timeout="refuse", token="slow")
def slow(batch, ctx):
    time.sleep(0.5)

@pipeline.policy("thirds")
def thirds(segments):
    return {holder: Fraction(len(rows), 3) for holder, rows in segments.by_holder()}

@pipeline.policy("endless")
def endless(segments):
    while True:
        pass
"""
AGAIN = "send the event again later"


class Host(LocalHost):
    """A host that keeps the policies that it is given."""

    policies: dict[str, PublishedPolicy]

    def set_policies(self, pipeline: str, policies: Sequence[PublishedPolicy]) -> None:
        assert pipeline == "apart"
        self.policies = {policy.name: policy for policy in policies}


def hold(token: str, holder: str) -> HoldEvent:
    return HoldEvent.model_validate({"token_id": token, "holder_id": holder, "start": 0, "end": 1000})


def segments(count: int) -> Segments:
    rows = [
        (f"h{number:06}", "to\nken\u2028", number, number + 5, 10**30 + number) for number in range(count)
    ]
    return Segments.of(rows, Window(10_000_000, 3, closed_only=True))


@pytest.mark.parametrize("count", [0, 1, 10_000])
def test_segments_and_scores_cross_unchanged(count: int) -> None:
    given = segments(count)
    assert segments_from_frame(*frame_from_segments(given)) == given
    scores = [(holder, 5, str(10**40)) for holder in given.holder_id]
    assert scores_from_body(body_from_scores(scores)) == scores


class Apart:
    """The pipeline in its process, and the host that asks it."""

    def __init__(self, folder: Path) -> None:
        self.tracker = AsyncTracker()
        self.host = Host(self.tracker)
        file = folder / "apart.py"
        file.write_text(textwrap.dedent(SOURCE), "utf-8")
        settings = WorkerSettings(soft_seconds=0.5, hard_seconds=0.5)
        self.runner = WorkerRunner(Spec(file=file), 1, host=self.host, clock=LoopClock(), settings=settings)

    async def __aenter__(self) -> Self:
        await self.runner.stage()
        await self.runner.start()
        return self

    async def __aexit__(self, *_raised: object) -> None:
        await self.runner.drop()
        self.host.close()

    async def replaced(self, pid: int | None) -> None:
        ends = time.monotonic() + 20
        while self.runner.pid in (None, pid) or self.host.pipelines["apart"][0] != "running":
            assert time.monotonic() < ends
            await asyncio.sleep(0.02)


def test_a_gate_refuses_changes_and_keeps_state(tmp_path: Path) -> None:
    async def run() -> None:
        async with Apart(tmp_path) as apart:
            refusals = await apart.host.accept([hold("T", "a"), hold("T", "b"), hold("U", "a")])
            assert [(each.index, each.reason) for each in refusals] == [
                (0, "before_accept: apart/check: no a here")
            ]
            assert apart.tracker.engine.holder("B", 10_000_000) is not None
            assert apart.tracker.engine.holder("b", 10_000_000) is None
            while await apart.host.state("apart") != {"checked": "2"}:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0.01)
            assert apart.host.meters["apart", "check"].counts["refused"] == 1

    asyncio.run(run())


def test_without_an_answer_of_the_process_on_timeout_decides(tmp_path: Path) -> None:
    async def run() -> None:
        async with Apart(tmp_path) as apart:
            (late,) = await apart.host.accept([hold("slow", "a")])
            assert late.reason == f"before_accept: apart/slow: no answer within 200ms; {AGAIN}"
            pid = apart.runner.pid
            (dead,) = await apart.host.accept([hold("T", "dies")])
            assert dead.reason == f"before_accept: apart/check: failed; {AGAIN}"
            (dead,) = await apart.host.accept([hold("T", "a")])
            assert dead.reason == f"before_accept: apart/check: failed; {AGAIN}"
            await apart.replaced(pid)
            (refused,) = await apart.host.accept([hold("T", "a")])
            assert refused.reason == "before_accept: apart/check: no a here"

    asyncio.run(run())


def test_policies_are_computed_in_the_process(tmp_path: Path) -> None:
    async def run() -> None:
        async with Apart(tmp_path) as apart:
            policies = apart.host.policies
            assert {name: each.document is None for name, each in policies.items()} == {
                "ready": False, "thirds": True, "endless": True
            }  # fmt: skip
            third = str(10**24 // 3)
            assert await policies["thirds"].scores(segments(2)) == [
                ("h000000", 5, third),
                ("h000001", 5, third),
            ]
            with pytest.raises(HoldMetricsError, match="HardLimitExceeded: the call took longer") as caught:
                await policies["endless"].scores(segments(1))
            assert "in endless" in getattr(caught.value, "traceback", "")
            pid = apart.runner.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            ended = "the worker process of apart has ended; ask again when another one runs"
            with pytest.raises(HoldMetricsError, match=ended):
                await policies["thirds"].scores(segments(1))
            await apart.replaced(pid)
            assert len(await apart.host.policies["thirds"].scores(segments(9_000))) == 9_000

    asyncio.run(run())


def test_a_process_that_is_killed_during_a_question_answers_it_with_its_end(tmp_path: Path) -> None:
    async def run() -> None:
        async with Apart(tmp_path) as apart:
            asked = asyncio.ensure_future(apart.host.policies["endless"].scores(segments(1)))
            await asyncio.sleep(0.1)
            assert apart.runner.pid is not None
            os.kill(apart.runner.pid, signal.SIGKILL)
            with pytest.raises(HoldMetricsError, match="has ended"):
                await asked

    asyncio.run(run())

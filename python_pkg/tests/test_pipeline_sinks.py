"""Sinks: every event at least once, in batches of their size, whatever fails and however slow others are."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from naive import Raw
from pipeline_support import counting, hold
from poh_holdmetrics import HoldEvent, Pipeline
from poh_holdmetrics.pipeline import Batch, Context
from poh_holdmetrics.pipeline.batch import records_from_batch
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.testing import PipelineHarness
from strategies import EVENTS, record


def test_a_sink_gets_batches_of_its_size_or_after_its_flush_time() -> None:
    pipeline = Pipeline("tiers")
    sizes: list[int] = []

    @pipeline.sink("archive", batch=3, flush="10s")
    async def archive(batch: Batch, ctx: Context) -> None:
        del ctx
        sizes.append(len(batch))

    with PipelineHarness(pipeline) as harness:
        harness.feed(*[hold(f"h{number}") for number in range(7)])
        assert (sizes, harness.position("archive")) == ([3, 3], 6)
        harness.advance("6s")
        harness.feed(hold("late"))
        harness.advance("3s")
        assert sizes == [3, 3]
        harness.advance("1s")
        assert (sizes, harness.position("archive")) == ([3, 3, 2], 8)
        harness.feed(hold("last"))
        harness.restart()
        assert sizes == [3, 3, 2, 1]
        assert [event.holder_id for event in harness.delivered("archive")][-3:] == ["h6", "late", "last"]


def test_a_sink_is_given_every_event_at_least_once_over_a_crash() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.sink("archive", batch=2, flush="1s", token="punk/*")
    def archive(batch: Batch, ctx: Context) -> None:
        ctx.state["delivered"] = ctx.state.get("delivered", 0) + len(batch)

    with PipelineHarness(pipeline) as harness:
        harness.fail_commits(1)
        harness.feed(hold("a"), hold("b"), hold("x", "ape/1"), hold("c"))
        assert [event.holder_id for event in harness.delivered("archive")] == ["a", "b"]
        harness.restart(crash=True)
        harness.advance("1s")
        assert [event.holder_id for event in harness.delivered("archive")] == ["a", "b", "a", "b", "c"]
        assert harness.state == {"delivered": 3}
        assert harness.position("archive") == 4


def test_a_sink_is_tried_again_with_growing_pauses_and_then_parks_its_events(tmp_path: Path) -> None:
    pipeline = Pipeline("tiers")
    at: list[float] = []
    is_down = True

    @pipeline.sink("web", batch=10, flush=0, retries=3)
    async def web(batch: Batch, ctx: Context) -> None:
        del batch
        at.append(ctx.now.timestamp())
        if is_down:
            raise ConnectionError("refused")

    with PipelineHarness(pipeline, raise_failures=False, dead_letters=tmp_path) as harness:
        harness.feed(hold("ann"))
        assert len(at) == 1
        harness.advance("1m")
        pauses = [after - before for before, after in pairwise(at)]
        assert len(pauses) == 3
        assert pauses == sorted(pauses)
        assert pauses[0] >= 0.1
        meter = harness.meter("web")
        assert (meter.counts["retried"], meter.counts["dead_lettered"]) == (3, 1)
        assert harness.delivered("web") == []
        assert harness.position("web") == 1
        is_down = False
        harness.feed(hold("bob"))
        assert [event.holder_id for event in harness.delivered("web")] == ["bob"]
        replayed = harness.replay("web")
        assert (replayed.events, replayed.files_left) == (1, 0)
        assert [event.holder_id for event in harness.delivered("web")] == ["bob", "ann"]


def test_a_sink_that_backs_off_does_not_hold_up_a_restart_and_loses_nothing() -> None:
    pipeline = Pipeline("tiers")
    is_down = True

    @pipeline.sink("web", batch=1, retries=1000)
    def web(batch: Batch, ctx: Context) -> None:
        del batch, ctx
        if is_down:
            raise ConnectionError("refused")

    with PipelineHarness(pipeline, raise_failures=False) as harness:
        harness.feed(hold("ann"), hold("bob"))
        harness.advance("10m")
        before_us = harness.now_us
        harness.restart()
        assert harness.now_us == before_us
        is_down = False
        harness.advance("2m")
        assert [event.holder_id for event in harness.delivered("web")] == ["ann", "bob"]


def test_one_slow_sink_does_not_delay_the_others() -> None:
    pipeline = Pipeline("tiers")
    counting(pipeline)

    @pipeline.sink("slow", batch=1, timeout="1h")
    async def slow(batch: Batch, ctx: Context) -> None:
        del batch, ctx
        await asyncio.sleep(1000)

    @pipeline.sink("quick", batch=1)
    def quick(batch: Batch, ctx: Context) -> None:
        del batch, ctx

    with PipelineHarness(pipeline) as harness:
        harness.feed(hold("ann"), hold("bob"))
        assert harness.state == {"seen": 2}
        assert (len(harness.delivered("quick")), len(harness.delivered("slow"))) == (2, 0)
        assert (harness.position("quick"), harness.position("slow")) == (2, 0)
        harness.advance("2000s")
        assert harness.position("slow") == 2


def test_a_disabled_sink_keeps_its_place_and_goes_on_when_enabled() -> None:
    pipeline = Pipeline("tiers")
    is_down = True

    @pipeline.sink("web", batch=1, on_error="disable")
    def web(batch: Batch, ctx: Context) -> None:
        del batch, ctx
        if is_down:
            raise ConnectionError("refused")

    with PipelineHarness(pipeline, raise_failures=False) as harness:
        harness.feed(hold("ann"), hold("bob"))
        harness.advance("1h")
        assert harness.meter("web").calls == 1
        assert (harness.meter("web").status, harness.position("web")) == ("disabled", 0)
        is_down = False
        harness.enable("web")
        assert [event.holder_id for event in harness.delivered("web")] == ["ann", "bob"]
        assert harness.position("web") == 2


def test_a_replay_waits_for_no_back_off(tmp_path: Path) -> None:
    pipeline = Pipeline("tiers")
    is_down = True

    @pipeline.sink("web", batch=1, retries=0)
    def web(batch: Batch, ctx: Context) -> None:
        del batch, ctx
        if is_down:
            raise ConnectionError("refused")

    with PipelineHarness(pipeline, raise_failures=False, dead_letters=tmp_path) as harness:
        harness.feed(*(hold(f"holder {number}") for number in range(12)))
        harness.advance("5m")
        assert harness.meter("web").status == "backing_off"
        now, calls = harness.now_us, harness.meter("web").calls
        replayed = harness.replay("web")
        assert (harness.now_us, replayed.events) == (now, 0)
        assert "refused" in replayed.reason
        assert 0 < harness.meter("web").calls - calls < 10 < replayed.files_left
        is_down = False
        assert harness.replay("web").files_left == 0
        assert harness.now_us == now


BATCHES = st.lists(st.integers(1, 4), min_size=1, max_size=6)


@settings(max_examples=40)
@given(EVENTS, BATCHES, st.integers(1, 5), st.sets(st.integers(0, 5)))
def test_the_exact_score_of_a_sink_is_that_of_the_tracker(
    raws: list[Raw], sizes: list[int], batch_events: int, crashes: set[int]
) -> None:
    own = Aggregator()
    pipeline = Pipeline("tiers")

    @pipeline.sink("scores", batch=batch_events, flush="1s")
    def scores(batch: Batch, ctx: Context) -> None:
        del ctx
        for each in records_from_batch(batch):
            own.add(each)

    events = [HoldEvent.from_record(record(raw)) for raw in raws]
    with PipelineHarness(pipeline) as harness:
        for step, size in enumerate(sizes):
            harness.feed(*events[:size])
            events = events[size:]
            if step in crashes:
                harness.fail_commits(1)
                harness.restart(crash=True)
        harness.feed(*events)
        harness.advance("1m")
        as_of = 1_753_056_000_000_000 + 20_000_000
        assert own.snapshot(as_of).rows() == harness.tracker.engine.snapshot(as_of).rows()

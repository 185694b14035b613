"""What a running pipeline promises: order, filters, outboxes, state with cursors, back-off, jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_support import PUNK, counting, hold
from poh_holdmetrics import HoldEvent, Pipeline, Transfer
from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.pipeline import Batch, Context
from poh_holdmetrics.testing import HandlerFailed, PipelineHarness


def test_handlers_get_what_their_patterns_match_in_the_order_of_registration() -> None:
    pipeline = Pipeline("tiers")
    calls: list[tuple[str, list[str]]] = []

    @pipeline.on_event(holder="0x?", token="punk/*")
    async def second(event: HoldEvent, ctx: Context) -> None:
        del ctx
        calls.append(("second", [event.holder_id]))

    @pipeline.on_batch(token="punk/*")
    def third(batch: Batch, ctx: Context) -> None:
        del ctx
        calls.append(("third", list(batch.holder_id)))

    @pipeline.on_batch()
    async def fourth(batch: Batch, ctx: Context) -> None:
        del ctx
        calls.append(("fourth", list(batch.holder_id)))

    with PipelineHarness(pipeline) as harness:
        harness.feed(hold("0xa"), hold("0xbb"), hold("0xc", "ape/1"))
        harness.feed(hold("0xd", "ape/2"))
    assert calls == [
        ("second", ["0xa"]),
        ("third", ["0xa", "0xbb"]),
        ("fourth", ["0xa", "0xbb", "0xc"]),
        ("fourth", ["0xd"]),
    ]


def test_state_and_cursor_survive_a_restart_together() -> None:
    pipeline = Pipeline("tiers")
    counting(pipeline)
    with PipelineHarness(pipeline) as harness:
        harness.feed(hold("ann"), hold("bob"))
        for crash in (False, True):
            harness.restart(crash=crash)
            assert harness.state == {"seen": 2}
            assert harness.position("events") == 2
        harness.feed(hold("cat"))
        assert harness.state == {"seen": 3}


def test_what_is_not_committed_is_handled_again_after_a_crash_and_counts_once() -> None:
    pipeline = Pipeline("tiers")
    counting(pipeline)
    with PipelineHarness(pipeline) as harness:
        harness.feed(hold("ann"))
        harness.fail_commits(1)
        harness.feed(hold("bob"))
        assert (harness.state, harness.position("events")) == ({"seen": 2}, 1)
        harness.restart(crash=True)
        assert (harness.state, harness.position("events")) == ({"seen": 2}, 2)
        assert harness.meter("count").calls == 3


def test_a_failed_commit_is_repeated_and_loses_nothing() -> None:
    pipeline = Pipeline("tiers")
    counting(pipeline)
    with PipelineHarness(pipeline) as harness:
        harness.fail_commits(2)
        harness.feed(hold("ann"))
        harness.feed(hold("bob"))
        assert harness.position("events") == 0
        harness.advance("5s")
        harness.restart(crash=True)
        assert (harness.state, harness.position("events")) == ({"seen": 2}, 2)


def test_the_outbox_and_the_state_of_a_call_that_raises_are_dropped() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.on_event()
    def greet(event: HoldEvent, ctx: Context) -> None:
        if event.token_id != PUNK:
            return
        ctx.emit(hold(event.holder_id, "welcome", event_id=f"welcome {event.holder_id}"))
        ctx.state[event.holder_id] = True
        if event.holder_id == "bob":
            raise OSError("no mail server")

    with PipelineHarness(pipeline, raise_failures=False) as harness:
        harness.feed(hold("ann"), hold("bob"), hold("cat"))
        assert [event.event_id for event in harness.emitted] == ["welcome ann", "welcome cat"]
        assert harness.state == {"ann": True, "cat": True}
        meter = harness.meter("greet")
        assert (meter.failures, meter.counts["skipped"], meter.counts["emitted"]) == (1, 1, 2)
        assert "no mail server" in meter.last_traceback
        assert "in greet" in meter.last_traceback


@pytest.mark.parametrize("kind", ["on_batch", "every", "sink"])
def test_so_are_those_of_every_other_kind_of_call(kind: str) -> None:
    pipeline = Pipeline("tiers")

    def call(ctx: Context) -> None:
        ctx.state["called"] = True
        ctx.emit(hold("ann", "bonus", event_id="1"))
        raise OSError("no")

    if kind == "on_batch":
        pipeline.on_batch("broken")(lambda batch, ctx: call(ctx) if len(batch) else None)
    elif kind == "sink":
        pipeline.sink("broken", flush=0)(lambda batch, ctx: call(ctx) if len(batch) else None)
    else:
        pipeline.every("1s", name="broken")(call)
    with PipelineHarness(pipeline, raise_failures=False) as harness:
        harness.feed(hold("ann"))
        harness.advance("1s")
        assert harness.meter("broken").failures
        harness.restart()
        assert (harness.state, harness.emitted) == ({}, [])


def test_a_harness_raises_the_failure_of_a_handler_with_its_traceback() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.on_batch()
    def broken(batch: Batch, ctx: Context) -> None:
        del ctx
        raise KeyError(batch.token_id[0])

    with (
        PipelineHarness(pipeline) as harness,
        pytest.raises(HandlerFailed, match="handler broken raised") as error,
    ):
        harness.feed(hold("ann"))
    assert "KeyError: 'punk/1'" in str(error.value)


def test_emitted_events_are_recorded_before_the_cursor_and_count_once_when_repeated() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.on_event(token="punk/*")
    def bonus(event: HoldEvent, ctx: Context) -> None:
        ctx.emit(hold(event.holder_id, "bonus", event_id=f"bonus {event.holder_id}"))

    with PipelineHarness(pipeline) as harness:
        harness.fail_submissions(2)
        harness.feed(hold("ann"))
        assert (harness.emitted, harness.position("events")) == ([], 0)
        harness.fail_commits(1)
        harness.advance("2s")
        assert len(harness.emitted) == 1
        harness.restart(crash=True)
        # Emitted again, and the same event.
        assert [event.event_id for event in harness.emitted] == ["bonus ann", "bonus ann"]
        ann = asyncio.run(harness.tracker.holder("ann", "2026-02-01T00:00:00Z"))
        assert ann is not None
        assert ann.held_us == 2 * 86_400 * 10**6


def test_an_event_without_an_id_cannot_be_emitted() -> None:
    pipeline = Pipeline("tiers")
    refusals: list[str] = []

    @pipeline.every("1s")
    def emit(ctx: Context) -> None:
        for event in (hold("ann"), "ann"):
            try:
                ctx.emit(event)  # type: ignore[arg-type]
            except (Refused, InputError) as refused:
                refusals.append(str(refused))

    with PipelineHarness(pipeline) as harness:
        harness.advance("1s")
        assert harness.emitted == []
    assert refusals[0].startswith("event_id: missing (an emitted event needs one")
    assert refusals[1] == 'emit: expected HoldEvent or Transfer, not "ann"'


def test_a_slow_event_handler_stops_within_a_batch_and_repeats_little() -> None:
    pipeline = Pipeline("tiers")
    seen: list[str] = []

    @pipeline.on_event()
    async def notify(event: HoldEvent, ctx: Context) -> None:
        await asyncio.sleep(0.01)
        seen.append(event.holder_id)
        ctx.state["notified"] = ctx.state.get("notified", 0) + 1

    with PipelineHarness(pipeline) as harness:
        harness.feed(*[hold(f"h{number}") for number in range(4000)])
        harness.advance("20s")
        before = len(seen)
        assert 1900 < before < 2100
        harness.restart()
        assert len(seen) < before + 100
        assert harness.state == {"notified": len(seen)}
        harness.advance("1m")
        assert seen == [f"h{number}" for number in range(4000)]


def test_a_handler_that_backs_off_does_not_hold_up_a_restart() -> None:
    pipeline = Pipeline("tiers")
    is_broken = True

    @pipeline.on_event(on_error="retry", retries=0)
    def follow(event: HoldEvent, ctx: Context) -> None:
        if is_broken:
            raise ValueError("no")
        ctx.state[event.holder_id] = True

    with PipelineHarness(pipeline, raise_failures=False) as harness:
        harness.feed(*[hold(f"h{number}") for number in range(100)])
        assert harness.meter("follow").status == "backing_off"
        assert harness.position("events") == 0
        before_us = harness.now_us
        is_broken = False
        harness.restart()
        assert harness.now_us == before_us
        assert len(harness.state) == 100


def test_enabling_a_pipeline_ends_the_back_off_of_its_handlers() -> None:
    pipeline = Pipeline("tiers")
    is_down = True

    @pipeline.on_event(on_error="retry", retries=0)
    def follow(event: HoldEvent, ctx: Context) -> None:
        del event, ctx
        if is_down:
            raise ConnectionError("refused")

    with PipelineHarness(pipeline, raise_failures=False) as harness:
        harness.feed(*(hold(f"holder {number}") for number in range(12)))
        harness.advance("20s")
        calls = harness.meter("follow").calls
        assert harness.meter("follow").status == "backing_off"
        is_down = False
        harness.enable()
        assert harness.meter("follow").calls == 12 > calls
        assert harness.meter("follow").status == "running"


def test_a_handler_that_only_logs_holds_up_no_other_while_it_backs_off() -> None:
    pipeline = Pipeline("tiers")
    counting(pipeline)
    is_down = True

    @pipeline.on_event()
    def broken(event: HoldEvent, ctx: Context) -> None:
        del event, ctx
        if is_down:
            raise ConnectionError("refused")

    with PipelineHarness(pipeline, raise_failures=False) as harness:
        for number in range(12):
            harness.feed(hold(f"holder {number}"))
        assert harness.state == {"seen": 12}
        assert harness.position("events") == 12
        meter = harness.meter("broken")
        # Five calls have failed, and seven were not made.
        assert (meter.calls, meter.counts["skipped"], meter.status) == (5, 12, "backing_off")
        is_down = False
        harness.advance("2s")
        harness.feed(hold("later"))
        assert (meter.calls, meter.events, meter.counts["skipped"]) == (6, 1, 12)
        assert meter.status == "running"


def test_a_disabled_handler_is_passed_over_and_the_others_go_on() -> None:
    pipeline = Pipeline("tiers")
    counting(pipeline)

    @pipeline.on_event(on_error="disable")
    def broken(event: HoldEvent, ctx: Context) -> None:
        del event, ctx
        raise ValueError("no")

    with PipelineHarness(pipeline, raise_failures=False) as harness:
        harness.feed(hold("ann"), hold("bob"))
        harness.feed(hold("cat"))
        meter = harness.meter("broken")
        assert (meter.calls, meter.counts["skipped"]) == (1, 3)
        assert (harness.state, harness.position("events")) == ({"seen": 3}, 3)


def test_an_asynchronous_handler_is_ended_at_its_time_limit() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.on_event(timeout="2s")
    async def hangs(event: HoldEvent, ctx: Context) -> None:
        del ctx
        if event.holder_id == "ann":
            await asyncio.sleep(3600)

    with PipelineHarness(pipeline, raise_failures=False) as harness:
        harness.feed(hold("ann"), hold("bob"))
        assert harness.position("events") == 0
        harness.advance("2s")
        assert harness.position("events") == 2
        meter = harness.meter("hangs")
        assert (meter.failures, meter.counts["timed_out"], meter.events) == (1, 1, 1)


def test_a_blocking_handler_runs_in_a_thread_and_the_harness_waits_for_it() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.on_batch(blocking=True)
    def store(batch: Batch, ctx: Context) -> None:
        time.sleep(0.05)
        ctx.state["stored"] = len(batch)

    with PipelineHarness(pipeline) as harness:
        harness.feed(hold("ann"), hold("bob"))
        assert harness.state == {"stored": 2}


def test_blocking_handlers_ask_while_others_record() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.sink("slow", batch=1, blocking=True)
    def slow(batch: Batch, ctx: Context) -> None:
        del batch
        for _ in range(20):
            ctx.metrics.gauge("holders", len(ctx.snapshot()))
            ctx.metrics.counter("asked")
            assert ctx.holder("h0") is not None

    @pipeline.source()
    async def many(ctx: Context, position: None) -> AsyncIterator[HoldEvent]:
        del ctx, position
        for number in range(40):
            yield hold(f"h{number}")

    with PipelineHarness(pipeline) as harness:
        harness.advance("1s")
        assert harness.metrics == {"holders": 40, "asked": 800}


def test_a_harness_inside_of_a_loop_says_what_to_do() -> None:
    async def scenario() -> None:
        PipelineHarness(Pipeline("tiers"))

    with pytest.raises(RuntimeError, match="use it in a test that is not a coroutine"):
        asyncio.run(scenario())


def test_a_transfer_reaches_handlers_as_its_changes() -> None:
    pipeline = Pipeline("tiers")
    seen: list[tuple[str, Decimal | None]] = []

    @pipeline.on_event()
    def keep(event: HoldEvent, ctx: Context) -> None:
        del ctx
        seen.append((event.holder_id, event.delta))

    with PipelineHarness(pipeline) as harness:
        harness.feed(Transfer(token_id="T", from_id="a", to_id="b", at=0, amount=1, event_id="1"))
    assert seen == [("a", Decimal(-1)), ("b", Decimal(1))]


@pytest.mark.parametrize(("overlap", "runs"), [("skip", 2), ("allow", 5)])
def test_jobs_run_at_their_intervals_with_their_overlap(overlap: str, runs: int) -> None:
    pipeline = Pipeline("tiers")

    @pipeline.every("10s", overlap=overlap, timeout="1m")  # type: ignore[arg-type]
    async def publish(ctx: Context) -> None:
        ctx.state[f"run {ctx.now:%M:%S}"] = True
        await asyncio.sleep(25)

    with PipelineHarness(pipeline) as harness:
        harness.advance("50s")
        assert harness.meter("publish").calls == runs
        assert "run 00:10" in harness.state
        assert ("run 00:20" in harness.state) == (overlap == "allow")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), st.integers(1, 5)),
        st.tuples(st.sampled_from(["crash", "reload", "fail commit", "fail submission"]), st.just(1)),
        st.tuples(st.just("advance"), st.integers(0, 3)),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(STEPS)
def test_whatever_fails_each_event_counts_once_in_the_state_and_reaches_the_sink(
    steps: list[tuple[str, int]],
) -> None:
    pipeline = Pipeline("tiers", start="beginning")
    counting(pipeline)

    @pipeline.on_event(token="punk/*")
    async def each(event: HoldEvent, ctx: Context) -> None:
        ctx.state["each"] = ctx.state.get("each", 0) + 1
        ctx.emit(hold(event.holder_id, "bonus", event_id=f"bonus {event.holder_id}"))

    @pipeline.sink("archive", batch=3, flush="1s")
    def archive(batch: Batch, ctx: Context) -> None:
        del batch, ctx

    fed: list[str] = []
    with PipelineHarness(pipeline) as harness:
        for verb, count in steps:
            if verb == "feed":
                new = [f"h{len(fed) + number}" for number in range(count)]
                fed += new
                harness.feed(*map(hold, new))
            elif verb == "advance":
                harness.advance(count)
            elif verb == "fail commit":
                harness.fail_commits()
            elif verb == "fail submission":
                harness.fail_submissions()
            else:
                harness.restart(crash=verb == "crash")
        harness.advance("2m")
        bonuses = [event.event_id for event in harness.emitted]
        assert harness.state.get("each", 0) == len(fed)
        assert harness.state.get("seen", 0) == len(fed) + len(bonuses)
        assert set(bonuses) == {f"bonus {holder}" for holder in fed}
        assert {event.holder_id for event in harness.delivered("archive")} == set(fed)
        assert len(asyncio.run(harness.tracker.snapshot())) == len(fed)

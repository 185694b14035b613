"""What a running pipeline promises: order, filters, outboxes, state with cursors, sinks that miss nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive import Raw
from poh_holdmetrics import HoldEvent, Pipeline, Transfer
from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.pipeline import Batch, Context
from poh_holdmetrics.pipeline.batch import records_from_batch
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.testing import HandlerFailed, PipelineHarness
from strategies import EVENTS, record

PUNK = "punk/1"


def hold(holder: str, token_id: str = PUNK, event_id: str | None = None) -> HoldEvent:
    return HoldEvent(
        token_id=token_id,
        holder_id=holder,
        start=datetime(2026, 1, 1, tzinfo=UTC),
        end=datetime(2026, 1, 2, tzinfo=UTC),
        event_id=event_id,
    )


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


def counting(pipeline: Pipeline) -> None:
    @pipeline.on_batch()
    def count(batch: Batch, ctx: Context) -> None:
        ctx.state["seen"] = ctx.state.get("seen", 0) + len(batch)


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


def test_a_handler_that_backs_off_does_not_hold_up_a_restart() -> None:
    pipeline = Pipeline("tiers")
    is_broken = True

    @pipeline.on_event()
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


def test_a_context_that_is_used_after_its_call_is_noted_once_and_changes_nothing() -> None:
    pipeline = Pipeline("tiers")
    kept: list[Context] = []

    @pipeline.on_batch()
    def follow(batch: Batch, ctx: Context) -> None:
        del batch
        kept.append(ctx)
        ctx.state["calls"] = ctx.state.get("calls", 0) + 1

    @pipeline.every("1h")
    def misuse(ctx: Context) -> None:
        del ctx
        if kept:
            kept[0].emit(hold("late", event_id="late"))
            kept[0].state["late"] = True

    with PipelineHarness(pipeline) as harness:
        for number in range(3):
            harness.feed(hold("ann", event_id=str(number)))
            harness.advance("1h")
        assert [line.split(",")[0] for line in harness.log] == [
            "WARNING follow: has emitted or changed its state after its call had ended"
        ]
        assert (harness.state, harness.emitted) == ({"calls": 3}, [])


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


def test_enabling_a_pipeline_ends_the_back_off_of_its_handlers() -> None:
    pipeline = Pipeline("tiers")
    is_down = True

    @pipeline.on_event()
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


def test_a_source_goes_on_where_its_position_was_stored() -> None:
    pipeline = Pipeline("tiers")
    begun_at: list[int | None] = []

    @pipeline.source("listing", every="1h")
    async def listing(ctx: Context, position: int | None) -> AsyncIterator[tuple[HoldEvent, int]]:
        begun_at.append(position)
        ctx.state["runs"] = ctx.state.get("runs", 0) + 1
        first = 0 if position is None else position + 1
        for number in range(first, first + 2):
            yield hold(f"h{number}"), number

    with PipelineHarness(pipeline) as harness:
        assert [event.records()[0].holder_id for event in harness.emitted] == ["h0", "h1"]
        harness.advance("1h")
        harness.restart(crash=True)
        assert begun_at == [None, 1, 3]
        assert harness.state == {"runs": 3}
        assert [event.records()[0].holder_id for event in harness.emitted] == [
            f"h{each}" for each in range(6)
        ]
        assert ":source/listing" not in harness.state


def test_the_position_of_a_source_is_not_stored_before_its_items_are_recorded() -> None:
    pipeline = Pipeline("tiers")
    begun_at: list[int | None] = []

    @pipeline.source("listing")
    def listing(ctx: Context, position: int | None) -> Iterator[tuple[HoldEvent, int]]:
        del ctx
        begun_at.append(position)
        if position is None:
            yield hold("ann"), 7

    harness = PipelineHarness(pipeline, read_sources=False)
    with harness:
        harness.fail_submissions(1000)
        harness.read_sources()
        harness.restart(crash=True)
        harness.fail_submissions(0)
        harness.read_sources()
        harness.restart()
        harness.read_sources()
        assert begun_at == [None, None, 7]
        assert len(harness.emitted) == 1


def test_a_source_that_pauses_is_not_held_up() -> None:
    pipeline = Pipeline("tiers")
    counting(pipeline)

    @pipeline.source(timeout="1h")
    async def feed(ctx: Context, position: int | None) -> AsyncIterator[HoldEvent]:
        del ctx, position
        yield hold("ann")
        await asyncio.sleep(600)
        yield hold("bob")

    with PipelineHarness(pipeline) as harness:
        harness.advance("1s")
        assert harness.state == {"seen": 1}
        harness.advance("600s")
        assert harness.state == {"seen": 2}


def test_items_pass_all_transforms_and_refusals_are_counted() -> None:
    pipeline = Pipeline("tiers")
    sales: list[dict[str, object]] = [
        {"from": "ada", "to": "bob", "at": 1000},
        {"from": "bob", "to": "cyd", "at": 2000, "price": 0},
        {"from": "bob", "to": "dan", "at": "noon"},
        {"from": "bob", "to": "eve", "at": 3000},
        {"from": "bob", "to": "nil", "at": 3000},
    ]

    @pipeline.source("sales")
    def listing(ctx: Context, position: None) -> Iterator[dict[str, object]]:
        del ctx, position
        yield from sales

    @pipeline.transform()
    def priced(sale: dict[str, object]) -> dict[str, object] | None:
        return sale if sale.get("price", 1) else None

    @pipeline.transform()
    async def marks(sale: dict[str, object]) -> list[object]:
        both = {"token_id": "punk"}
        return [
            HoldEvent.model_validate({**both, "holder_id": sale["from"], "end": sale["at"]}),
            HoldEvent.model_validate({**both, "holder_id": sale["to"], "start": sale["at"]}),
        ]

    @pipeline.transform()
    def known(event: HoldEvent) -> object:
        if event.holder_id == "eve":
            raise Refused("holder_id", "eve is not known here")
        return event if event.holder_id != "nil" else "nil"

    with PipelineHarness(pipeline) as harness:
        harness.advance("1s")
        holders = [event.records()[0].holder_id for event in harness.emitted]
        assert holders == ["ada", "bob", "bob", "bob"]
        assert harness.meter("sales").counts["refused"] == 3
        assert [reason.removesuffix('; found "noon"') for reason in harness.refusals("sales")] == [
            "sales: item 3: end: not a time (write 2025-07-21T00:00:00Z, or milliseconds since 1970)",
            "sales: item 4: holder_id: eve is not known here",
            'sales: item 5: expected HoldEvent or Transfer, not "nil"; add a transform',
        ]


def test_a_transfer_reaches_handlers_as_its_changes() -> None:
    pipeline = Pipeline("tiers")
    seen: list[tuple[str, Decimal | None]] = []

    @pipeline.on_event()
    def keep(event: HoldEvent, ctx: Context) -> None:
        del ctx
        seen.append((event.holder_id, event.delta))

    with PipelineHarness(pipeline) as harness:
        harness.feed(Transfer(token_id="T", from_id="a", to_id="b", at=0, amount=1, event_id="1"))  # type: ignore[arg-type]
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


def test_a_context_answers_and_measures_in_the_time_of_the_clock() -> None:
    pipeline = Pipeline("tiers", arguments={"top": "1"})

    @pipeline.every("1d")
    def publish(ctx: Context) -> None:
        assert ctx.now.tzinfo is UTC
        (first,) = ctx.leaderboard(int(ctx.arguments["top"]))
        ctx.metrics.gauge("top_score", first.weighted_score, holder=first.holder_id)
        ctx.metrics.counter("published")
        ctx.metrics.histogram("holders", len(ctx.snapshot()))
        assert ctx.holder("nobody") is None
        bob = ctx.holder("bob", as_of="2026-01-01T12:00:00Z")
        assert bob is not None
        assert bob.rank == 1
        ctx.log.info("first is %s in generation %d", first.holder_id, ctx.generation)

    with PipelineHarness(pipeline) as harness:
        harness.feed(
            {"token_id": "punk/1", "holder_id": "ann", "start": "2026-01-01T00:00:00Z", "weight": "0.5"}
        )
        harness.feed(
            {
                "token_id": "punk/2",
                "holder_id": "bob",
                "start": "2026-01-01T00:00:00Z",
                "end": "2026-01-01T18:00:00Z",
            }
        )
        harness.advance("1d")
        harness.advance("2d")
        assert harness.metrics == {
            'top_score{holder="ann"}': 129_600.0,
            'top_score{holder="bob"}': 64_800.0,
            "published": 3,
        }
        assert harness.observations == {"holders": [2, 2, 2]}
        assert harness.log[0] == "INFO publish: first is bob in generation 1"


def test_a_context_aggregates_a_batch_alone() -> None:
    pipeline = Pipeline("tiers")
    found: list[tuple[str, str]] = []

    @pipeline.on_batch()
    def score(batch: Batch, ctx: Context) -> None:
        as_of = "2026-02-01T00:00:00Z"
        found.extend((stat.holder_id, stat.score) for stat in ctx.aggregate(batch, as_of))
        assert ctx.aggregate(batch.events(), as_of).rows() == ctx.aggregate(batch, as_of).rows()

    with PipelineHarness(pipeline) as harness:
        harness.feed(hold("ann"))
        harness.feed(hold("bob"), hold("ann", "punk/2"))
    assert found == [("ann", "86400"), ("ann", "86400"), ("bob", "86400")]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("key", float("nan"), 'state["key"]: not a JSON value: nan'),
        ("key", Decimal(1), "state[\"key\"]: not a JSON value: Decimal('1')"),
        ("key", "x" * (1 << 21), 'state["key"]: 2097154 bytes as JSON, at most 1048576 are kept'),
        (":source/a", 1, 'state: not a key: ":source/a"'),
        ("", 1, 'state: not a key: ""'),
    ],
)
def test_state_refuses_what_it_cannot_keep(name: str, value: object, message: str) -> None:
    pipeline = Pipeline("tiers")
    refusals: list[str] = []

    @pipeline.every("1s")
    def keep(ctx: Context) -> None:
        try:
            ctx.state[name] = value
        except InputError as refused:
            refusals.append(str(refused))

    with PipelineHarness(pipeline) as harness:
        harness.advance("1s")
    assert refusals[0].startswith(message)


def test_state_values_are_copies_and_can_be_removed() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.on_event()
    def keep(event: HoldEvent, ctx: Context) -> None:
        seen = ctx.state.setdefault("seen", [])
        seen.append(event.holder_id)
        if event.holder_id != "bob":
            ctx.state["seen"] = seen
        if event.holder_id == "cat":
            del ctx.state["seen"]
            assert "seen" not in ctx.state
            assert len(ctx.state) == 0

    with PipelineHarness(pipeline) as harness:
        harness.feed(hold("ann"))
        harness.feed(hold("bob"))
        assert harness.state == {"seen": ["ann"]}
        harness.feed(hold("cat"))
        harness.restart()
        assert harness.state == {}


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

"""What a handler is given beside its events: answers, metrics and state."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

import pytest

from pipeline_support import hold
from poh_holdmetrics import HoldEvent, Pipeline
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline import Batch, Context
from poh_holdmetrics.testing import PipelineHarness


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

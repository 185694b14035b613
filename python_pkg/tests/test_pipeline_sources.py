"""Sources: items through the transforms, and positions that are stored after their events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from pipeline_support import counting, hold
from poh_holdmetrics import HoldEvent, Pipeline
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.pipeline import Context
from poh_holdmetrics.testing import PipelineHarness


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

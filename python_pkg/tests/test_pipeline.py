from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest

from poh_holdmetrics import AsyncTracker, HoldEvent, Pipeline, Transfer
from poh_holdmetrics.errors import InputError, Refused


def sales_to_marks(pipeline: Pipeline, items: list[dict[str, Any]]) -> list[list[HoldEvent]]:
    """Register one source, two transforms and one sink; returns the list that the batches go to."""
    batches: list[list[HoldEvent]] = []

    @pipeline.source
    def sales() -> Iterator[dict[str, Any]]:
        yield from items

    @pipeline.transform
    def priced(sale: dict[str, Any]) -> dict[str, Any] | None:
        return sale if sale.get("price", 1) else None

    @pipeline.transform
    def marks(sale: dict[str, Any]) -> list[HoldEvent]:
        both = {"token_id": "punk"}
        return [
            HoldEvent.model_validate({**both, "holder_id": sale["from"], "end": sale["at"]}),
            HoldEvent.model_validate({**both, "holder_id": sale["to"], "start": sale["at"]}),
        ]

    @pipeline.sink
    async def keep(batch: list[HoldEvent]) -> None:
        batches.append(batch)

    return batches


SALES: list[dict[str, Any]] = [
    {"from": "ada", "to": "bob", "at": 1000},
    {"from": "bob", "to": "cyd", "at": 2000, "price": 0},
    {"from": "bob", "to": "dan", "at": "noon"},
    {"from": "bob", "to": "eve", "at": 3000},
]


def test_items_become_events_in_bounded_batches() -> None:
    pipeline = Pipeline()
    batches = sales_to_marks(pipeline, [SALES[0], SALES[1], SALES[3]])
    report = asyncio.run(pipeline.run(batch_events_max=3))
    assert [len(batch) for batch in batches] == [3, 1]
    assert [event.holder_id for batch in batches for event in batch] == ["ada", "bob", "bob", "eve"]
    assert (report.items, report.events, report.refused, report.reasons) == (3, 4, 0, [])


def test_a_refused_item_ends_the_run_or_is_counted() -> None:
    pipeline = Pipeline()
    batches = sales_to_marks(pipeline, SALES)
    with pytest.raises(InputError, match="item 3: end: not a time"):
        asyncio.run(pipeline.run())
    assert batches == []
    report = asyncio.run(pipeline.run(on_error="skip"))
    assert (report.items, report.events, report.refused) == (4, 4, 1)
    assert report.reasons[0].startswith("item 3: end: not a time")
    assert [len(batch) for batch in batches] == [4]


def test_a_refusal_by_a_transform_is_reported() -> None:
    pipeline = Pipeline()
    sales_to_marks(pipeline, SALES[:1])

    @pipeline.transform
    def picky(event: HoldEvent) -> HoldEvent:
        raise Refused("holder_id", f"{event.holder_id} is not known here")

    report = asyncio.run(pipeline.run(on_error="skip"))
    assert report.reasons == ["item 1: holder_id: ada is not known here"]


def test_an_asynchronous_source_feeds_a_tracker() -> None:
    pipeline = Pipeline()

    @pipeline.source
    async def holds() -> AsyncIterator[HoldEvent]:
        for end in (1000, 2000):
            yield HoldEvent.model_validate({"token_id": "T", "holder_id": "h", "start": 0, "end": end})

    async def scenario() -> tuple[int, str]:
        tracker = AsyncTracker()
        pipeline.sink(tracker.record_batch)
        await pipeline.run()
        (stat,) = await tracker.leaderboard(5)
        return tracker.events, stat.score

    assert asyncio.run(scenario()) == (2, "2")


def test_a_transfer_reaches_the_sinks_as_its_changes() -> None:
    pipeline = Pipeline()
    batches: list[list[HoldEvent]] = []

    @pipeline.sink
    async def keep(batch: list[HoldEvent]) -> None:
        batches.append(batch)

    @pipeline.source
    def moves() -> Iterator[Transfer]:
        yield Transfer.model_validate(
            {"token_id": "T", "from_id": "a", "to_id": "b", "at": 0, "amount": 1, "event_id": "1"}
        )

    report = asyncio.run(pipeline.run())
    assert [(event.holder_id, event.delta) for event in batches[0]] == [("a", Decimal(-1)), ("b", Decimal(1))]
    assert (report.items, report.events) == (1, 2)


def test_another_type_does_not_reach_a_sink() -> None:
    pipeline = Pipeline()
    batches = sales_to_marks(pipeline, SALES[:1])
    pipeline.transform(lambda event: event.holder_id)
    with pytest.raises(TypeError, match="the last transform returned str, expected HoldEvent or Transfer"):
        asyncio.run(pipeline.run(on_error="skip"))
    assert batches == []


def test_a_pipeline_without_a_sink_is_refused() -> None:
    with pytest.raises(InputError, match="no source or no sink"):
        asyncio.run(Pipeline().run())

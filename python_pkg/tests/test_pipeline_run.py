"""`await pipeline.run(tracker)`: a pipeline as a script of its own, in plain Python."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from poh_holdmetrics import AsyncTracker, HoldEvent, Pipeline
from poh_holdmetrics.errors import InputError, PipelineFailed
from poh_holdmetrics.pipeline import Batch, Context
from poh_holdmetrics.pipeline.running.run_once import Report


def hold(holder: str, event_id: str | None = None) -> HoldEvent:
    return HoldEvent.model_validate(
        {"token_id": "T", "holder_id": holder, "start": 0, "end": 1000, "event_id": event_id}
    )


def example(items: list[object]) -> tuple[Pipeline, list[list[str]]]:
    pipeline = Pipeline("tiers")
    batches: list[list[str]] = []

    @pipeline.source()
    def items_of_a_test(ctx: Context, position: None) -> Iterator[object]:
        del ctx, position
        yield from items

    @pipeline.on_event()
    async def bonus(event: HoldEvent, ctx: Context) -> None:
        if event.event_id is None:
            ctx.emit(hold(event.holder_id, event_id=f"bonus {event.holder_id}"))

    @pipeline.sink("archive", batch=2, flush="1h")
    async def archive(batch: Batch, ctx: Context) -> None:
        del ctx
        batches.append(list(batch.holder_id))

    @pipeline.every("1h")
    def publish(ctx: Context) -> None:
        ctx.state["top"] = [stat.holder_id for stat in ctx.leaderboard(1)]

    return pipeline, batches


def test_a_run_ends_when_everything_is_handled() -> None:
    pipeline, batches = example([hold("ann"), hold("bob"), hold("cat")])

    async def scenario() -> tuple[Report, int]:
        tracker = AsyncTracker()
        report = await pipeline.run(tracker)
        return report, tracker.events

    report, events = asyncio.run(scenario())
    assert (report.items, report.events, report.refused, report.failures) == (3, 6, 0, 0)
    assert events == 6
    assert [holder for batch in batches for holder in batch] == ["ann", "bob", "cat"] * 2
    assert max(map(len, batches)) == 2
    assert report.state == {"top": ["ann"]}
    assert {name: meter.events for name, meter in report.handlers.items()} == {
        "items_of_a_test": 4,
        "bonus": 6,
        "archive": 6,
        "publish": 1,
    }


def test_a_refused_item_ends_a_run_or_is_counted() -> None:
    pipeline, batches = example([hold("ann"), "bob", hold("cat")])
    with pytest.raises(PipelineFailed, match=r"pipeline tiers: items_of_a_test: item 2: expected HoldEvent"):
        asyncio.run(_run(pipeline))
    batches.clear()
    report = asyncio.run(_run(pipeline, on_error="skip"))
    assert (report.items, report.events, report.refused) == (3, 4, 1)
    assert sum(map(len, batches)) == 4


def test_a_handler_that_raises_ends_a_run_with_its_traceback_or_is_counted() -> None:
    pipeline, _ = example([hold("ann")])

    @pipeline.on_batch()
    def broken(batch: Batch, ctx: Context) -> None:
        del ctx
        raise KeyError(batch.holder_id[0])

    with pytest.raises(PipelineFailed, match="pipeline tiers: handler broken raised") as failed:
        asyncio.run(_run(pipeline))
    assert "KeyError: 'ann'" in failed.value.traceback
    report = asyncio.run(_run(pipeline, on_error="skip"))
    assert (report.failures, report.handlers["broken"].failures) == (2, 2)


def test_what_others_record_during_a_run_is_delivered_too() -> None:
    pipeline, batches = example([])

    @pipeline.source()
    async def slow(ctx: Context, position: None) -> AsyncIterator[HoldEvent]:
        del ctx, position
        await asyncio.sleep(0.05)
        yield hold("bob", event_id="2")

    async def scenario() -> None:
        tracker = AsyncTracker()
        running = asyncio.create_task(pipeline.run(tracker))
        await asyncio.sleep(0.01)
        await tracker.record(hold("ann", event_id="1"))
        await running

    asyncio.run(scenario())
    assert batches == [["ann", "bob"]]


def test_an_unknown_word_is_refused() -> None:
    pipeline, _ = example([])
    with pytest.raises(InputError, match='on_error: unknown word "ignore"; known are fail, skip'):
        asyncio.run(_run(pipeline, on_error="ignore"))


async def _run(pipeline: Pipeline, *, on_error: str = "fail") -> Report:
    return await pipeline.run(AsyncTracker(), on_error=on_error)  # type: ignore[arg-type]

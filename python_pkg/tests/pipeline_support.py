"""What the tests of running pipelines share: a hold of a day, and a handler that counts events."""

from __future__ import annotations

from datetime import UTC, datetime

from poh_holdmetrics import HoldEvent, Pipeline
from poh_holdmetrics.pipeline import Batch, Context

PUNK = "punk/1"


def hold(holder: str, token_id: str = PUNK, event_id: str | None = None) -> HoldEvent:
    return HoldEvent(
        token_id=token_id,
        holder_id=holder,
        start=datetime(2026, 1, 1, tzinfo=UTC),
        end=datetime(2026, 1, 2, tzinfo=UTC),
        event_id=event_id,
    )


def counting(pipeline: Pipeline) -> None:
    @pipeline.on_batch()
    def count(batch: Batch, ctx: Context) -> None:
        ctx.state["seen"] = ctx.state.get("seen", 0) + len(batch)

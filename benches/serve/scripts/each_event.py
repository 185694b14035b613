"""The sum of all weights by token, one event at a time."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from poh_holdmetrics.pipeline import Context, HoldEvent, Pipeline

pipeline = Pipeline("each_event")
sums: defaultdict[str, Decimal] = defaultdict(Decimal)


@pipeline.on_event()
async def follow(event: HoldEvent, _ctx: Context) -> None:
    """Add one weight."""
    sums[event.token_id] += event.weight or 0

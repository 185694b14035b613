"""The sum of all weights by token, from columns."""

from __future__ import annotations

from collections import defaultdict

from poh_holdmetrics.pipeline import Batch, Context, Pipeline

pipeline = Pipeline("running_sum")
sums: defaultdict[str, int] = defaultdict(int)


@pipeline.on_batch()
def follow(batch: Batch, _ctx: Context) -> None:
    """Add each row."""
    for token_id, weight in zip(batch.token_id, batch.weight_wads, strict=True):
        sums[token_id] += weight or 0

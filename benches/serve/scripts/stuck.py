"""A handler that never returns; the limits are set so that nobody ends it."""

from __future__ import annotations

import time

from poh_holdmetrics.pipeline import Batch, Context, Pipeline

pipeline = Pipeline("stuck")


@pipeline.on_batch()
def follow(_batch: Batch, _ctx: Context) -> None:
    """Sleep."""
    time.sleep(3600)

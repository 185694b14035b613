"""A handler that keeps the interpreter busy, with bytecode alone."""

from __future__ import annotations

from poh_holdmetrics.pipeline import Context, Pipeline

pipeline = Pipeline("busy")
STEPS = 3_000_000


@pipeline.every("10ms", overlap="skip")
def spin(_ctx: Context) -> None:
    """Count for about a tenth of a second."""
    number = 0
    while number < STEPS:
        number += 1

"""Keeps the number of every event that was handled, in the order of the calls."""

from __future__ import annotations

from pathlib import Path

from poh_holdmetrics.pipeline import Batch, Context, Pipeline

pipeline = Pipeline("counted", arguments={"file": "counted.txt"})


@pipeline.on_batch()
def follow(batch: Batch, ctx: Context) -> None:
    """Append the numbers, one a line."""
    with Path(ctx.arguments["file"]).open("a", encoding="ascii") as file:
        file.writelines(f"{sequence}\n" for sequence in batch.sequence)

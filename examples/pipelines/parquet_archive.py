"""Keeps every event in Parquet files that `main_holdmetrics score` reads. Needs `pip install pyarrow`.

    main_holdmetrics serve --pipeline examples/pipelines/parquet_archive.py
    main_holdmetrics score archive/*.parquet --as-of 2026-01-01T00:00:00Z

The sink is called at least once for every event. A file is named by its first event, so a call that is
repeated replaces the same file, and events that are in two files count once.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow
from pyarrow import parquet

from poh_holdmetrics.pipeline import Batch, Context, Pipeline

pipeline = Pipeline("parquet_archive", arguments={"folder": "archive"})


@pipeline.sink("archive", batch=50_000, flush="60s", retries=3, blocking=True)
def archive(batch: Batch, ctx: Context) -> None:
    """Write one file; it appears under its name only when it is whole."""
    folder = Path(ctx.arguments["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"events-{batch.first_sequence:020}.parquet"
    unfinished = file.with_suffix(".part")
    parquet.write_table(pyarrow.table(batch), unfinished)
    unfinished.replace(file)
    ctx.metrics.counter("files")
    ctx.metrics.counter("archived", len(batch))

"""Our own aggregators, batch by batch: the native one inside `main_holdmetrics run`, the tracker, pure Python.

`--engine aggregator` feeds Arrow tables to the native `Aggregator`; `--engine tracker` feeds the same columns to
the `AsyncTracker` that an operator's script uses, native if native code is found.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from incremental_protocol import Feed, answer, feed

from poh_holdmetrics import native
from poh_holdmetrics.instants import datetime_from_us
from poh_holdmetrics.tracker import AsyncTracker


def batches(options: Feed) -> Iterable[pa.Table]:
    table = pq.read_table(options.file).slice(0, options.events)
    for first in range(0, options.events, options.batch):
        yield table.slice(first, options.batch).combine_chunks()


def columns(batch: pa.Table) -> tuple[Any, ...]:
    """The batch as columns for the pure-Python package: lists of text, buffers of numbers."""
    start, end = (batch[name].cast("int64").combine_chunks().to_numpy() for name in ("start", "end"))
    weight = batch["weight"].combine_chunks().to_numpy()
    return batch["token_id"].to_pylist(), batch["holder_id"].to_pylist(), start, end, weight


def main() -> None:
    options = feed()
    source = native.source()
    versions = {"Python": platform.python_version()}
    namespace = native.namespace()
    if options.engine == "aggregator":
        if namespace is None:
            raise SystemExit("no native code found: the native aggregator cannot be measured here")
        aggregator = namespace.Aggregator()

        def take(batch: pa.Table) -> list[tuple[str, int, float]]:
            aggregator.record_batch(batch)
            rows = aggregator.leaderboard(options.top, options.as_of_us)
            return [(holder, held, score) for _, holder, held, _, score in rows]

        answer(batches(options), versions=versions, take=take, native_source=source)
        return

    tracker, as_of = AsyncTracker(), datetime_from_us(options.as_of_us)

    async def recorded(batch: tuple[Any, ...]) -> list[tuple[str, int, float]]:
        await tracker.record_columns(*batch)
        stats = await tracker.leaderboard(options.top, as_of)
        return [(stat.holder_id, stat.held_us, stat.weighted_score) for stat in stats]

    with asyncio.Runner() as runner:
        fed = batches(options)
        answer(
            ((batch,) for batch in fed) if namespace else (columns(batch) for batch in fed),
            versions=versions,
            take=lambda batch: runner.run(recorded(batch)),
            native_source=source,
        )


if __name__ == "__main__":
    main()

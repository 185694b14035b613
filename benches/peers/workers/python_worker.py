"""The project's own pure-Python package as a contender, native code switched off; exact, on one core."""

from __future__ import annotations

import os
import platform

os.environ["POH_DISABLE_RUST"] = "1"

import pyarrow as pa
import pyarrow.parquet as pq
from protocol import answer, parsed_query

from poh_holdmetrics import native
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.row_scorer import RowScorer
from poh_holdmetrics.row_reader import FIELDS


def _values(table: pa.Table, name: str) -> list[object]:
    """A column as the pure-Python reader takes it: times in microseconds; all None if there is none."""
    if name not in table.column_names:
        return [None] * table.num_rows
    column = table[name]
    return (column.cast("int64") if pa.types.is_timestamp(column.type) else column).to_pylist()


def main() -> None:
    query = parsed_query()
    if native.source() != "none":
        raise SystemExit(f"native code is in use ({native.source()}), the fallback was to be measured")

    def rows(count: int | None) -> list[tuple[int, str, int, str, float]]:
        if query.workload in {"W4", "W5"}:
            return rows_of_transfers()[:count]
        table = pq.read_table(query.file)
        start, end = (table[name].cast("int64").combine_chunks().to_numpy() for name in ("start", "end"))
        aggregator = Aggregator()
        aggregator.record_batch(
            table["token_id"].to_pylist(),
            table["holder_id"].to_pylist(),
            start,
            end,
            table["weight"].combine_chunks().to_numpy(),
        )
        return aggregator.snapshot(query.as_of_us).rows(count)

    def rows_of_transfers() -> list[tuple[int, str, int, str, float]]:
        table = pq.read_table(query.file)
        lists = [_values(table, name) for name in FIELDS]
        scorer = RowScorer()
        scorer.feed_values(list(zip(*lists, strict=True)), query.file, 1)
        if scorer.rejected:
            raise SystemExit(f"refused: {scorer.rejected[0]}")
        return scorer.rows(query.as_of_us)

    def top() -> list[tuple[str, int, float]]:
        return [(holder, held, score) for _, holder, held, _, score in rows(query.top)]

    def write_scores(path: str) -> None:
        listed = rows(None)
        columns = {
            "holder_id": pa.array([row[1] for row in listed], pa.string()),
            "held_us": pa.array([row[2] for row in listed], pa.int64()),
            "score": pa.array([row[3] for row in listed], pa.string()),
        }
        pq.write_table(pa.table(columns), path)

    versions = {"Python": platform.python_version(), "pyarrow": pa.__version__}
    answer(query, versions=versions, top=top, write_scores=write_scores)


if __name__ == "__main__":
    main()

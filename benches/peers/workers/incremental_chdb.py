"""chdb, batch by batch: an AggregatingMergeTree of interval states, merged for every top list.

A state cannot be cut off afterwards, so it answers only for an instant at which all holds have ended, which is
the one queried; ours answers for any. One weight per token only.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

import chdb
import pyarrow.parquet as pq
from chdb import session
from incremental_protocol import Feed, answer, feed

TABLE = """
CREATE TABLE held (
    holder_id String,
    token_id LowCardinality(String),
    union_state AggregateFunction(intervalLengthSum, Int64, Int64),
    weight SimpleAggregateFunction(any, Float64)
) ENGINE = AggregatingMergeTree ORDER BY (holder_id, token_id)
"""
INSERT = """
INSERT INTO held
SELECT holder_id, token_id, intervalLengthSumState(start_us, end_us), any(weight)
FROM (
    SELECT token_id, holder_id, weight,
           toUnixTimestamp64Micro(start) AS start_us, toUnixTimestamp64Micro(end) AS end_us
    FROM file('{file}', Parquet,
              'token_id String, holder_id String, start DateTime64(6), end DateTime64(6), weight Float64')
)
GROUP BY holder_id, token_id
"""
LEADERS = """
SELECT holder_id, sum(length_us) AS held_us, sum(length_us * key_weight) / 1e6 AS score
FROM (
    SELECT holder_id, token_id, intervalLengthSumMerge(union_state) AS length_us, any(weight) AS key_weight
    FROM held GROUP BY holder_id, token_id
)
GROUP BY holder_id ORDER BY score DESC, holder_id LIMIT {top}
"""


def batches(options: Feed, folder: Path) -> Iterable[Path]:
    table = pq.read_table(options.file).slice(0, options.events)
    for first in range(0, options.events, options.batch):
        path = folder / f"batch-{first}.parquet"
        pq.write_table(table.slice(first, options.batch), path)
        yield path


def main() -> None:
    options = feed()
    with tempfile.TemporaryDirectory() as folder, session.Session() as engine:
        # A new session has no database.
        engine.query("CREATE DATABASE bench")
        engine.query("USE bench")
        engine.query(TABLE)
        engine.query(f"SET max_threads = {options.threads}")

        def take(path: Path) -> list[tuple[str, int, float]]:
            engine.query(INSERT.format(file=path))
            leaders = json.loads(str(engine.query(LEADERS.format(top=options.top), "JSONCompact")))
            return [tuple(row) for row in leaders["data"]]

        answer(batches(options, Path(folder)), versions={"chdb": chdb.__version__}, take=take)


if __name__ == "__main__":
    main()

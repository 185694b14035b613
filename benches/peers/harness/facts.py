"""Program: prints facts of a Parquet input as JSON: rows, holders, the span of its times.

Runs inside the virtual environment, apart from the harness, so that pyarrow's memory stays out of the figures.
"""

from __future__ import annotations

import json
import sys

import pyarrow.compute as pc
import pyarrow.parquet as pq


def facts(path: str) -> dict[str, int]:
    """Rows, distinct holders, and the earliest start and latest end in microseconds since the epoch."""
    table = pq.read_table(path, columns=["holder_id", "start", "end"])
    return {
        "events": table.num_rows,
        "holders": pc.count_distinct(table["holder_id"]).as_py(),
        "start_us_min": pc.min(table["start"].cast("int64")).as_py(),
        "end_us_max": pc.max(table["end"].cast("int64")).as_py(),
    }


if __name__ == "__main__":
    print(json.dumps(facts(sys.argv[1])))

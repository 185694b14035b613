"""Program: prints facts of a Parquet input as JSON: rows, holders, the span of its times.

Runs inside the virtual environment, apart from the harness, so that pyarrow's memory stays out of the figures.
"""

from __future__ import annotations

import json
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

NULL_ADDRESS = "0x" + "0" * 40


def facts(path: str) -> dict[str, int]:
    """Rows, distinct holders, and the first and last time in microseconds since the epoch."""
    is_transfers = "from_id" in pq.read_schema(path).names
    parties = ["from_id", "to_id"] if is_transfers else ["holder_id"]
    first, last = ("at", "at") if is_transfers else ("start", "end")
    table = pq.read_table(path, columns=[*parties, *dict.fromkeys([first, last])])
    holders = pa.chunked_array([pc.unique(table[party]) for party in parties])
    return {
        "events": table.num_rows,
        "holders": pc.count_distinct(holders.filter(pc.not_equal(holders, NULL_ADDRESS))).as_py(),
        "first_us": pc.min(table[first].cast("int64")).as_py(),
        "last_us": pc.max(table[last].cast("int64")).as_py(),
    }


if __name__ == "__main__":
    print(json.dumps(facts(sys.argv[1])))

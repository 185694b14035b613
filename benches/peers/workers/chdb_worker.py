"""chdb (ClickHouse in the process) as a contender: one SQL statement per workload, read from `sql/`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import chdb
from protocol import answer, parsed_query

FORMS = {
    "W1": "chdb_equal.sql",
    "W2": "chdb_mixed.sql",
    "W3": "chdb_nested.sql",
    "W4": "chdb_transfers.sql",
    "W5": "chdb_repeatable.sql",
}
RANKED = "SELECT * FROM ({scores}) ORDER BY score DESC, holder_id LIMIT {top}"


def main() -> None:
    query = parsed_query()
    form = Path(__file__).with_name("sql") / FORMS[query.workload]
    scores = form.read_text(encoding="utf-8").replace("{file}", query.file)
    scores = scores.replace("{as_of_us}", str(query.as_of_us))
    connection = chdb.connect(":memory:")
    connection.query(f"SET max_threads = {query.threads}")

    def top() -> list[tuple[str, int, float]]:
        ranked = RANKED.format(scores=scores, top=query.top)
        return [tuple(row) for row in json.loads(str(connection.query(ranked, "JSONCompact")))["data"]]

    def write_scores(path: str) -> None:
        import pyarrow as pa  # noqa: PLC0415 - only the untimed pass pays for it
        import pyarrow.parquet as pq  # noqa: PLC0415

        with pa.ipc.open_file(io.BytesIO(connection.query(scores, "Arrow").bytes())) as reader:
            table = reader.read_all()
        wanted = pa.schema([("holder_id", pa.string()), ("held_us", pa.int64()), ("score", pa.float64())])
        pq.write_table(table.select(wanted.names).cast(wanted), path)

    engine = str(connection.query("SELECT version()", "TSV")).strip()
    versions = {"chdb": f"{chdb.__version__} (ClickHouse {engine})"}
    answer(query, versions=versions, top=top, write_scores=write_scores)


if __name__ == "__main__":
    main()

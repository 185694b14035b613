"""DuckDB as a contender: one SQL statement per workload, read from `sql/`.

The form for deep islands needs a step per level of its blocks, so it first queries how many there can be;
that query counts towards its time.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
from protocol import Query, answer, parsed_query

FORMS = {
    "W1": "duckdb_equal.sql",
    "W2": "duckdb_mixed.sql",
    "W3": "duckdb_nested.sql",
    "W4": "duckdb_transfers.sql",
    "W5": "duckdb_repeatable.sql",
}
LARGEST_KEY = "SELECT max(n) FROM (SELECT count(*) AS n FROM '{file}' GROUP BY hash(token_id, holder_id))"
LISTS = "holder, times, levels, starting, ending"


def level_steps(events_of_largest_key: int) -> str:
    """The chain of common table expressions from `keys` to `halved_0`; no hold spans more points than these."""
    steps, before = [], "keys"
    for level in range((2 * events_of_largest_key).bit_length() - 1, -1, -1):
        block, half = 1 << level, 1 << level >> 1
        gathered = (
            f"gathered_{level} AS (SELECT {LISTS}, list_transform(levels, lambda l, i: greatest(largest[i], "
            f"CASE WHEN l = {level} THEN starting[i] END, "
            f"CASE WHEN levels[i + {block}] = {level} THEN ending[i + {block}] END)) AS largest FROM {before}),"
        )
        handed = f"CASE WHEN i > {half} THEN greatest(w, largest[i - {half}]) ELSE w END" if half else "w"
        halved = (
            f"halved_{level} AS (SELECT {LISTS}, list_transform(largest, lambda w, i: {handed}) AS largest "
            f"FROM gathered_{level}),"
        )
        steps += [gathered, halved]
        before = f"halved_{level}"
    return "\n".join(steps)


def scores_sql(connection: duckdb.DuckDBPyConnection, query: Query) -> str:
    """The statement that scores all holders of the file."""
    form = (Path(__file__).with_name("sql") / FORMS[query.workload]).read_text(encoding="utf-8")
    if "{levels}" in form:
        (largest,) = connection.execute(LARGEST_KEY.format(file=query.file)).fetchall()[0]
        form = form.replace("{levels}", level_steps(largest or 1))
    return form.replace("{file}", query.file).replace("{as_of_us}", str(query.as_of_us))


def main() -> None:
    query = parsed_query()
    connection = duckdb.connect()
    connection.execute(f"SET threads = {query.threads}")
    connection.execute("SET preserve_insertion_order = false")

    def top() -> list[tuple[str, int, float]]:
        scores = scores_sql(connection, query)
        ranked = f"SELECT * FROM ({scores}) ORDER BY score DESC, holder_id LIMIT {query.top}"
        return connection.execute(ranked).fetchall()

    def write_scores(path: str) -> None:
        scores = scores_sql(connection, query)
        whole = f"SELECT holder_id, held_us::BIGINT AS held_us, score FROM ({scores})"
        connection.execute(f"COPY ({whole}) TO '{path}' (FORMAT parquet)")

    answer(query, versions={"duckdb": duckdb.__version__}, top=top, write_scores=write_scores)


if __name__ == "__main__":
    main()

"""Program: compares two files of scores holder by holder and prints the first disagreement, or none.

Runs inside the virtual environment. A file has `holder_id`, `held_us` and `score`; a score as text is exact,
as a double it is an approximation. Held time must be equal to the microsecond either way; two exact scores
must be equal to the last digit, others within a relative tolerance. A holder that a file leaves out counts
as one with nothing, except between two exact files, which must list the same holders.
"""

from __future__ import annotations

import argparse
import json

import polars as pl


def compared(reference: str, other: str, tolerance: float) -> dict[str, object]:
    """How many holders were compared, and `problem`: None, or one clause naming a holder."""
    left, right = (_scores(path) for path in (reference, other))
    exact = left.schema["score"] == right.schema["score"] == pl.String
    both = left.join(right, on="holder_id", how="full", coalesce=True, suffix="_other")
    one_sided = pl.col("held_us").is_null() | pl.col("held_us_other").is_null()
    held_differs = pl.col("held_us").fill_null(0) != pl.col("held_us_other").fill_null(0)
    if exact:
        score_differs = pl.col("score") != pl.col("score_other")
        wrong = one_sided | held_differs | score_differs
    else:
        mine, theirs = (pl.col(name).cast(pl.Float64).fill_null(0) for name in ("score", "score_other"))
        wrong = held_differs | ((mine - theirs).abs() > tolerance * pl.max_horizontal(mine, theirs))
    wrong_rows = both.filter(wrong.fill_null(value=True)).sort("holder_id")
    return {"holders": both.height, "problem": _problem(wrong_rows)}


def top(path: str, count: int) -> list[list[object]]:
    """The first rows by score, then holder id: holder id, held time, score as a double."""
    rows = _scores(path).with_columns(pl.col("score").cast(pl.Float64))
    first = rows.sort(["score", "holder_id"], descending=[True, False]).head(count)
    return [[holder, int(held), score] for holder, held, score in first.rows()]


def _scores(path: str) -> pl.DataFrame:
    frame = pl.read_parquet(path, columns=["holder_id", "held_us", "score"])
    return frame.select("holder_id", pl.col("held_us").cast(pl.Int64), "score")


def _problem(rows: pl.DataFrame) -> str | None:
    if rows.is_empty():
        return None
    first = rows.row(0, named=True)
    return (
        f"{rows.height} holders differ, the first is {first['holder_id']}: "
        f"held_us {first['held_us']} against {first['held_us_other']}, "
        f"score {first['score']} against {first['score_other']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference")
    parser.add_argument("other")
    parser.add_argument("--tolerance", type=float, required=True)
    parser.add_argument("--top", type=int, required=True)
    arguments = parser.parse_args()
    answer = compared(arguments.reference, arguments.other, arguments.tolerance)
    print(json.dumps({**answer, "top": top(arguments.reference, arguments.top)}))


if __name__ == "__main__":
    main()

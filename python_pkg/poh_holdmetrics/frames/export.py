"""Tables of scores for pyarrow, polars, pandas and notebooks; exact figures become decimals.

A decimal of Arrow has 38 or 76 digits, one of polars 38: the scale of a column is as large as its values
allow, 24 digits at most. Computes no score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

from poh_holdmetrics import instants
from poh_holdmetrics.libraries import library, pyarrow

if TYPE_CHECKING:
    import polars

    from poh_holdmetrics import native
    from poh_holdmetrics.frames.explained_segment import ExplainedSegment

#: Digits after the point of a score, and of a weight.
_SCORE_PLACES, _WEIGHT_PLACES = 24, 18
_DIGITS, _LONG_DIGITS = 38, 76


def arrow_table(snapshot: native.Snapshot) -> Any:
    """The rows of a snapshot as a table of pyarrow."""
    pa = pyarrow()
    if hasattr(snapshot, "__arrow_c_stream__"):
        table = pa.table(snapshot)
        column = table.column_names.index("score")
        return table.set_column(column, "score", _decimals(table.column("score"), _SCORE_PLACES))
    rows = snapshot.rows()
    return pa.table(
        {
            "rank": pa.array([row[0] for row in rows], pa.uint64()),
            "holder_id": pa.array([row[1] for row in rows], pa.string()),
            "held_us": pa.array([Decimal(row[2]) for row in rows], pa.decimal128(_DIGITS, 0)),
            "score": _decimals(pa.array([row[3] for row in rows], pa.string()), _SCORE_PLACES),
            "weighted_score": pa.array([row[4] for row in rows], pa.float64()),
            "total_seconds": pa.array([row[2] // instants.MICROS_PER_SECOND for row in rows], pa.int64()),
        }
    )


def arrow_of_windows(snapshots: Sequence[native.Snapshot]) -> Any:
    """The rows of several snapshots with something held, under the window of each."""
    pa = pyarrow()
    time = pa.timestamp("us", "UTC")
    rows = [(each.from_us, each.as_of_us, row) for each in snapshots for row in each.rows() if row[2]]
    return pa.table(
        {
            "from": pa.array([from_us for from_us, _, _ in rows], time),
            "as_of": pa.array([as_of_us for _, as_of_us, _ in rows], time),
            "rank": pa.array([row[0] for _, _, row in rows], pa.uint64()),
            "holder_id": pa.array([row[1] for _, _, row in rows], pa.string()),
            "held_us": pa.array([Decimal(row[2]) for _, _, row in rows], pa.decimal128(_DIGITS, 0)),
            "score": _decimals(pa.array([row[3] for _, _, row in rows], pa.string()), _SCORE_PLACES),
            "weighted_score": pa.array([row[4] for _, _, row in rows], pa.float64()),
        }
    )


def arrow_of_segments(segments: Sequence[ExplainedSegment]) -> Any:
    """The segments of an explanation."""
    pa = pyarrow()
    time = pa.timestamp("us", "UTC")
    ids = [[event.event_id for event in each.events if event.event_id] for each in segments]
    return pa.table(
        {
            "token_id": pa.array([each.token_id for each in segments], pa.string()),
            "start": pa.array([each.start_us for each in segments], time),
            "end": pa.array([each.end_us for each in segments], time),
            "weight": _decimals(
                pa.array([f"{each.weight:f}" for each in segments], pa.string()), _WEIGHT_PLACES
            ),
            "score": _decimals(pa.array([each.score for each in segments], pa.string()), _SCORE_PLACES),
            "event_ids": pa.array(ids, pa.list_(pa.string())),
        }
    )


def polars_frame(table: Any) -> polars.DataFrame:
    """The table as a frame of polars; decimals above 38 digits get a smaller scale, or are text."""
    pl: Any = library("polars", "to_polars()", "polars")
    pa = pyarrow()
    for index, field in enumerate(table.schema):
        if pa.types.is_decimal256(field.type):
            table = table.set_column(index, field.name, _narrowed(table.column(index)))
    frame: polars.DataFrame = pl.from_arrow(table)
    return frame


def pandas_frame(table: Any) -> Any:
    """The table as a frame of pandas, whose decimals stay exact columns of Arrow."""
    pd: Any = library("pandas", "to_pandas()", "pandas")
    is_decimal = pyarrow().types.is_decimal
    return table.to_pandas(types_mapper=lambda kind: pd.ArrowDtype(kind) if is_decimal(kind) else None)


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]], count: int, caption: str) -> str:
    """A table for a notebook; all text is escaped, and rows beyond those shown are counted."""
    lines = [[escape(cell) for cell in row] for row in rows]
    left = count - len(lines)
    more = f" ({left:,} more)" if left > 0 else ""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in lines)
    return (
        f"<table><caption>{escape(caption)}{more}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _decimals(texts: Any, places: int) -> Any:
    """Exact texts as decimals of 38 digits, or of 76 if one of them needs more."""
    pa = pyarrow()
    compute = library("pyarrow.compute", "a data frame", "frames")
    # The cast from text does not notice an overflow, so the digits are counted first.
    whole = compute.replace_substring_regex(texts, pattern=r"\..*", replacement="")
    digits = compute.max(compute.utf8_length(whole)).as_py() or 0
    is_short = digits + places <= _DIGITS
    return texts.cast(pa.decimal128(_DIGITS, places) if is_short else pa.decimal256(_LONG_DIGITS, places))


def _narrowed(column: Any) -> Any:
    """A column of 76 digits as one of 38 at the scale that its values need, else as exact text."""
    pa = pyarrow()
    values = column.to_pylist()
    texts = [text.rstrip("0").rstrip(".") if "." in text else text for text in map("{:f}".format, values)]
    parts = [text.partition(".") for text in texts]
    places = max(len(part) for _, _, part in parts)
    if max(len(whole) for whole, _, _ in parts) + places > _DIGITS:
        return pa.array(texts, pa.string())
    return pa.array(map(Decimal, texts), pa.decimal128(_DIGITS, places))

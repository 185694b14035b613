"""Columns to records: int64 buffers of microseconds, lists of text, weights as doubles or exact values.

The batch is refused whole: a column of the wrong format or length by its name, a bad row by its number.
Arrow columns need native code and are refused here with that word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from poh_holdmetrics import records
from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.records import Record

#: An absent time in an int64 column.
ABSENT_US = -(2**63)

#: Any object with the buffer protocol, one-dimensional, contiguous, of int64: array('q'), a NumPy array.
Int64Buffer = Any

_INT64 = frozenset({"q", "<q", "=q", "l", "<l", "=l"})
_DOUBLE = frozenset({"d", "<d", "=d"})
_FLAG = frozenset({"?", "B"})
_INT64_BYTES = 8


def records_from_columns(
    token_id: list[str],
    holder_id: list[str],
    start_us: Int64Buffer,
    end_us: Int64Buffer,
    weight: object = None,
    event_id: list[str | None] | None = None,
    revision: Int64Buffer | None = None,
    retract: object = None,
) -> list[Record]:
    """One record a row. Raises `InputError` naming the column, or naming the row as `row 17: ...`."""
    rows = len(_texts("token_id", token_id, None))
    none: list[None] = [None] * rows
    columns = (
        token_id,
        _texts("holder_id", holder_id, rows),
        _times("start_us", start_us, rows),
        _times("end_us", end_us, rows),
        none if weight is None else _weights(weight, rows),
        none if event_id is None else _texts("event_id", event_id, rows),
        none if revision is None else _numbers("revision", revision, _INT64, "int64", rows),
        none
        if retract is None
        else [bool(x) for x in _numbers("retract", retract, _FLAG, "bool or uint8", rows)],
    )
    batch = []
    for row, values in enumerate(zip(*columns, strict=True)):
        try:
            batch.append(records.record_through(records.MICROS, *values))
        except Refused as refused:
            raise InputError(f"row {row}", str(refused)) from refused
    return batch


def _texts(name: str, column: object, rows: int | None) -> Sequence[object]:
    if not isinstance(column, list):
        if hasattr(column, "__arrow_c_array__") or hasattr(column, "__arrow_c_stream__"):
            raise InputError(name, "Arrow columns need the native code; give a list of text")
        raise InputError(name, f"a list of text is wanted, not {type(column).__name__}")
    return _of_length(name, column, rows)


def _times(name: str, column: object, rows: int) -> list[int | None]:
    return [None if us == ABSENT_US else us for us in _numbers(name, column, _INT64, "int64", rows)]


def _weights(column: object, rows: int) -> Sequence[object]:
    if isinstance(column, list):
        return _of_length("weight", column, rows)
    return _numbers("weight", column, _DOUBLE, "float64", rows)


def _numbers(name: str, column: object, formats: frozenset[str], wanted: str, rows: int) -> list[Any]:
    try:
        view = memoryview(column)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(name, f"a buffer of {wanted} is wanted, not {type(column).__name__}") from None
    with view:
        fits = view.format in formats and (wanted != "int64" or view.itemsize == _INT64_BYTES)
        if not fits or view.ndim != 1 or not view.contiguous:
            raise InputError(
                name,
                f"a contiguous one-dimensional buffer of {wanted} is wanted, "
                f"not format {view.format!r} in {view.ndim} dimensions",
            )
        # memoryview lists native formats only; the bytes are the same.
        values = view.cast("B").cast(view.format.lstrip("<=")).tolist()  # type: ignore[call-overload]
    _of_length(name, values, rows)
    return list(values)


def _of_length(name: str, column: list[Any], rows: int | None) -> list[Any]:
    if rows is not None and len(column) != rows:
        raise InputError(name, f"{len(column)} rows, where token_id has {rows}")
    return column

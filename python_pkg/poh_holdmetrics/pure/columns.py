"""Columns to records: int64 buffers of microseconds, lists of text, decimals as doubles or exact values.

The batch is refused whole: a column of the wrong format or length by its name, a bad row by its number.
Only native code reads Arrow columns; they are refused here. The types are in `column_types`.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import TYPE_CHECKING

from poh_holdmetrics import field_parsers, validation
from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.validation import Record

if TYPE_CHECKING:
    from poh_holdmetrics.column_types import (
        DecimalColumn,
        FlagColumn,
        Int64Column,
        OptionalTextColumn,
        TextColumn,
    )

#: An absent time in an int64 column.
ABSENT_US = -(2**63)

_INT64 = frozenset({"q", "<q", "=q", "l", "<l", "=l"})
_DOUBLE = frozenset({"d", "<d", "=d"})
_FLAG = frozenset({"?", "B"})
_INT64_BYTES = 8


def records_from_columns(
    token_id: TextColumn,
    holder_id: OptionalTextColumn | None,
    start_us: Int64Column | None,
    end_us: Int64Column | None,
    weight: DecimalColumn | None = None,
    event_id: OptionalTextColumn | None = None,
    revision: Int64Column | None = None,
    retract: FlagColumn | None = None,
    at_us: Int64Column | None = None,
    delta: DecimalColumn | None = None,
    seq: Int64Column | None = None,
    from_id: OptionalTextColumn | None = None,
    to_id: OptionalTextColumn | None = None,
    amount: DecimalColumn | None = None,
) -> list[Record]:
    """One record a row, or those of a transfer.

    Raises `InputError` naming the column, or naming the row as `row 17: ...`.
    """
    rows = len(_texts("token_id", token_id, None))
    if all(column is None for column in (holder_id, from_id, to_id, amount)):
        raise InputError(
            "holder_id", "missing; pass all columns, or an Arrow table as the only argument of native code"
        )
    none: list[None] = [None] * rows
    columns: list[Sequence[object]] = [
        _texts("token_id", token_id, rows),
        none if holder_id is None else _texts("holder_id", holder_id, rows),
        none if start_us is None else _times("start_us", start_us, rows),
        none if end_us is None else _times("end_us", end_us, rows),
        none if weight is None else _decimals("weight", weight, rows),
        none if event_id is None else _texts("event_id", event_id, rows),
        none if revision is None else _numbers("revision", revision, _INT64, "int64", rows),
        none if retract is None else _flags("retract", retract, rows),
        none if at_us is None else _times("at_us", at_us, rows),
        none if delta is None else _decimals("delta", delta, rows),
        none if seq is None else _numbers("seq", seq, _INT64, "int64", rows),
        none if from_id is None else _texts("from_id", from_id, rows),
        none if to_id is None else _texts("to_id", to_id, rows),
        none if amount is None else _decimals("amount", amount, rows),
    ]
    batch: list[Record] = []
    for row, values in enumerate(zip(*columns, strict=True)):
        try:
            batch += validation.records_from_fields(field_parsers.MICROS, *values)
        except Refused as refused:
            raise InputError(f"row {row}", str(refused)) from refused
    return batch


def _texts(name: str, column: object, rows: int | None) -> Sequence[object]:
    if not isinstance(column, list):
        if hasattr(column, "__arrow_c_array__") or hasattr(column, "__arrow_c_stream__"):
            raise InputError(name, "Arrow columns are read by native code only; give a list of text")
        raise InputError(name, f"expected a list of text, found {type(column).__name__}")
    _check_length(name, column, rows)
    return column


def _times(name: str, column: object, rows: int) -> Sequence[object]:
    return [None if us == ABSENT_US else us for us in _numbers(name, column, _INT64, "int64", rows)]


def _decimals(name: str, column: object, rows: int) -> Sequence[object]:
    if isinstance(column, list):
        _check_length(name, column, rows)
        return column
    return _numbers(name, column, _DOUBLE, "float64", rows)


def _flags(name: str, column: object, rows: int) -> Sequence[object]:
    if isinstance(column, list):
        _check_length(name, column, rows)
        return column
    # Any other byte is refused with its row.
    return [bool(byte) if byte in (0, 1) else byte for byte in _numbers(name, column, _FLAG, "bool", rows)]


def _numbers(
    name: str, column: object, formats: frozenset[str], expected: str, rows: int
) -> Sequence[object]:
    try:
        view = memoryview(column)  # type: ignore[arg-type]
    except TypeError:
        raise _wrong_buffer(name, expected, type(column).__name__) from None
    with view:
        if view.format not in formats or (expected == "int64" and view.itemsize != _INT64_BYTES):
            raise _wrong_buffer(name, expected, f"one of format {view.format!r}")
        if view.ndim != 1:
            raise _wrong_buffer(name, expected, f"one of {view.ndim} dimensions")
        if not view.contiguous:
            raise _wrong_buffer(name, expected, "a strided one")
        # memoryview lists native formats only; the bytes are the same.
        values: list[object] = view.cast("B").cast(view.format.lstrip("<=")).tolist()  # type: ignore[call-overload]
    _check_length(name, values, rows)
    return values


def _wrong_buffer(name: str, expected: str, found: str) -> InputError:
    return InputError(name, f"expected a contiguous one-dimensional buffer of {expected}, found {found}")


def _check_length(name: str, column: Sized, rows: int | None) -> None:
    if rows is not None and len(column) != rows:
        raise InputError(name, f"{len(column)} rows, but token_id has {rows}")

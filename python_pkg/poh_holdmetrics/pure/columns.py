"""Columns to records: int64 buffers of microseconds, lists of text, decimals as doubles or exact values.

The batch is refused whole: a column of the wrong format or length by its name, a bad row by its number.
Arrow columns are read with pyarrow (`table_records`). The types are in `column_types`.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import TYPE_CHECKING

from poh_holdmetrics import field_parsers, validation
from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.event_table import event_table, mapped_columns
from poh_holdmetrics.input_options import OWN
from poh_holdmetrics.libraries import pyarrow
from poh_holdmetrics.table_records import (
    column_values,
    imported_column,
    imported_table,
    is_arrow,
    records_from_table,
)
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
#: What the types of Arrow begin with whose values are text.
_ARROW_TEXTS = ("string", "large_string")


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
    """One record a row, or those of a transfer; an Arrow table may be given alone, as `token_id`.

    Raises `InputError` naming the column, or naming the row as `row 17: ...`.
    """
    if all(column is None for column in (holder_id, from_id, to_id, amount)):
        if not is_arrow(token_id):
            raise InputError("holder_id", "missing; pass all columns, or an Arrow table as the only argument")
        table = imported_table("table", token_id)
        names = mapped_columns(table.column_names, OWN)
        return list(records_from_table(event_table(table, names, OWN), OWN))
    tokens = _texts("token_id", token_id, None)
    rows = len(tokens)
    none: list[None] = [None] * rows
    columns: list[Sequence[object]] = [
        tokens,
        none if holder_id is None else _texts("holder_id", holder_id, rows),
        none if start_us is None else _times("start_us", start_us, rows),
        none if end_us is None else _times("end_us", end_us, rows),
        none if weight is None else _decimals("weight", weight, rows),
        none if event_id is None else _texts("event_id", event_id, rows),
        none if revision is None else _integers("revision", revision, rows),
        none if retract is None else _flags("retract", retract, rows),
        none if at_us is None else _times("at_us", at_us, rows),
        none if delta is None else _decimals("delta", delta, rows),
        none if seq is None else _integers("seq", seq, rows),
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
    if is_arrow(column):
        expected = "strings" if name == "event_id" else "strings or integers"
        column = _arrow_values(name, column, expected)
    if not isinstance(column, list):
        found = type(column).__name__
        raise InputError(name, f"expected a list of text or an Arrow column of strings, found {found}")
    _check_length(name, column, rows)
    return column


def _times(name: str, column: object, rows: int) -> Sequence[object]:
    return [None if us == ABSENT_US else us for us in _integers(name, column, rows)]


def _integers(name: str, column: object, rows: int) -> Sequence[object]:
    if _is_arrow_column(column):
        listed = _arrow_values(name, column, "int64")
        _check_length(name, listed, rows)
        return listed
    return _numbers(name, column, _INT64, "int64", rows)


def _decimals(name: str, column: object, rows: int) -> Sequence[object]:
    if _is_arrow_column(column):
        column = _arrow_values(name, column, "decimals")
    if isinstance(column, list):
        _check_length(name, column, rows)
        return column
    return _numbers(name, column, _DOUBLE, "float64", rows)


def _flags(name: str, column: object, rows: int) -> Sequence[object]:
    if _is_arrow_column(column):
        column = _arrow_values(name, column, "bool")
    if isinstance(column, list):
        _check_length(name, column, rows)
        return column
    # Any other byte is refused with its row.
    return [bool(byte) if byte in (0, 1) else byte for byte in _numbers(name, column, _FLAG, "bool", rows)]


def _is_arrow_column(column: object) -> bool:
    """Whether it is to be read as Arrow: what is a buffer as well is read as one."""
    try:
        memoryview(column).release()  # type: ignore[arg-type]
    except TypeError:
        return is_arrow(column)
    return False


def _arrow_values(name: str, column: object, expected: str) -> list[object]:
    """The values of an Arrow column, None for a null; raises `InputError` for one of another type."""
    imported = imported_column(name, column)
    kinds = {
        "bool": ("bool",),
        "decimals": ("decimal", "double", "float", "int", "uint", *_ARROW_TEXTS),
        "int64": ("int64",),
        "strings": _ARROW_TEXTS,
        "strings or integers": ("int", "uint", *_ARROW_TEXTS),
    }
    is_encoded = expected != "int64" and pyarrow().types.is_dictionary(imported.type)
    kind = imported.type.value_type if is_encoded else imported.type
    if not str(kind).startswith(kinds[expected]):
        raise InputError(name, f"expected an Arrow column of {expected}, found one of {imported.type}")
    return column_values(imported)


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

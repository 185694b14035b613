"""Records from Arrow data of any library, with pyarrow: a table row by row, or one column.

A table has the form of `event_table`. Types that cannot be read are refused there, values here, with their
row. Native code reads Arrow data itself, and faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from poh_holdmetrics import field_parsers, validation
from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.field_parsers import Number
from poh_holdmetrics.input_options import FIELDS, OWN, InputOptions
from poh_holdmetrics.instants import MICROS_PER_SECOND
from poh_holdmetrics.integers import float_text
from poh_holdmetrics.libraries import pyarrow
from poh_holdmetrics.validation import Record
from poh_holdmetrics.value_forms import ValueForms

#: Ticks of a timestamp in one second.
_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_UUID_BYTES = 16
_TIMES = ("start", "end", "at")


def is_arrow(value: object) -> bool:
    """Whether `value` exports Arrow data: a column, or a table."""
    return hasattr(value, "__arrow_c_array__") or hasattr(value, "__arrow_c_stream__")


def imported_table(name: str, frame: object) -> Any:
    """The table that `frame` exports; raises `InputError` naming the argument."""
    pa = pyarrow()
    try:
        return pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(name, f"the frame cannot be read as Arrow: {_first_line(error)}") from error


def imported_column(name: str, column: object) -> Any:
    """The column that `column` exports; raises `InputError` naming it."""
    pa = pyarrow()
    try:
        imported = pa.chunked_array(column if hasattr(column, "__arrow_c_stream__") else [pa.array(column)])
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(name, f"cannot be read as Arrow ({_first_line(error)})") from error
    if pa.types.is_struct(imported.type):
        raise InputError(name, "expected a column, found a table; pass the table as the only argument")
    return imported


def _first_line(error: Exception) -> str:
    """What an error says, without the traceback of a producer that failed in Python."""
    said = " ".join(str(argument) for argument in error.args) or type(error).__name__
    return said.partition("\n")[0]


def records_from_table(table: Any, options: InputOptions) -> Iterator[Record]:
    """The records of the rows; raises `InputError` naming the row."""
    forms = ValueForms(options, field_parsers.TABLE)
    absent = [None] * table.num_rows
    columns = [
        _values_of(field, table.column(field), options) if field in table.column_names else absent
        for field in FIELDS
    ]
    for row, values in enumerate(zip(*columns, strict=True)):
        try:
            yield from validation.records_from_fields(forms.parsers, *forms.values(values))
        except Refused as refused:
            raise InputError(f"row {row}", str(refused)) from refused


def _values_of(field: str, column: Any, options: InputOptions) -> list[object]:
    """The values of a field as a text format would write them, so that a refusal shows the same."""
    types = pyarrow().types
    values = column_values(column, options)
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_floating(kind):
        return [None if value is None else Number(_float_text(value)) for value in values]
    if types.is_decimal(kind):
        return [None if value is None else Number(f"{value:f}") for value in values]
    if field in _TIMES and types.is_integer(kind):
        return [None if value is None else Number(value) for value in values]
    return values


def _float_text(value: object) -> str:
    """A float, or its text, as the readers of all formats write it."""
    text = float_text(value) or str(value)
    return "NaN" if text == "nan" else text


def column_values(column: Any, options: InputOptions = OWN) -> list[object]:
    """The values of a column: timestamps as microseconds, bytes of ids as text, all else as it is."""
    pa = pyarrow()
    types = pa.types
    kind = column.type
    if types.is_timestamp(kind):
        ticks = _TICKS[kind.unit]
        counts = column.cast(pa.int64()).to_pylist()
        if ticks <= MICROS_PER_SECOND:
            factor = MICROS_PER_SECOND // ticks
            return [None if count is None else count * factor for count in counts]
        # Floored, also before 1970.
        return [None if count is None else count // (ticks // MICROS_PER_SECOND) for count in counts]
    if types.is_float32(kind):
        # Its shortest decimal, not that of the double of the same value.
        column = column.cast(pa.string())
    values: list[object]
    values = [value.as_py() for value in column] if types.is_dictionary(kind) else column.to_pylist()
    is_fixed = types.is_fixed_size_binary(kind.value_type if types.is_dictionary(kind) else kind)
    return [
        _id_from_bytes(value, options, is_fixed=is_fixed) if isinstance(value, bytes) else value
        for value in values
    ]


def _id_from_bytes(value: bytes, options: InputOptions, *, is_fixed: bool) -> object:
    if options.binary_ids == "hex":
        return f"0x{value.hex()}"
    if is_fixed and len(value) == _UUID_BYTES:
        return str(UUID(bytes=value))
    try:
        return value.decode()
    except UnicodeDecodeError:
        return validation.UndecodedId(value)

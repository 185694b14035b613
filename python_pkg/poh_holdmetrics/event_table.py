"""The columns of a table that hold events, under the names of their fields and with types that can be read.

Native code and the pure-Python engine read that form alike. Types that cannot be read exactly are refused
here, by column, with a cure; values are checked by the engines.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from poh_holdmetrics.errors import ColumnError, InputError, excerpt
from poh_holdmetrics.input_options import FIELDS, InputOptions
from poh_holdmetrics.libraries import pyarrow
from poh_holdmetrics.type_words import is_binary, is_text, type_words

_TIMES = ("start", "end", "at")
_IDS = ("token_id", "holder_id", "from_id", "to_id")
_DECIMALS = ("weight", "delta", "amount")
_INTEGERS = ("revision", "seq")
#: Columns whose integers are microseconds, by the field that they hold.
_MICROS = {f"{field}_us": field for field in _TIMES}
_UUID_BYTES = 16


def mapped_columns(names: Collection[str], options: InputOptions) -> dict[str, str]:
    """The column of each field among `names`; a field with one text for all rows has none.

    Raises `InputError` naming the column.
    """
    found = {field: field for field in FIELDS if field in names and options.source(field) == field}
    for name, field in _MICROS.items():
        if name in names and field not in options.columns:
            if field in found:
                raise _two(field, name)
            found[field] = name
    for field, name in options.columns.items():
        if name not in names:
            raise InputError("columns", f"{field}: no column {excerpt(name)}; {_known(names)}")
        found[field] = name
    given = {*found, *options.constants}
    for needed in (("token_id",), ("holder_id", "from_id", "to_id"), ("start", "end", "at", "retract")):
        if not given.intersection(needed):
            raise InputError(
                "columns",
                f"no column {' or '.join(needed)}; {_known(names)}; "
                f'name yours as in columns={{"{needed[0]}": "..."}}',
            )
    return {field: found[field] for field in FIELDS if field in found}


def event_table(table: Any, columns: Mapping[str, str], options: InputOptions) -> Any:
    """The table with the columns of events alone, under the names of their fields.

    Integer microseconds become timestamps, and so do dates. Numbers and text stay as they are: the engines
    read them under the same options.
    """
    pa = pyarrow()
    names = table.column_names
    form: dict[str, Any] = {}
    for field, name in columns.items():
        if names.count(name) > 1:
            raise _two(name, name)
        column = _without_extension(table.column(name))
        if pa.types.is_null(column.type):
            continue
        if field in _TIMES:
            is_micros = name in _MICROS and field not in options.columns
            column = _times(name, column, options, is_micros=is_micros)
        else:
            _check_type(field, name, column.type, options)
        form[field] = column
    return pa.table(form)


def _without_extension(column: Any) -> Any:
    """The column in the type that stores it: a UUID is stored as 16 bytes."""
    pa = pyarrow()
    return column.cast(column.type.storage_type) if isinstance(column.type, pa.BaseExtensionType) else column


def _check_type(field: str, name: str, kind: Any, options: InputOptions) -> None:
    types = pyarrow().types
    values = kind.value_type if types.is_dictionary(kind) else kind
    has_text = is_text(values)
    if field in _IDS:
        expected = "text or an integer (or --binary-ids hex, for binary ids)"
        fits = has_text or types.is_integer(values) or _is_id(values, options)
    elif field in _DECIMALS:
        is_number = types.is_integer(values) or types.is_decimal(values)
        is_float = types.is_float32(values) or types.is_float64(values)
        expected = "a double, a decimal, an integer or text"
        fits = has_text or is_number or is_float
    elif field in _INTEGERS:
        expected, fits = "an integer", types.is_integer(values)
    elif field == "retract":
        expected, fits = "a boolean", types.is_boolean(values)
    else:
        expected, fits = "text", has_text
    if not fits:
        raise ColumnError(f"column {name}", f"is of type {type_words(kind)}, but {expected} is needed")


def _is_id(kind: Any, options: InputOptions) -> bool:
    """Whether binary values are ids: text in bytes, a UUID, or with `binary_ids` any bytes."""
    types = pyarrow().types
    if types.is_fixed_size_binary(kind):
        return options.binary_ids == "hex" or kind.byte_width == _UUID_BYTES
    return is_binary(kind)


def _times(name: str, column: Any, options: InputOptions, *, is_micros: bool) -> Any:
    pa = pyarrow()
    types = pa.types
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if types.is_timestamp(kind) or is_text(kind):
        return column
    if types.is_integer(kind) and is_micros:
        try:
            return column.cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
        except pa.ArrowInvalid as error:
            raise InputError(f"column {name}", f"out of range ({error})") from error
    # pandas makes floats of integers with a missing one among them.
    if types.is_integer(kind) or types.is_float64(kind):
        return column
    if types.is_date(kind) and options.assume_utc:
        return column.cast(pa.timestamp("s")).cast(pa.timestamp("s", "UTC"))
    expected = (
        "integer microseconds"
        if is_micros
        else "a timestamp, a date, text or an integer"
        if options.assume_utc
        else "a timestamp, text or an integer (or --assume-utc, for dates)"
    )
    raise ColumnError(f"column {name}", f"is of type {type_words(kind)}, but {expected} is needed")


def _two(first: str, second: str) -> ColumnError:
    return ColumnError(f"columns {first} and {second}", "are both there; keep one of them")


def _known(names: Collection[str]) -> str:
    return f"the columns are {', '.join(map(str, names))}"

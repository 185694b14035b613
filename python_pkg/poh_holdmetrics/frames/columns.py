"""The columns of a table that hold events, brought to one form: names of fields, times as UTC timestamps.

Native code and the pure-Python engine read that form alike. Types that cannot be read exactly are refused
here, by column, with a cure; values are checked by the engines.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from poh_holdmetrics import instants
from poh_holdmetrics.errors import InputError, Refused, excerpt
from poh_holdmetrics.frames.libraries import pyarrow
from poh_holdmetrics.row_reader import FIELDS

TimeUnit = Literal["s", "ms", "us", "ns"]

_TIMES = ("start", "end", "at")
_IDS = ("token_id", "holder_id", "from_id", "to_id")
_DECIMALS = ("weight", "delta", "amount")
_INTEGERS = ("revision", "seq")
_UNITS = ("s", "ms", "us", "ns")
#: Columns whose integers are microseconds, by the field that they hold.
_MICROS = {f"{field}_us": field for field in _TIMES}


@dataclass(frozen=True, slots=True)
class Mapped:
    """Which column holds which field, and the unit of integer times, by field."""

    columns: Mapping[str, str]
    units: Mapping[str, TimeUnit]


def mapped_columns(
    names: Collection[str], columns: Mapping[str, str] | None, time_unit: TimeUnit | None
) -> Mapped:
    """The columns among `names` that hold events; `columns` names those that are not called like their field.

    Raises `InputError` naming the column.
    """
    if time_unit is not None and time_unit not in _UNITS:
        raise InputError("time_unit", f"unknown unit {excerpt(time_unit)}; known are {', '.join(_UNITS)}")
    found = {field: field for field in FIELDS if field in names}
    units: dict[str, TimeUnit] = dict.fromkeys(_TIMES, time_unit or "ms")
    given = {} if columns is None else columns
    for name, field in _MICROS.items():
        if name in names and field not in given:
            if field in found:
                raise InputError("columns", f"{field} and {name} are both there; keep one of them")
            found[field] = name
            units[field] = "us"
    for field, name in given.items():
        if field not in FIELDS:
            raise InputError("columns", f"unknown field {excerpt(field)}{_nearest(field, FIELDS)}")
        if name not in names:
            raise InputError("columns", f"{field}: no column {excerpt(name)}; {_known(names)}")
        found[field] = name
    for needed in (("token_id",), ("holder_id", "from_id", "to_id"), ("start", "end", "at", "retract")):
        if not any(field in found for field in needed):
            raise InputError(
                "columns",
                f"no column {' or '.join(needed)}; {_known(names)}; "
                f'name yours as in columns={{"{needed[0]}": "..."}}',
            )
    return Mapped({field: found[field] for field in FIELDS if field in found}, units)


def event_table(table: Any, mapped: Mapped, *, naive_is_utc: bool) -> Any:
    """The table with the columns of events alone, under the names of their fields.

    With `naive_is_utc` timestamps without a zone are UTC, as in a Parquet file; without it they are refused.
    """
    pa = pyarrow()
    names = table.column_names
    form: dict[str, Any] = {}
    for field, name in mapped.columns.items():
        if names.count(name) > 1:
            raise InputError(f"column {name}", "is there twice; rename one of them")
        column = table.column(name)
        if pa.types.is_null(column.type):
            continue
        if field in _TIMES:
            column = _times(name, column, mapped.units[field], naive_is_utc=naive_is_utc)
        else:
            _check_type(field, name, column.type)
        form[field] = column
    return pa.table(form)


def _check_type(field: str, name: str, kind: Any) -> None:
    types = pyarrow().types
    values = kind.value_type if types.is_dictionary(kind) else kind
    is_text = types.is_string(values) or types.is_large_string(values) or types.is_string_view(values)
    if field in _IDS:
        expected, fits = "text or an integer", is_text or types.is_integer(values)
    elif field in _DECIMALS:
        is_number = types.is_integer(values) or types.is_decimal(values)
        is_float = types.is_float32(values) or types.is_float64(values)
        expected, fits = "a decimal, an integer, a float or text", is_text or is_number or is_float
    elif field in _INTEGERS:
        expected, fits = "an integer", types.is_integer(values)
    elif field == "retract":
        expected, fits = "a boolean", types.is_boolean(values)
    else:
        expected, fits = "text", is_text
    if not fits:
        raise InputError(f"column {name}", f"has type {kind}, but {field} needs {expected}; cast it")


def _times(name: str, column: Any, unit: TimeUnit, *, naive_is_utc: bool) -> Any:
    pa = pyarrow()
    types = pa.types
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if types.is_timestamp(kind):
        if kind.tz is None and not naive_is_utc:
            raise InputError(
                f"column {name}",
                f"has type {kind}, no UTC offset; give it a zone: "
                f'.dt.replace_time_zone("UTC") in polars, .dt.tz_localize("UTC") in pandas',
            )
        return column
    if types.is_integer(kind):
        try:
            return column.cast(pa.int64()).cast(pa.timestamp(unit, "UTC"))
        except pa.ArrowInvalid as error:
            raise InputError(f"column {name}", f"out of range ({error})") from error
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return _from_texts(name, column, instants.us_from_text)
    raise InputError(
        f"column {name}",
        f"has type {kind}, but a time is a timestamp with a zone, an integer or text; cast it",
    )


def _from_texts(name: str, column: Any, parse: Callable[[str, str], int]) -> Any:
    pa = pyarrow()
    micros: list[int | None] = []
    for row, text in enumerate(column.to_pylist()):
        try:
            micros.append(None if text is None else parse(name, text))
        except Refused as refused:
            raise InputError(f"row {row}", str(refused)) from refused
    return pa.array(micros, pa.timestamp("us", "UTC"))


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def _known(names: Collection[str]) -> str:
    return f"the columns are {', '.join(map(str, names))}"

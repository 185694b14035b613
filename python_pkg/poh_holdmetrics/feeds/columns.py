"""Rows of an Arrow table as rows of a feed.

Binary values are `0x` and hexadecimal digits, as the other formats write them, unless they are that text
already. Doubles are not read as amounts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.libraries import pyarrow
from poh_holdmetrics.table_records import column_values
from poh_holdmetrics.type_words import is_binary, is_text, type_words

if TYPE_CHECKING:
    from poh_holdmetrics.feeds.layout import FeedLayout, FeedRow

#: Whole doubles below this have all of their digits.
_WHOLE_MAX = 9e15


def rows_of_table(table: Any, layout: FeedLayout) -> Iterator[tuple[int, FeedRow]]:
    """The rows from 1 on, by the names of their columns; raises `InputError` if a column cannot be read."""
    names = [name for name in table.column_names if name in layout.columns]
    columns = [_values(layout, name, table.column(name)) for name in names]
    for row, values in enumerate(zip(*columns, strict=True), start=1):
        yield row, {name: value for name, value in zip(names, values, strict=True) if value not in (None, "")}


def _values(layout: FeedLayout, name: str, column: Any) -> list[str | int | None]:
    pa = pyarrow()
    types = pa.types
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    is_inexact = layout.is_amount(name) and types.is_floating(kind)
    if is_inexact or not _can_read(kind):
        expected = (
            "text, binary, an integer or a decimal, which hold all digits,"
            if is_inexact
            else "text, binary, a number or a timestamp"
        )
        raise InputError(
            layout.file, f"column {name} is of type {type_words(kind)}, but {expected} is needed"
        )
    if types.is_date(kind):
        column = column.cast(pa.timestamp("s"))
    if types.is_timestamp(column.type):
        return [value if isinstance(value, int) else None for value in column_values(column)]
    return [None if value is None else _text(value) for value in column.to_pylist()]


def _can_read(kind: Any) -> bool:
    types = pyarrow().types
    if types.is_list(kind) or types.is_large_list(kind):
        return bool(types.is_integer(kind.value_type))
    is_bytes = is_binary(kind) or types.is_fixed_size_binary(kind)
    is_number = types.is_integer(kind) or types.is_floating(kind)
    is_whole = types.is_decimal(kind) and kind.scale == 0
    is_time = types.is_timestamp(kind) or types.is_date(kind)
    return bool(is_text(kind) or is_bytes or is_number or is_whole or is_time or _is_rare(kind))


def _is_rare(kind: Any) -> bool:
    types = pyarrow().types
    return bool(types.is_null(kind) or types.is_boolean(kind))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        if value.startswith(b"0x"):
            return value.decode(errors="replace")
        return f"0x{value.hex()}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        is_whole = value.is_integer() and abs(value) < _WHOLE_MAX
        return f"{value:.0f}" if is_whole else repr(value)
    if isinstance(value, list):
        return f"[{','.join('' if item is None else str(item) for item in value)}]"
    return str(value)

"""The types of columns in the words of those who have the files: a refusal says "text", not "string_view".

The binary has the same words, in `input/type_words`.
"""

from __future__ import annotations

from typing import Any

from poh_holdmetrics.libraries import pyarrow


def type_words(kind: Any) -> str:
    """What a column of this type of pyarrow holds."""
    types = pyarrow().types
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return type_words(kind.value_type)
    if types.is_fixed_size_binary(kind):
        return f"binary of {kind.byte_width} bytes"
    words = (
        ("null", types.is_null),
        ("boolean", types.is_boolean),
        ("integer", types.is_integer),
        ("double", types.is_floating),
        ("text", is_text),
        ("binary", is_binary),
        ("timestamp", types.is_timestamp),
        ("date", types.is_date),
        ("time of day", types.is_time),
        ("duration", types.is_duration),
        ("interval", types.is_interval),
        ("map", types.is_map),
        ("struct", types.is_struct),
        ("union", types.is_union),
        ("decimal", types.is_decimal),
    )
    return next((word for word, fits in words if fits(kind)), "list")


def is_text(kind: Any) -> bool:
    """Whether the values are text, however it is stored."""
    types = pyarrow().types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def is_binary(kind: Any) -> bool:
    """Whether the values are bytes of any lengths."""
    types = pyarrow().types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))

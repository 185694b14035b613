"""Integers as callers give them: of Python, or of a library such as NumPy. Knows no field and no bound."""

from __future__ import annotations

from typing import SupportsIndex


def integer_from(value: object) -> int | None:
    """The value of an integer of any library; None if `value` is not one. A boolean is not an integer."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    # Last, because this check is slow.
    return value.__index__() if isinstance(value, SupportsIndex) else None

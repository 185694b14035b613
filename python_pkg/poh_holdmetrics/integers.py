"""Numbers as callers give them: of Python, or of a library such as NumPy. Knows no field and no bound."""

from __future__ import annotations

import operator
from numbers import Integral, Real
from typing import SupportsIndex


def integer_from(value: object) -> int | None:
    """The value of an integer of any library; None if `value` is not one. A boolean is not an integer."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    # Last, because this check is slow.
    if not isinstance(value, SupportsIndex):
        return None
    try:
        return operator.index(value)
    except TypeError:  # an array of NumPy has the method, too
        return None


def float_text(value: object) -> str | None:
    """The shortest decimal of a float of any library, such as a float32; None if `value` is not a float."""
    if isinstance(value, float):
        # The plain float behind a subclass (NumPy's prints its own name).
        return float.__repr__(value)
    if isinstance(value, Real) and not isinstance(value, Integral):
        return str(value)
    return None


def truth_from(value: object) -> bool | None:
    """The value of a boolean of any library; None if `value` is not one."""
    if isinstance(value, bool):
        return value
    kind = getattr(value, "dtype", None)
    return bool(value) if getattr(kind, "kind", None) == "b" and getattr(value, "shape", None) == () else None

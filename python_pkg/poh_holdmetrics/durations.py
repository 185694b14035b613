"""Durations as people write them: `10s`, `1h30m`, a `timedelta`, a number of seconds.

The one parser of intervals, limits and budgets, exact to the microsecond. A duration is never negative.
Instants are in `instants`; nothing here reads a clock.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from fractions import Fraction

from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.instants import MICROS_PER_SECOND
from poh_holdmetrics.integers import integer_from

#: What the public functions take for a duration: text, a `timedelta`, or a number of seconds.
Duration = str | float | timedelta

#: What a message says instead of a value that is not a duration.
EXPECTED = "expected a duration such as 10s, 1h30m or 250ms, or a number of seconds"

#: The largest first, as they follow each other in a text.
_UNITS_US = {
    "d": 86_400 * MICROS_PER_SECOND,
    "h": 3_600 * MICROS_PER_SECOND,
    "m": 60 * MICROS_PER_SECOND,
    "s": MICROS_PER_SECOND,
    "ms": 1_000,
    "us": 1,
}
_NUMBER = r"(\d{1,15}(?:\.\d{1,15})?)"
_SECONDS = re.compile(_NUMBER, re.ASCII)
_PARTS = re.compile("".join(rf"(?:{_NUMBER} ?{unit} ?)?" for unit in _UNITS_US), re.ASCII)
#: A hundred years; more is a mistake.
_MAX_US = 36_525 * _UNITS_US["d"]


def us_from_duration(where: str, value: object, *, least_us: int = 1) -> int:
    """Exact microseconds of a duration; raises `InputError` that begins with `where`.

    0 is refused unless `least_us` is 0.
    """
    us = duration_us(value)
    if us is None:
        raise InputError(where, f"{EXPECTED}, not {excerpt(value)}")
    if us < least_us:
        least = "above 0" if least_us == 1 else f"of at least {text_from_duration_us(least_us)}"
        raise InputError(where, f"expected a duration {least}, not {excerpt(value)}")
    return us


def seconds_from_duration(where: str, value: object, *, least_us: int = 1) -> float:
    """The same in seconds."""
    return us_from_duration(where, value, least_us=least_us) / MICROS_PER_SECOND


def duration_us(value: object) -> int | None:
    """Microseconds of a duration from 0 to a hundred years; None if `value` is not one.

    A text with a fraction of a microsecond is not one; a float is rounded to the nearest microsecond.
    """
    us: int | Fraction | None = None
    if isinstance(value, str):
        us = _us_from_text(value.strip(" \t"))
    elif isinstance(value, timedelta):
        us = value // timedelta(microseconds=1)
    elif isinstance(value, float):
        us = round(Fraction(value) * MICROS_PER_SECOND) if math.isfinite(value) else None
    elif (seconds := integer_from(value)) is not None:
        us = seconds * MICROS_PER_SECOND
    if us is None or us.denominator != 1 or not 0 <= us <= _MAX_US:
        return None
    return int(us)


def text_from_duration_us(us: int) -> str:
    """The text that reads back as `us`: `1h30m`, `250ms`, `0s`."""
    parts = []
    for unit, factor in _UNITS_US.items():
        count, us = divmod(us, factor)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _us_from_text(text: str) -> Fraction | None:
    if _SECONDS.fullmatch(text):
        return Fraction(text) * MICROS_PER_SECOND
    found = _PARTS.fullmatch(text)
    if not text or found is None:
        return None
    factors = _UNITS_US.values()
    parts = zip(found.groups(), factors, strict=True)
    return sum((Fraction(number) * factor for number, factor in parts if number), Fraction())

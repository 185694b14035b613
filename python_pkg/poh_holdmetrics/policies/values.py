"""The parameters and results of policies as whole numbers, and the one text of each.

A multiplier is a number of millionths, a duration a number of microseconds, a score a number of steps of
1e-24 weight-seconds. What a policy returns is rounded down, once, in `steps_from_result`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from poh_holdmetrics import wads
from poh_holdmetrics.durations import text_from_duration_us, us_from_duration
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.integers import integer_from

if TYPE_CHECKING:
    from poh_holdmetrics.durations import Duration

#: What a parameter that is a number is given as; a float is read as the shortest decimal that prints it.
Number = str | int | float | Decimal
#: The score of a holder, in weight-seconds.
Score = int | Fraction | Decimal

#: Parts in a multiplier of 1.
MILLION = 10**6
MULTIPLIER_MAX = 1000 * MILLION
#: The largest score, in steps.
STEPS_MAX = 2**256 - 1

_MULTIPLIER = re.compile(r"(\d{1,4})(?:\.(\d{1,6}))?", re.ASCII)
_SCORE = re.compile(r"(\d{1,54})(?:\.(\d{1,24}))?", re.ASCII)
_SCORE_PLACES = 24
_ENTRIES_MAX = 1000


def millionths_from_multiplier(where: str, value: object) -> int:
    """A multiplier from 0 to 1000 with at most six decimals; raises `InputError` that begins with `where`."""
    found = _MULTIPLIER.fullmatch(_decimal_text(value))
    millionths = int(found[1] + (found[2] or "").ljust(6, "0")) if found else MULTIPLIER_MAX + 1
    if millionths > MULTIPLIER_MAX:
        raise InputError(
            where, f"expected a multiplier from 0 to 1000 with at most 6 decimals, not {excerpt(value)}"
        )
    return millionths


def text_from_millionths(millionths: int) -> str:
    """The multiplier as a decimal without trailing zeros."""
    whole, part = divmod(millionths, MILLION)
    return str(whole) if part == 0 else f"{whole}.{part:06d}".rstrip("0")


def steps_from_score(where: str, value: object) -> int:
    """A score in weight-seconds with at most 24 decimals, as steps; raises `InputError`."""
    found = _SCORE.fullmatch(_decimal_text(value))
    steps = int(found[1] + (found[2] or "").ljust(_SCORE_PLACES, "0")) if found else STEPS_MAX + 1
    if steps > STEPS_MAX:
        raise InputError(
            where, f"expected a score of 0 or more with at most 24 decimals, not {excerpt(value)}"
        )
    return steps


def steps_from_result(where: str, value: object) -> int:
    """The score that a policy returned, rounded down to whole steps; raises `InputError`.

    A float is refused: its last digits depend on the order of additions.
    """
    if isinstance(value, float):
        raise InputError(where, f"a float is not exact: {excerpt(value)}; return int, Fraction or Decimal")
    if isinstance(value, Decimal) and not value.is_finite():
        raise InputError(where, f"not finite: {excerpt(value)}; return int, Fraction or Decimal")
    exact = Fraction(value) if isinstance(value, Fraction | Decimal) else integer_from(value)
    if exact is None:
        raise InputError(where, f"not a score: {excerpt(value)}; return int, Fraction or Decimal")
    if exact < 0:
        raise InputError(where, f"negative: {excerpt(value)}; return 0 or more")
    return min(exact * wads.WAD_MICROS // 1, STEPS_MAX)


def multipliers_from(where: str, given: Mapping[Duration, Number]) -> tuple[tuple[int, int], ...]:
    """Microseconds and millionths in order of time; a duration may occur once."""
    if not isinstance(given, Mapping) or not 0 < len(given) <= _ENTRIES_MAX:
        raise InputError(
            where, f"expected 1 to {_ENTRIES_MAX} durations with a multiplier each, as in 30d: 1.5"
        )
    found: dict[int, int] = {}
    for duration, multiplier in given.items():
        us = us_from_duration(where, duration, least_us=0)
        if us in found:
            raise InputError(where, f"{text_from_duration_us(us)} occurs twice; give it once")
        found[us] = millionths_from_multiplier(f"{where}: {text_from_duration_us(us)}", multiplier)
    return tuple(sorted(found.items()))


def document_of_multipliers(multipliers: tuple[tuple[int, int], ...]) -> dict[str, str]:
    """The same as canonical texts."""
    return {text_from_duration_us(us): text_from_millionths(parts) for us, parts in multipliers}


def ids_from(where: str, given: Collection[str]) -> tuple[str, ...]:
    """Ids, sorted, each once; none of them empty."""
    is_list = isinstance(given, Collection) and not isinstance(given, str | bytes | Mapping)
    if not is_list or not all(isinstance(each, str) and each and _is_unicode(each) for each in given):
        raise InputError(where, "expected a list of ids, none of them empty")
    return tuple(sorted(set(given)))


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can write it: JSON can name half a character."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _decimal_text(value: object) -> str:
    """A number as plain digits with a point; a text that matches no number if it is not one."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        value = Decimal(float.__repr__(value))
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else ""
    number = integer_from(value)
    return "" if number is None else str(number)

"""Amounts and scores as text, exact: `1.5` at 18 decimal places is 1,500,000,000,000,000,000 base units.

Nothing is rounded: an amount that has no whole number of base units is refused.
"""

from __future__ import annotations

import re
from decimal import Decimal

from poh_holdmetrics.errors import InputError, excerpt

#: Amounts and scores stay below it.
UNITS_END = 2**256
#: Decimal places of a score.
SCORE_PLACES = 24

_NUMBER = re.compile(r"(\d*)(?:\.(\d*))?", re.ASCII)


def units_from_text(where: str, text: str, places: int) -> int:
    """`digits[.digits]` in base units of 10^-`places`; raises `InputError` that names `where`."""
    found = _NUMBER.fullmatch(text)
    whole, fraction = (found[1], found[2] or "") if found else ("", "")
    if not whole + fraction:
        problem = f"{excerpt(text)} is not a decimal number (write digits, like 1000000 or 0.5)"
        raise InputError(where, problem)
    kept = fraction.rstrip("0")
    if len(kept) > places:
        raise InputError(where, f"{excerpt(text)} has more than {places} decimal places (the smallest unit)")
    units: int = int((whole + kept) or "0") * 10 ** (places - len(kept))
    if units >= UNITS_END:
        raise InputError(where, f"{excerpt(text)} is too large (the most is 2^256 - 1 base units)")
    return units


def plain_text(number: str | int | Decimal) -> str:
    """A number without an exponent."""
    return f"{number:f}" if isinstance(number, Decimal) else str(number)


def steps_from_score(score: str | int | Decimal) -> int:
    """A score in weight-seconds, as `HoldStat.score` has it, in steps of 1e-24."""
    return units_from_text("score", plain_text(score), SCORE_PLACES)

"""Weights and deltas: integer steps of 1e-18 (a wad), read exactly from decimals, and scores as text.

A binary double is read as the shortest decimal that prints back to it; more than 18 decimal places are
rounded half to even. No float takes part in any sum: `score_float` is the last step and rounds once.
Instants are in `instants`, whole events in `records`.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal

from poh_holdmetrics import likely_causes
from poh_holdmetrics.errors import Reason, Refused
from poh_holdmetrics.integers import float_text, integer_from

#: Steps in a weight of 1, and the bound that a weight stays below: 2^128 steps.
WAD = 10**18
WAD_END = 2**128
#: Wad-microseconds in one weight-second, the unit of a score.
WAD_MICROS = 10**24

_PLACES = 18
_NUMBER = re.compile(r"([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?)(\d+))?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)
#: 10^20 is the largest power of ten below 2^128 steps, 10^-19 the smallest that can round to one step.
_TENS_MAX = 20
_TENS_MIN = -19
#: Beyond this an exponent decides alone, whatever digits a line of any real length holds.
_EXPONENT_DIGITS_MAX = 15
#: Wide enough for every weight, so that scaling by 10^18 never rounds.
_EXACT = Context(prec=60)

_EXAMPLE = "write a decimal like 1.5"
NOT_A_NUMBER = f"not a number ({_EXAMPLE})"
_NOT_FINITE_NUMBER = f"not finite ({_EXAMPLE})"
_NEGATIVE = "negative (write 0 or more)"
_UNDER = "under 1e-18 (the smallest step)"
_TOO_LARGE = Reason.of(
    "too large (the largest is 340282366920938463463.374607431768211455; if it counts base units, such as "
    "wei, {})",
    "read the file with --decimals 18",
    "send whole tokens",
)


def wad_from_value(field: str, value: object, *, signed: bool = False) -> int:
    """Steps of a str, a Decimal, or an int or float of any library, also negative if `signed`.

    A boolean is not a number. Raises `Refused` that begins with `field`.
    """
    if isinstance(value, str):
        return wad_from_text(field, value, signed=signed)
    if isinstance(value, float):
        return _wad_from_text(field, float.__repr__(value), value, signed=signed)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise Refused(field, _NOT_FINITE_NUMBER, value)
        return _wad_from_text(field, str(value), value, signed=signed)
    number = integer_from(value)
    if number is None:
        text = float_text(value)
        if text is None:
            raise Refused(field, NOT_A_NUMBER, value)
        return _wad_from_text(field, text, value, signed=signed)
    if number < 0 and not signed:
        raise Refused(field, _NEGATIVE, value)
    return _bounded(field, number * WAD, value)


def wad_from_text(field: str, text: str, *, signed: bool = False, found: str | None = None) -> int:
    """Steps of a decimal as written; digits and exponents of any length are read in linear time.

    A refusal shows `found`, if that is what was written.
    """
    return _wad_from_text(field, text, text if found is None else found, signed=signed)


def wad_from_units(
    field: str, value: object, decimals: int, *, signed: bool = False, found: str | None = None
) -> int:
    """Steps of a value that counts units of 10^-decimals, such as wei with 18; `found` as for a text."""
    text = str(value) if isinstance(value, str | Decimal) else float_text(value) or str(integer_from(value))
    number = _NUMBER.fullmatch(text)
    if number is None:
        return wad_from_value(field, value, signed=signed)
    exponent = _exponent(number[5], number[6]) - decimals
    mantissa = text.lower().partition("e")[0]
    shown = value if found is None else found
    return _wad_from_text(field, f"{mantissa}e{exponent}", shown, signed=signed)


def _wad_from_text(field: str, text: str, value: object, *, signed: bool) -> int:
    """The same for the text of `value`, which a refusal shows."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        if _NOT_FINITE.fullmatch(text):
            raise Refused(field, _NOT_FINITE_NUMBER, value)
        cause = likely_causes.cause_of_decimal(text)
        raise Refused(field, cause.within("not a number ({})") if cause else NOT_A_NUMBER, value)
    sign, *parts = found.groups()
    if sign != "-":
        return _magnitude(field, value, *parts)
    if not signed and ((found[2] or "") + (found[3] or found[4] or "")).strip("0"):
        raise Refused(field, _NEGATIVE, value)
    return -_magnitude(field, value, *parts)


def _magnitude(
    field: str,
    value: object,
    whole: str | None,
    after: str | None,
    alone: str | None,
    exponent_sign: str | None,
    exponent_digits: str | None,
) -> int:
    places = after or alone or ""
    digits = ((whole or "") + places).lstrip("0")
    if not digits:
        return 0
    exponent = _exponent(exponent_sign, exponent_digits)
    tens = len(digits) - len(places) + exponent - 1
    if tens > _TENS_MAX:
        raise Refused(field, _TOO_LARGE, value)
    if tens < _TENS_MIN:
        raise Refused(field, _UNDER, value)
    kept = tens + 1 + _PLACES
    if kept >= len(digits):
        return _bounded(field, int(digits) * 10 ** (kept - len(digits)), value)
    wad = int(digits[:kept] or "0")
    dropped = digits[kept:].rstrip("0")
    if dropped > "5" or (dropped == "5" and wad % 2):
        wad += 1
    if wad == 0:
        raise Refused(field, _UNDER, value)
    return _bounded(field, wad, value)


def decimal_from_wad(wad: int) -> Decimal:
    """The weight or change as a Decimal without trailing zeros and without an exponent."""
    whole, part = divmod(abs(wad), WAD)
    size = Decimal(whole) if part == 0 else Decimal(f"{whole}.{part:018d}".rstrip("0"))
    # A minus sign would round to the precision of the context.
    return size if wad >= 0 else size.copy_negate()


def wad_from_decimal(weight: Decimal) -> int:
    """Steps of a Decimal that `decimal_from_wad` made; not checked again."""
    return int(_EXACT.scaleb(weight, _PLACES))


def score_text(total: int) -> str:
    """A sum of wad-microseconds as the exact decimal in weight-seconds, without trailing zeros."""
    whole, part = divmod(total, WAD_MICROS)
    return str(whole) if part == 0 else f"{whole}.{part:024d}".rstrip("0")


def score_float(total: int) -> float:
    """The double nearest to a sum of wad-microseconds in weight-seconds, ties to even."""
    return total / WAD_MICROS


def _exponent(sign: str | None, digits: str | None) -> int:
    significant = (digits or "").lstrip("0")
    if not significant:
        return 0
    size = int(significant) if len(significant) <= _EXPONENT_DIGITS_MAX else 10**_EXPONENT_DIGITS_MAX
    return -size if sign == "-" else size


def _bounded(field: str, wad: int, found: object) -> int:
    if abs(wad) >= WAD_END:
        raise Refused(field, _TOO_LARGE, found)
    return wad

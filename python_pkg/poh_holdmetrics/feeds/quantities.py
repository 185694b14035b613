"""Whole numbers as chains write them: digits, or 256 bits in hexadecimal digits.

A raw amount with a fraction or an exponent went through a double somewhere and has lost digits, so it is
refused.
"""

from __future__ import annotations

import re

#: The most decimals that a token may have; more than any amount of 256 bits needs.
DECIMALS_MAX = 77

_WHOLE = re.compile(r"\d+", re.ASCII)
_HEX = re.compile(r"0[xX]([0-9a-fA-F]*)", re.ASCII)
_GROUPED = re.compile(r"[^,.]{1,3}(?:,[^,.]{3})*(?:\.[^,]*)?")
_BITS_MAX = 256
_SMALL_MAX = 2**64 - 1


def digits(text: str) -> str | None:
    """The digits of a whole number that is written in digits or as `0x` and hexadecimal digits; else None."""
    if _WHOLE.fullmatch(text):
        return text
    found = _HEX.fullmatch(text)
    if found is None:
        return None
    significant = found[1].lstrip("0")
    if len(significant) * 4 > _BITS_MAX:
        return None
    return str(int(significant or "0", 16))


def small_number(text: str) -> int | None:
    """A small number, such as that of a block."""
    found = digits(text)
    if found is None or len(found.lstrip("0")) > len(str(_SMALL_MAX)):
        return None
    number = int(found.lstrip("0") or "0")
    return number if number <= _SMALL_MAX else None


def decimals(text: str) -> int | None:
    """How many decimals a token has; None if that is not from 0 to `DECIMALS_MAX`."""
    number = small_number(text)
    return number if number is not None and number <= DECIMALS_MAX else None


def without_commas(text: str) -> str | None:
    """Digits in groups of thousands without their commas; None if the commas stand elsewhere."""
    if "," not in text:
        return text
    return text.replace(",", "") if _GROUPED.fullmatch(text) else None

"""Weights, changes and balances as the exact decimals of answers, without trailing zeros or exponent."""

from __future__ import annotations

from poh_holdmetrics import wads


def text_from_wad(wad: int) -> str:
    """Steps of 1e-18 as decimal text."""
    return f"{wads.decimal_from_wad(wad):f}"

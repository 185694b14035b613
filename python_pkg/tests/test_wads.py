from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poh_holdmetrics import wads
from poh_holdmetrics.errors import Refused

LARGEST = "340282366920938463463.374607431768211455"


@pytest.mark.parametrize(
    ("value", "wad"),
    [
        ("1", 10**18),
        ("+1.", 10**18),
        (".5", 5 * 10**17),
        ("-0", 0),
        ("0e999999999999999999999", 0),
        ("-0.000e-5", 0),
        ("1e-18", 1),
        ("6e-19", 1),
        ("1.0000000000000000005", 10**18),
        ("1.0000000000000000015", 10**18 + 2),
        ("1.00000000000000000050000000001", 10**18 + 1),
        (LARGEST, 2**128 - 1),
        ("0." + "0" * 17 + "1" + "0" * 9000, 1),
        ("1" + "0" * 9000 + "e-9000", 10**18),
        (0.1, 10**17),
        (1e-18, 1),
        (3, 3 * 10**18),
        (Decimal("1E+2"), 10**20),
        (Decimal("2.50"), 25 * 10**17),
    ],
)
def test_a_weight_is_read_as_the_decimal_that_is_written(value: object, wad: int) -> None:
    assert wads.wad_from_value("weight", value) == wad


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("abc", "not a number"),
        ("", "not a number"),
        (".", "not a number"),
        ("1_000", "not a number"),
        ("1 ", "not a number"),
        ("1\n", "not a number"),
        ("0x10", "not a number"),
        ("٣", "not a number"),
        (True, "not a number"),
        (None, "not a number"),
        ([1], "not a number"),
        ("NaN", "not finite"),
        ("-inf", "not finite"),
        ("+Infinity", "not finite"),
        (float("nan"), "not finite"),
        (float("-inf"), "not finite"),
        (Decimal("sNaN"), "not finite"),
        (Decimal("Infinity"), "not finite"),
        ("-1", "negative"),
        ("-1e-99", "negative"),
        (-1, "negative"),
        (-0.5, "negative"),
        ("1e-19", "under 1e-18"),
        ("5e-19", "under 1e-18"),
        ("1e-999999999999999999999", "under 1e-18"),
        (5e-324, "under 1e-18"),
        ("340282366920938463463.374607431768211456", "too large"),
        (LARGEST + "5", "too large"),
        ("1e999999999999999999999", "too large"),
        ("9" * 9000, "too large"),
        pytest.param(10**5000, "too large", id="5001 digits"),
        (1e300, "too large"),
    ],
)
def test_an_invalid_weight_is_refused_with_its_reason(value: object, words: str) -> None:
    with pytest.raises(Refused, match=f"^weight: {words}"):
        wads.wad_from_value("weight", value)


@given(st.decimals(min_value=0, max_value=10**20, allow_nan=False, allow_infinity=False))
def test_reading_agrees_with_the_decimal_module(value: Decimal) -> None:
    wide = Context(prec=2000, rounding=ROUND_HALF_EVEN)
    expected = int(wide.to_integral_value(wide.scaleb(value, 18)))
    if expected == 0 and value != 0:
        with pytest.raises(Refused, match="under 1e-18"):
            wads.wad_from_text("weight", str(value))
    else:
        assert wads.wad_from_text("weight", str(value)) == expected


@given(st.floats(min_value=1e-17, max_value=1e20))
def test_a_double_and_its_shortest_decimal_are_one_weight(value: float) -> None:
    assert wads.wad_from_value("weight", value) == wads.wad_from_text("weight", repr(value))


@given(st.integers(1 - 2**128, 2**128 - 1))
@example(1 - 2**128)
def test_a_wad_survives_the_decimal_that_models_keep(wad: int) -> None:
    delta = wads.decimal_from_wad(wad)
    assert wads.wad_from_decimal(delta) == wad
    assert wads.wad_from_text("delta", str(delta), signed=True) == wad


@given(st.integers(0, 2**200))
def test_a_score_is_written_exactly_and_rounded_once(total: int) -> None:
    text = wads.score_text(total)
    assert Fraction(text) * 10**24 == total
    assert "." not in text or text[-1] != "0"
    assert wads.score_float(total) == float(text)

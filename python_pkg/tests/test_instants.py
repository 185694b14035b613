from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poh_holdmetrics import instants
from poh_holdmetrics.errors import Refused, excerpt

AT = 1_753_056_000_000_000


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2025-07-21T00:00:00Z", AT),
        ("2025-07-21t00:00:00z", AT),
        ("2025-07-21 00:00:00Z", AT),
        ("2025-07-21 00:00:00.000 UTC", AT),
        ("2025-07-21T00:00Z", AT),
        ("2025-07-20T19:00-05", AT),
        ("2025-07-21T05:30:00+05:30", AT),
        ("2025-07-21 09:00:00 +0900", AT),
        ("2025-07-20T19:00:00-05:00", AT),
        ("2025-07-21T00:00:00-00:00", AT),
        ("\t 2025-07-21T00:00:00Z ", AT),
        ("1753056000000", AT),
        (" +1753056000000", AT),
        ("-1", -1000),
        ("2025-07-21T00:00:00.5Z", AT + 500_000),
        ("2025-07-21T00:00:00.0000019Z", AT + 1),
        ("1969-12-31T23:59:59.9999999Z", -1),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
        ("0001-01-01T00:00:00Z", instants.MIN_US),
        ("9999-12-31T23:59:59.999999Z", instants.MAX_US),
    ],
)
def test_text_is_read_as_the_instant_it_names(text: str, us: int) -> None:
    assert instants.us_from_text("start", text) == us


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("yesterday", "start: not a time"),
        ("", "start: not a time"),
        ("2025-07-21", "start: not a time (a date alone;"),
        ("2025-07-21T24:00:00Z", "start: not a time (hour 24;"),
        ("2025-07-21T23:59:60Z", "start: not a time (a leap second;"),
        ("2025-07-21T25:00:00Z", "start: not a time (a day"),
        ("2025-07-21T23:60:00Z", "start: not a time"),
        ("2025-02-29T00:00:00Z", "start: not a time"),
        ("2025-13-01T00:00:00Z", "start: not a time"),
        ("2025-07-21T00:00:00.Z", "start: not a time"),
        ("2025-07-21T00:00:00+24:00", "start: not a time"),
        ("2025-07-21T00:00:00+02:60", "start: not a time"),
        ("2025-07-21T00:00:00+0", "start: not a time"),
        ("2025-07-21T00:00:00 PST", "start: not a time"),
        ("2025-07-21  00:00:00Z", "start: not a time"),
        ("2025-07-21T00:00:00Z\n", "start: not a time"),
        ("٢٠٢٥-07-21T00:00:00Z", "start: not a time"),
        ("1753056000000.0", "start: not a time"),
        ("1e12", "start: not a time"),
        ("2025-07-21T00:00:00", "start: no UTC offset"),
        ("0000-01-01T00:00:00Z", "start: out of range"),
        ("0001-01-01T00:00:00+00:01", "start: out of range"),
        ("9999-12-31T23:59:59-00:01", "start: out of range"),
    ],
)
def test_other_text_is_refused_with_its_reason(text: str, words: str) -> None:
    with pytest.raises(Refused, match=f"^{re.escape(words)}"):
        instants.us_from_text("start", text)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1753056000000.000", AT),
        ("1.753056e12", AT),
        ("1753056e+6", AT),
        ("17530560000000e-1", AT),
        ("-0.0", 0),
        ("0e999999999999999999999999", 0),
        ("0." + "0" * 5000, 0),
        ("1" + "0" * 5000 + "e-5000", 1000),
    ],
)
def test_a_whole_number_is_milliseconds_however_it_is_written(text: str, us: int) -> None:
    assert instants.us_from_number("start", text) == us
    assert instants.us_from_cell("start", text) == us


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.5", "not a time (a count of milliseconds has no fraction)"),
        ("1e-1", "not a time (a count of milliseconds has no fraction)"),
        ("1e-999999999999999999999999", "not a time (a count of milliseconds has no fraction)"),
        ("1e999999999999999999999999", "out of range"),
        ("253402300800000", "out of range"),
    ],
)
def test_other_numbers_are_refused_with_their_reason(text: str, words: str) -> None:
    with pytest.raises(Refused, match=f"^start: {re.escape(words)}"):
        instants.us_from_number("start", text)


@pytest.mark.parametrize(("unit", "name"), [("s", "seconds"), ("us", "microseconds"), ("ns", "nanoseconds")])
def test_counts_of_every_unit_are_read_alike(unit: str, name: str) -> None:
    ticks = {"s": 1, "us": 10**6, "ns": 10**9}[unit]
    count = AT // 10**6 * ticks
    for text in (str(count), f"+{count}.000", f"{count}0e-1", f"{count // 10**3}e3", f"{count}."):
        assert instants.us_from_number("start", text, unit) == AT
    assert instants.us_from_number("start", f"-{count}", unit) == -AT
    assert instants.us_from_number("start", "0e999999999999999999999999", unit) == 0
    for text in ("1.5", "1e-999999999999999999999999"):
        with pytest.raises(Refused, match=f"a count of {name} has no fraction"):
            instants.us_from_number("start", text, unit)
    for text in (f"{253_402_300_800 * ticks}", "9" * 25, "1e999999999999999999999999"):
        with pytest.raises(Refused, match=f"out of range .*; found {re.escape(excerpt(text))}$"):
            instants.us_from_number("start", text, unit)
    if unit == "ns":  # what is under a microsecond is cut off, also before 1970
        assert [instants.us_from_number("start", text, unit) for text in ("1999", "-1")] == [1, -1]


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=3) | st.integers(-(10**15), 10**15))
def test_numbers_agree_with_the_decimal_module(value: Decimal | int) -> None:
    for text in (str(value), f"{Decimal(value):E}"):
        exact = Decimal(value) * 1000
        if Decimal(value) != int(value):
            with pytest.raises(Refused, match="no fraction"):
                instants.us_from_number("start", text)
        elif instants.MIN_US <= exact <= instants.MAX_US:
            assert instants.us_from_number("start", text) == exact


def test_as_an_argument_a_date_alone_is_its_midnight() -> None:
    for value in (
        "2025-07-21",
        " 2025-07-21 ",
        date(2025, 7, 21),
        datetime(2025, 7, 21, tzinfo=UTC),
        AT // 1000,
    ):
        assert instants.us_from_argument("as_of", value) == AT
    with pytest.raises(Refused, match=r"^as_of: not a time"):
        instants.us_from_argument("as_of", "2025-02-29")


class NotATime(datetime):
    """Like the value that pandas calls NaT."""

    def utcoffset(self) -> None:
        raise ValueError("NaTType does not support utcoffset")


class NumpyInteger:
    """Like an integer of NumPy: not an int, but with the value of one."""

    def __index__(self) -> int:
        return AT // 1000


def test_values_of_other_libraries_are_read_or_refused_by_field() -> None:
    assert instants.us_from_instant("start", NumpyInteger()) == AT
    assert instants.us_from_instant("start", AT / 1000) == AT
    with pytest.raises(Refused, match=r"^end: not a time"):
        instants.us_from_instant("end", NotATime(2025, 1, 1))


@pytest.mark.parametrize("value", [True, 1.5, None, b"2025-07-21T00:00:00Z", [0]])
def test_a_value_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(Refused, match=r"^end: not a time"):
        instants.us_from_instant("end", value)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(Refused, match=r"^end: no UTC offset"):
        instants.us_from_instant("end", datetime(2025, 7, 21))  # noqa: DTZ001 - the point of the test


def test_digits_of_any_length_are_milliseconds_or_out_of_range() -> None:
    assert instants.us_from_cell("start", "1753056000000") == AT
    assert instants.us_from_cell("start", "-1") == -1000
    assert instants.us_from_cell("start", "-0") == 0
    assert instants.us_from_cell("start", "0" * 5000 + "7") == 7000
    for text in ("253402300800000", "-62135596800001", "9" * 5000):
        with pytest.raises(Refused, match=r"^start: out of range"):
            instants.us_from_cell("start", text)


@given(st.integers(instants.MIN_US, instants.MAX_US), st.integers(-1439, 1439))
def test_an_instant_survives_text_and_datetime_at_any_offset(us: int, offset_minutes: int) -> None:
    assert instants.us_from_text("start", instants.text_from_us(us)) == us
    at = instants.datetime_from_us(us)
    assert at.tzinfo is UTC
    assert instants.us_from_instant("start", at) == us
    try:
        there = at.astimezone(timezone(timedelta(minutes=offset_minutes)))
    except OverflowError:
        return
    assert instants.us_from_instant("start", there) == us
    assert instants.us_from_text("start", there.isoformat()) == us


def test_text_has_no_more_digits_than_needed() -> None:
    assert instants.text_from_us(AT) == "2025-07-21T00:00:00Z"
    assert instants.text_from_us(AT + 500_000) == "2025-07-21T00:00:00.5Z"
    assert instants.text_from_us(instants.MIN_US) == "0001-01-01T00:00:00Z"

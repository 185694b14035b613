from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poh_holdmetrics import instants
from poh_holdmetrics.errors import Refused

AT = 1_753_056_000_000_000


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2025-07-21T00:00:00Z", AT),
        ("2025-07-21t00:00:00z", AT),
        ("2025-07-21 00:00:00Z", AT),
        ("2025-07-21T05:30:00+05:30", AT),
        ("2025-07-20T19:00:00-05:00", AT),
        ("2025-07-21T00:00:00-00:00", AT),
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
        ("2025-07-21", "start: not a time"),
        ("2025-07-21T00:00Z", "start: not a time"),
        ("2025-07-21T24:00:00Z", "start: not a time"),
        ("2025-07-21T23:59:60Z", "start: not a time"),
        ("2025-02-29T00:00:00Z", "start: not a time"),
        ("2025-13-01T00:00:00Z", "start: not a time"),
        ("2025-07-21T00:00:00.Z", "start: not a time"),
        ("2025-07-21T00:00:00+24:00", "start: not a time"),
        ("2025-07-21T00:00:00+0200", "start: not a time"),
        ("2025-07-21T00:00:00Z\n", "start: not a time"),
        (" 2025-07-21T00:00:00Z", "start: not a time"),
        ("٢٠٢٥-07-21T00:00:00Z", "start: not a time"),
        ("1753056000000", "start: not a time"),
        ("2025-07-21T00:00:00", "start: no UTC offset"),
        ("0000-01-01T00:00:00Z", "start: out of range"),
        ("0001-01-01T00:00:00+00:01", "start: out of range"),
        ("9999-12-31T23:59:59-00:01", "start: out of range"),
    ],
)
def test_other_text_is_refused_with_its_reason(text: str, words: str) -> None:
    with pytest.raises(Refused, match=f"^{words}"):
        instants.us_from_text("start", text)


@pytest.mark.parametrize("value", [True, 1.5, None, b"2025-07-21T00:00:00Z", [0]])
def test_a_value_that_is_no_time_is_refused(value: object) -> None:
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

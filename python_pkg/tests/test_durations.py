from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poh_holdmetrics.durations import (
    duration_us,
    seconds_from_duration,
    text_from_duration_us,
    us_from_duration,
)
from poh_holdmetrics.errors import InputError


@pytest.mark.parametrize(
    ("written", "us"),
    [
        ("10s", 10_000_000),
        ("1m", 60_000_000),
        ("1h30m", 5_400_000_000),
        ("1h 30m", 5_400_000_000),
        ("2ms", 2_000),
        ("2m5ms", 120_005_000),
        ("1d", 86_400_000_000),
        ("250us", 250),
        ("1.5s", 1_500_000),
        ("0.000001s", 1),
        (" 3 s ", 3_000_000),
        ("7", 7_000_000),
        ("0.25", 250_000),
        ("0s", 0),
        (10, 10_000_000),
        (0.1, 100_000),
        (timedelta(days=1, microseconds=3), 86_400_000_003),
        ("36525d", 36_525 * 86_400_000_000),
    ],
)
def test_every_form_is_read_exactly(written: object, us: int) -> None:
    assert duration_us(written) == us


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("", '""'),
        ("soon", '"soon"'),
        ("10 sec", '"10 sec"'),
        ("30m1h", '"30m1h"'),
        ("1m1m", '"1m1m"'),
        ("-1s", '"-1s"'),
        ("0.5us", '"0.5us"'),
        ("٣s", '"٣s"'),
        ("36526d", '"36526d"'),
        ("1" * 50 + "s", '"' + "1" * 40 + '"...'),
        (-1, "-1"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (True, "True"),
        (None, "None"),
        (timedelta(seconds=-1), "datetime.timedelta(days=-1, seconds=8639..."),
    ],
)
def test_anything_else_is_refused_in_one_sentence(written: object, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        us_from_duration("flush", written)
    expected = "expected a duration such as 10s, 1h30m or 250ms, or a number of seconds"
    assert str(caught.value) == f"flush: {expected}, not {shown}"


def test_zero_is_a_duration_only_where_it_is_allowed() -> None:
    with pytest.raises(InputError, match=r'interval: expected a duration above 0, not "0s"'):
        us_from_duration("interval", "0s")
    with pytest.raises(InputError, match=r"watch: expected a duration of at least 1s500ms, not 1"):
        us_from_duration("watch", 1, least_us=1_500_000)
    assert us_from_duration("drain", 0, least_us=0) == 0
    assert seconds_from_duration("flush", "1s500ms") == 1.5


@given(st.integers(0, 36_525 * 86_400_000_000))
def test_the_text_of_a_duration_reads_back(us: int) -> None:
    assert duration_us(text_from_duration_us(us)) == us
    assert duration_us(timedelta(microseconds=us)) == us

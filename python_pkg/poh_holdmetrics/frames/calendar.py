"""Calendar windows of a span of time: days, weeks, months, quarters and years of a time zone.

The first and the last are cut to the span, so that they cover it exactly once. Knows no scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.instants import datetime_from_us, us_from_datetime
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics import native
    from poh_holdmetrics.pure.aggregator import Aggregator

Frequency = Literal["day", "week", "month", "quarter", "year"]

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_MONTHS_OF_YEAR = 12
_WINDOWS_MAX = 10_000


def calendar_windows(
    engine: native.Aggregator | Aggregator, window: Window, freq: Frequency, time_zone: str
) -> list[Window]:
    """The windows that cover `window`, from the first instant at which something is held."""
    if freq not in get_args(Frequency):
        raise InputError(
            "freq", f"unknown frequency {excerpt(freq)}; known are {', '.join(get_args(Frequency))}"
        )
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InputError(
            "time_zone", f"unknown zone {excerpt(time_zone)}; write one like Europe/Paris"
        ) from error
    as_of_us, from_us, closed_only = window
    if from_us is None:
        starts = engine.held_columns(*window)[2]
        starts = memoryview(starts).cast("q") if isinstance(starts, bytes) else starts
        from_us = min(starts, default=None)
    if from_us is None or from_us >= as_of_us:
        return []
    windows: list[Window] = []
    since_us = from_us
    for boundary_us in _boundaries(datetime_from_us(from_us).astimezone(zone), freq, zone):
        until_us = min(boundary_us, as_of_us)
        if since_us < until_us:
            windows.append(Window(until_us, since_us, closed_only))
            since_us = until_us
        if until_us == as_of_us:
            return windows
        if len(windows) == _WINDOWS_MAX:
            raise InputError(
                "freq", f"more than {_WINDOWS_MAX:,} windows; give from_, or a longer freq than {freq}"
            )
    return [*windows, Window(as_of_us, since_us, closed_only)]


def _boundaries(first: datetime, freq: Frequency, zone: ZoneInfo) -> Iterator[int]:
    """The starts of the windows after the one that `first` is in, until the calendar ends."""
    day = first.date()
    if freq == "week":
        day -= timedelta(days=day.weekday())
    elif freq != "day":
        day = day.replace(month=(day.month - 1) // _MONTHS[freq] * _MONTHS[freq] + 1, day=1)
    while True:
        try:
            day = _next(day, freq)
            boundary = datetime(day.year, day.month, day.day, tzinfo=zone)
            yield us_from_datetime("freq", boundary)
        except (OverflowError, ValueError):  # after the year 9999
            return


def _next(day: date, freq: Frequency) -> date:
    if freq in ("day", "week"):
        return day + timedelta(days=1 if freq == "day" else 7)
    months = day.month - 1 + _MONTHS[freq]
    return date(day.year + months // _MONTHS_OF_YEAR, months % _MONTHS_OF_YEAR + 1, 1)

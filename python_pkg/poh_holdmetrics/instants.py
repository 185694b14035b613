"""Instants: integer microseconds since 1970-01-01T00:00:00Z, and the one parser that reads them.

Text is a date, a time and an offset as RFC 3339 and common databases write them, or the digits of a count of
milliseconds; numbers are milliseconds. Digits beyond the microsecond are floored, a leap second is refused.
Years 0001 to 9999. Reads no clock. Weights are in `wads`, whole events in `validation`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from poh_holdmetrics import likely_causes
from poh_holdmetrics.errors import Reason, Refused
from poh_holdmetrics.integers import float_text, integer_from

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROS_PER_SECOND = 1_000_000
#: 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z: the first and the last valid instant.
MIN_US = -62_135_596_800_000_000
MAX_US = 253_402_300_799_999_999

#: What the public functions take for an instant: an aware datetime, text, or milliseconds.
Instant = datetime | str | int

_EXAMPLE = "write 2025-07-21T00:00:00Z, or milliseconds since 1970"
NOT_A_TIME = f"not a time ({_EXAMPLE})"
_ASSUME_UTC = ", or read the file with --assume-utc"
_DATE_ALONE = Reason.of(
    "not a time (a date alone; add the time and the offset, like T00:00:00Z{})", _ASSUME_UTC
)
_LEAP_SECOND = "not a time (a leap second; write the second before or after it)"
_HOUR_24 = "not a time (hour 24; write 00:00 of the next day)"
_NO_OFFSET = Reason.of("no UTC offset (end it with Z or an offset like +02:00{})", _ASSUME_UTC)
_NO_ZONE = 'no UTC offset (a datetime64 has no zone; write pandas.Timestamp(value, tz="UTC") if it is UTC)'
_MISSING = "not a time (a missing value; write None, or leave the time out)"
#: How NumPy and pandas print a missing value.
_MISSING_VALUES = ("NaT", "<NA>", "nan")
OUT_OF_RANGE_WORDS = "out of range"
OUT_OF_RANGE = f"{OUT_OF_RANGE_WORDS} (years 0001 to 9999, UTC)"
_OTHER_UNIT = "out of range (years 0001 to 9999, UTC; if it counts {}, {{}})"

_ZERO_DATE = "0000-00-00"
_TEXT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?"
    r"(?P<offset> ?(?:[Zz]|UTC|([+-])(\d\d)(?::?(\d\d))?))?)?",
    re.ASCII,
)
#: A count in text, and a number of JSON or of a CSV cell.
DIGITS = re.compile(r"[+-]?\d+", re.ASCII)
NUMBER = re.compile(r"([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?)(\d+))?", re.ASCII)
#: More significant digits than any instant in nanoseconds has.
_DIGITS_MAX = 24
#: The units of times that are numbers, in words.
UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_FINER_UNITS = tuple(UNIT_NAMES)
#: Of a nanosecond, microseconds are the whole part.
_UNIT_MICROS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_HOURS, _MINUTES = 24, 60


def us_from_instant(field: str, value: object) -> int:
    """Microseconds of an aware datetime, of text, or of a whole number of milliseconds.

    Raises `Refused` that begins with `field`; a boolean is not a time.
    """
    if isinstance(value, datetime):
        return us_from_datetime(field, value)
    if isinstance(value, str):
        return us_from_text(field, value)
    milliseconds = integer_from(value)
    if milliseconds is not None:
        return us_from_ms(field, milliseconds)
    if str(value) in _MISSING_VALUES:
        raise Refused(field, _MISSING, str(value))
    if (text := float_text(value)) is not None:
        return us_from_number(field, text)
    if isinstance(value, date):
        raise Refused(field, _DATE_ALONE, str(value))
    # A type of NumPy, which is not imported for it.
    raise Refused(field, _NO_ZONE if type(value).__name__ == "datetime64" else NOT_A_TIME, value)


def us_from_argument(field: str, value: object) -> int:
    """The same for an argument of a call or a command line, in which a date alone is its midnight in UTC."""
    try:
        if isinstance(value, str) and (found := _TEXT.fullmatch(value.strip(" \t"))) and found[4] is None:
            return us_from_text(field, f"{found[0]}T00:00Z", value)
        if isinstance(value, date) and not isinstance(value, datetime):
            return us_from_datetime(field, datetime(value.year, value.month, value.day, tzinfo=UTC))
        return us_from_instant(field, value)
    except Refused as refused:
        raise refused.for_service() from None


def us_from_datetime(field: str, value: datetime) -> int:
    """Microseconds of an aware datetime; a naive one is refused, no offset is assumed."""
    try:
        offset = value.utcoffset()
    except ValueError:  # what pandas calls NaT is a datetime that has no value
        raise Refused(field, _MISSING, str(value)) from None
    if offset is None:
        raise Refused(field, _NO_OFFSET, str(value))
    since = value - EPOCH
    us = (since.days * 86_400 + since.seconds) * MICROS_PER_SECOND + since.microseconds
    return us_in_range(field, us, str(value))


def us_from_text(field: str, text: str, found: str | None = None) -> int:
    """Microseconds of a date, time and offset, or of milliseconds in digits; blanks around are ignored.

    A refusal shows `found`, if that is what was written.
    """
    shown = text if found is None else found
    us = _us_from_text(field, text, shown)
    if us is not None:
        return us
    if likely_causes.has_long_year(text):
        raise Refused(field, OUT_OF_RANGE, shown)
    cause = likely_causes.cause_of_time(text, _is_date_time)
    raise Refused(field, cause.within("not a time ({})") if cause else NOT_A_TIME, shown)


def _us_from_text(field: str, text: str, shown: str) -> int | None:
    """The same; None if it is not a time, and no rule alone says why."""
    found = _TEXT.fullmatch(text) or _TEXT.fullmatch(text.strip(" \t"))
    if found is None:
        digits = text.strip(" \t")
        return us_from_number(field, digits) if DIGITS.fullmatch(digits) else None
    year, month, day, hour, minute, second, digits, offset, sign, ahead_hours, ahead_minutes = found.groups()
    if hour is None:
        if found[0] == _ZERO_DATE:
            return None
        raise Refused(field, _DATE_ALONE, shown)
    number = int(year)
    try:
        # Year 0000 is a leap year as 2000 is: its days are checked before it is out of range.
        at = datetime(
            number or 2000, int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC
        )
    except ValueError:
        if hour == "24" or second == "60":
            raise Refused(field, _HOUR_24 if hour == "24" else _LEAP_SECOND, shown) from None
        return None
    if offset is None:
        raise Refused(field, _NO_OFFSET, shown)
    ahead_seconds = 0
    if sign is not None:
        hours, minutes = int(ahead_hours), int(ahead_minutes or 0)
        if hours >= _HOURS or minutes >= _MINUTES:
            return None
        ahead_seconds = (hours * 3600 + minutes * 60) * (1 if sign == "+" else -1)
    if not number:
        raise Refused(field, OUT_OF_RANGE, shown)
    since = at - EPOCH
    seconds = since.days * 86_400 + since.seconds - ahead_seconds
    micros = int(digits[:6].ljust(6, "0")) if digits else 0
    return us_in_range(field, seconds * MICROS_PER_SECOND + micros, shown)


def _is_date_time(text: str) -> bool:
    """Whether a text is a valid date and time of day, with an offset or without one."""
    found = _TEXT.fullmatch(text)
    if found is None or found[4] is None:
        return False
    try:
        return _us_from_text("", text if found["offset"] else f"{text}Z", text) is not None
    except Refused:
        return False


def us_from_cell(field: str, text: str) -> int:
    """Microseconds of a CSV cell, which may be a number or text."""
    return us_from_number(field, text) if NUMBER.fullmatch(text) else us_from_text(field, text)


def us_from_number(field: str, text: str, unit: str = "ms") -> int:
    """Microseconds of a count of a unit as written, of any length: `1.753056e12` is a whole number."""
    if len(text) <= _DIGITS_MAX and text.isascii() and text.isdigit():  # the usual form, without the regex
        return _us_of_count(field, int(text), unit, text)
    found = NUMBER.fullmatch(text)
    if found is None:
        raise Refused(field, NOT_A_TIME, text)
    sign, whole, places, exponent_sign, exponent = found.groups()
    digits = (whole + (places or "")).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return 0
    # Python reads no more than 4300 digits; with far fewer an exponent decides alone.
    exponent = (exponent or "").lstrip("0")[:_DIGITS_MAX]
    power = int(exponent or 0) * (-1 if exponent_sign == "-" else 1)
    zeros = len(digits) - len(significant) - len(places or "") + power
    if zeros < 0:
        raise Refused(field, f"not a time (a count of {UNIT_NAMES[unit]} has no fraction)", text)
    if len(significant) + zeros > _DIGITS_MAX:
        raise Refused(field, OUT_OF_RANGE, text)
    count = int(significant) * 10**zeros
    return _us_of_count(field, -count if sign == "-" else count, unit, text)


def _us_of_count(field: str, count: int, unit: str, found: object) -> int:
    """Microseconds of a count; if it is out of range, the refusal names a finer unit in which it is not."""
    us = _us_from_count(count, unit)
    if MIN_US <= us <= MAX_US:
        return us
    finer = _FINER_UNITS[_FINER_UNITS.index(unit) + 1 :]
    likely = next((each for each in finer if 0 < _us_from_count(count, each) <= MAX_US), None)
    if likely is None:
        raise Refused(field, OUT_OF_RANGE, found)
    form = _OTHER_UNIT.format(UNIT_NAMES[likely])
    reason = Reason.of(form, f"read the file with --time-unit {likely}", "give milliseconds")
    raise Refused(field, reason, found)


def _us_from_count(count: int, unit: str) -> int:
    return count // 1_000 if unit == "ns" else count * _UNIT_MICROS[unit]


def us_from_ms(field: str, milliseconds: int) -> int:
    """Microseconds of integer milliseconds."""
    return _us_of_count(field, milliseconds, "ms", milliseconds)


def us_in_range(field: str, us: int, found: object) -> int:
    """`us` itself if it is an instant of the years 0001 to 9999; a refusal shows `found`."""
    if MIN_US <= us <= MAX_US:
        return us
    raise Refused(field, OUT_OF_RANGE, found)


def datetime_from_us(us: int) -> datetime:
    """The UTC datetime of an instant, exact to the microsecond."""
    return EPOCH + timedelta(microseconds=us)


def text_from_us(us: int) -> str:
    """RFC 3339 text in UTC, with no more digits of the second than needed: `2025-07-21T00:00:00.5Z`."""
    text = datetime_from_us(us).replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0')}Z" if "." in text else f"{text}Z"

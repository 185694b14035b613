"""Instants: integer microseconds since 1970-01-01T00:00:00Z, and the one grammar that reads them.

Text is RFC 3339 with an offset: `YYYY-MM-DD(T|t|space)HH:MM:SS[.digits](Z|z|+HH:MM|-HH:MM)`; digits
beyond the microsecond are floored, a leap second is no time. Numbers are milliseconds. Years 0001 to 9999.
Reads no clock. Weights are in `wads`, whole events in `records`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from poh_holdmetrics.errors import Refused

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROS_PER_SECOND = 1_000_000
#: 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z: the first and the last instant there is.
MIN_US = -62_135_596_800_000_000
MAX_US = 253_402_300_799_999_999

#: What the public functions take for an instant: an aware datetime, RFC 3339 text, or milliseconds.
Instant = datetime | str | int

_NOT_A_TIME = "not a time (write 2025-07-21T00:00:00Z, or milliseconds since 1970)"
_NO_OFFSET = "no UTC offset (end it with Z or an offset like +02:00)"
_OUT_OF_RANGE = "out of range (years 0001 to 9999, UTC)"

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d+))?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d)|(?P<bare>$))",
    re.ASCII,
)
_INTEGER = re.compile(r"-?\d+", re.ASCII)
#: More significant digits than any instant in milliseconds has.
_DIGITS_MAX = 18


def us_from_instant(field: str, value: object) -> int:
    """Microseconds of an aware datetime, of RFC 3339 text or of integer milliseconds.

    Raises `Refused` that begins with `field`; a boolean and a float are no times.
    """
    if isinstance(value, datetime):
        return us_from_datetime(field, value)
    if isinstance(value, str):
        return us_from_text(field, value)
    if isinstance(value, int) and not isinstance(value, bool):
        return us_from_ms(field, value)
    raise Refused(field, _NOT_A_TIME)


def us_from_datetime(field: str, value: datetime) -> int:
    """Microseconds of an aware datetime; a naive one is refused rather than guessed at."""
    if value.utcoffset() is None:
        raise Refused(field, _NO_OFFSET)
    since = value - EPOCH
    return us_in_range(field, (since.days * 86_400 + since.seconds) * MICROS_PER_SECOND + since.microseconds)


def us_from_text(field: str, text: str) -> int:
    """Microseconds of RFC 3339 text; digits alone are no time here (see `us_from_cell`)."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise Refused(field, _NOT_A_TIME)
    year, month, day, hour, minute, second, digits, sign, ahead_hours, ahead_minutes, bare = found.groups()
    number = int(year)
    try:
        # Year 0000 is a leap year as 2000 is: its days are checked before it is out of range.
        at = datetime(number or 2000, int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        raise Refused(field, _NOT_A_TIME) from None
    if bare is not None:
        raise Refused(field, _NO_OFFSET)
    if not number:
        raise Refused(field, _OUT_OF_RANGE)
    since = at - EPOCH
    seconds = since.days * 86_400 + since.seconds
    if sign is not None:
        ahead = int(ahead_hours) * 3600 + int(ahead_minutes) * 60
        seconds += -ahead if sign == "+" else ahead
    micros = int(digits[:6].ljust(6, "0")) if digits else 0
    return us_in_range(field, seconds * MICROS_PER_SECOND + micros)


def us_from_cell(field: str, text: str) -> int:
    """Microseconds of a CSV cell or a command line's word: digits are milliseconds, the rest is RFC 3339."""
    if _INTEGER.fullmatch(text):
        return us_from_digits(field, text)
    return us_from_text(field, text)


def us_from_digits(field: str, text: str) -> int:
    """Microseconds of milliseconds in decimal digits, with an optional minus, of any length."""
    digits = text.removeprefix("-").lstrip("0") or "0"
    # Python reads no more than 4300 digits; far fewer are already outside every year.
    if len(digits) > _DIGITS_MAX:
        raise Refused(field, _OUT_OF_RANGE)
    return us_from_ms(field, -int(digits) if text.startswith("-") else int(digits))


def us_from_ms(field: str, milliseconds: int) -> int:
    """Microseconds of integer milliseconds."""
    return us_in_range(field, milliseconds * 1000)


def us_in_range(field: str, us: int) -> int:
    """`us` itself, where it is an instant of the years 0001 to 9999."""
    if MIN_US <= us <= MAX_US:
        return us
    raise Refused(field, _OUT_OF_RANGE)


def datetime_from_us(us: int) -> datetime:
    """The UTC datetime of an instant, exact to the microsecond."""
    return EPOCH + timedelta(microseconds=us)


def text_from_us(us: int) -> str:
    """RFC 3339 text in UTC, with no more digits of the second than needed: `2025-07-21T00:00:00.5Z`."""
    text = datetime_from_us(us).replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0')}Z" if "." in text else f"{text}Z"

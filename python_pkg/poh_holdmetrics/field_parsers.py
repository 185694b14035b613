"""How times, integers and flags are written in JSON, in CSV and in columns.

Decimals are read by `wads` in each of their forms; other forms are in `value_forms`. The checks of a whole
event are in `validation`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from poh_holdmetrics import instants, wads
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.integers import integer_from, truth_from

#: The largest `revision` and `seq`.
INTEGER_MAX = 2**63 - 1
DIGITS = re.compile(r"-?\d+", re.ASCII)

_INTEGER = "not an integer from 0 to 2^63-1"
_FLAG = "not true or false"
_INTEGER_DIGITS_MAX = 19


class Number(str):
    """A number of a JSON document as it was written, so that no digit is lost."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldParsers:
    """How one source writes times, integers and flags; each function takes a field and a present value."""

    time: Callable[[str, object], int]
    integer: Callable[[str, object], int]
    flag: Callable[[str, object], bool]
    decimal: Callable[..., int] = wads.wad_from_value
    """Also takes `signed`."""


def checked_integer(field: str, value: object) -> int:
    """A `revision` or `seq` given as an integer; a boolean is refused."""
    return _integer_in_range(field, integer_from(value), value)


def _integer_in_range(field: str, number: int | None, found: object) -> int:
    if number is None or not 0 <= number <= INTEGER_MAX:
        raise Refused(field, _INTEGER, found)
    return number


def checked_flag(field: str, value: object) -> bool:
    """A `retract` given as a boolean."""
    truth = truth_from(value)
    if truth is None:
        raise Refused(field, _FLAG, value)
    return truth


def _json_time(field: str, value: object) -> int:
    if isinstance(value, Number):
        return instants.us_from_number(field, value)
    if isinstance(value, str):
        return instants.us_from_text(field, value)
    raise Refused(field, instants.NOT_A_TIME, value)


def _json_integer(field: str, value: object) -> int:
    if isinstance(value, Number):
        return _integer_from_digits(field, value)
    raise Refused(field, _INTEGER, value)


def _csv_time(field: str, value: object) -> int:
    return instants.us_from_cell(field, str(value))


def _csv_integer(field: str, value: object) -> int:
    return _integer_from_digits(field, str(value))


def _csv_flag(field: str, value: object) -> bool:
    word = str(value).lower()
    if word in ("true", "false"):
        return word == "true"
    raise Refused(field, _FLAG, value)


def _integer_from_digits(field: str, text: str) -> int:
    if DIGITS.fullmatch(text):
        significant = text.removeprefix("-").lstrip("0") or "0"
        if len(significant) <= _INTEGER_DIGITS_MAX:
            number = -int(significant) if text.startswith("-") else int(significant)
            return _integer_in_range(field, number, text)
    raise Refused(field, _INTEGER, text)


def _table_time(field: str, value: object) -> int:
    if isinstance(value, str):
        return _json_time(field, value)
    us = integer_from(value)
    if us is None:
        raise Refused(field, instants.NOT_A_TIME, value)
    return instants.us_in_range(field, us, Number(f"{us} microseconds"))


def _micros_time(field: str, value: object) -> int:
    us = integer_from(value)
    if us is None:
        raise Refused(field, instants.NOT_A_TIME, value)
    return instants.us_in_range(field, us, us)


#: JSON whose numbers were all read as `Number`.
JSON = FieldParsers(time=_json_time, integer=_json_integer, flag=checked_flag)
#: Cells of text.
CSV = FieldParsers(time=_csv_time, integer=_csv_integer, flag=_csv_flag)
#: Columns: times are integer microseconds.
MICROS = FieldParsers(time=_micros_time, integer=checked_integer, flag=checked_flag)
#: Columns of tables: times are integer microseconds, numbers as they were written, or text.
TABLE = FieldParsers(time=_table_time, integer=checked_integer, flag=checked_flag)

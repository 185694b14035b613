"""What a text that is not a time or not a decimal probably is, so that a refusal can name the cure.

Looks at text that was refused, and at nothing else: what is accepted is decided in `instants` and `wads`. The
binary says the same of the same text; both are held to one list of texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from poh_holdmetrics.errors import Reason

_EMPTY = Reason.of("an empty text; leave the value out, or write null in JSON", "")
_NULL = ", or read the file with --null"
_NULL_WORD = Reason.of("a word for an absent value; leave the value out{}", _NULL)
_INFINITY = Reason.of("an infinite time; leave the value out{}", _NULL)
_ZERO_DATE = Reason.of("a zero date for an absent value; leave the value out{}", _NULL)
_HEXADECIMAL = Reason.of("a hexadecimal number; write its decimal digits", "")
_THOUSANDS = Reason.of("thousands separators are not read; write the digits without them", "")
_DECIMAL_COMMA = Reason.of("a decimal comma is not read; write a point", "")
_TIME_UNIT = Reason.of(
    "a number with a unit; write the number alone{}", ", and name its unit with --time-unit"
)
_NUMBER_UNIT = Reason.of("a number with a unit; write the number alone", "")
_SCIENTIFIC = Reason.of("scientific notation is read like 1.5e3", "")
_COUNT_IN_TEXT = Reason.of("a count in text has digits alone; leave out the point and the exponent", "")
_OUTER_BLANKS = Reason.of("blanks or line breaks around it; remove them", "")
_INNER_BLANK = Reason.of("a blank inside; remove it", "")
_NOT_ASCII = Reason.of("digits or signs beyond ASCII; write 0 to 9 and -", "")
_PARENTHESES = Reason.of("a number in parentheses; write a minus sign before it", "")
_TWELVE_HOURS = Reason.of("a 12-hour clock; write the hour as 00 to 23", "")
_ZONE_NAME = Reason.of("a zone by its name; write the offset alone, like Z or +02:00", "")
_AMBIGUOUS_DATE = Reason.of("a date that can be read in two ways; write it like 2025-07-21T00:00:00Z", "")
_OTHER_DATE = Reason.of("a date in another form; write it like 2025-07-21T00:00:00Z", "")
_TIME_OF_DAY = Reason.of("a time of day without a date; write both, like 2025-07-21T00:00:00Z", "")
_DOES_NOT_EXIST = Reason.of("a day, a time of day or an offset that does not exist", "")

#: What stands for an absent value in exports of databases and libraries, in lower case.
_NULL_WORDS = (
    *("null", "nil", "none", "nan", "nat", "na", "n/a", "#n/a", "<na>", "\\n", "(null)", "(none)"),
    *("undefined", "unknown", "missing", "invalid date", "never", "present", "current", "open", "ongoing"),
    *("-", "--", "?"),
)

_LONG_YEAR = re.compile(r"(?:[+-]?\d{5,}|-\d{4})-\d\d-\d\d.*", re.ASCII | re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_COUNT = re.compile(r"[+-]?\d+\.?\d*(?:[eE][+-]?\d+)?", re.ASCII)
_HEX = re.compile(r"[+-]?0[xX][0-9a-fA-F]*")
_SEPARATORS = ",. _'\u2019\u00a0\u202f\u2009"
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:[Zz]|UTC|[+-]\d\d(?::?\d\d)?))?", re.ASCII
)
_NAMED_ZONE = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d[\d:.]*(?P<offset>[^a-zA-Z]*)(?P<name>[a-zA-Z].+)", re.ASCII
)
_DAY_FIRST = re.compile(r"\d{1,2}[./-]\d{1,2}[^\d]\d{2,4}(?:\D.*)?", re.ASCII | re.DOTALL)
_YEAR_FIRST = re.compile(r"\d{4}\D\d{1,2}\D\d{1,2}(?:\D.*)?", re.ASCII | re.DOTALL)
_BASIC = re.compile(r"\d{8}T.*", re.ASCII | re.DOTALL)
_MONTH = re.compile(r"(?<![^\W\d_])(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?!\d).*", re.ASCII | re.DOTALL)
_UNFINISHED = re.compile(r"[\d.+-]+[eE][\d.+-]*", re.ASCII)
_DIGIT = re.compile(r"\d", re.ASCII)
_CURRENCIES = "%$€£¥"


def cause_of_time(text: str, is_date_time: Callable[[str], bool]) -> Reason | None:
    """What `text`, which was refused as a time, probably is, with the cure; None if that is not known.

    `is_date_time` says whether a text is a valid date and time of day, with an offset or without one.
    """
    trimmed = text.strip()
    if len(trimmed) < len(text) and is_date_time(trimmed):
        return _OUTER_BLANKS
    return (
        _absent(trimmed.lower())
        or _absent_time(trimmed.lower())
        or (_COUNT_IN_TEXT if _COUNT.fullmatch(trimmed) else None)
        or _cause_of_number(trimmed)
        or (
            _cause_of_date_time(trimmed, is_date_time)
            if _DATE.match(trimmed)
            else _cause_of_other_time(trimmed)
        )
    )


def has_long_year(text: str) -> bool:
    """Whether a date has a year of more than four digits, or one before the year 0."""
    return _LONG_YEAR.fullmatch(text.strip()) is not None


def cause_of_decimal(text: str) -> Reason | None:
    """What `text`, which was refused as a decimal, probably is, with the cure; None if that is not known."""
    trimmed = text.strip()
    is_number_in_blanks = len(trimmed) < len(text) and _NUMBER.fullmatch(trimmed)
    return (
        _absent(trimmed.lower())
        or (_OUTER_BLANKS if is_number_in_blanks else None)
        or _cause_of_number(trimmed)
        or (_cause_of_other_number(trimmed) if _DIGIT.search(trimmed) else None)
    )


def _absent(lower: str) -> Reason | None:
    if not lower:
        return _EMPTY
    return _NULL_WORD if lower in _NULL_WORDS else None


def _absent_time(lower: str) -> Reason | None:
    if lower.lstrip("+-") in ("inf", "infinity"):
        return _INFINITY
    return _ZERO_DATE if lower.startswith("0000-00-00") else None


def _cause_of_other_time(text: str) -> Reason | None:
    """Of a text that does not begin with a date as we read it."""
    if _is_number_and_words(text):
        return _TIME_UNIT
    if _DAY_FIRST.fullmatch(text):
        return _AMBIGUOUS_DATE
    has_month = _MONTH.search(text.lower()) and _DIGIT.search(text)
    if _YEAR_FIRST.fullmatch(text) or _BASIC.fullmatch(text) or has_month:
        return _OTHER_DATE
    return _TIME_OF_DAY if _CLOCK.fullmatch(text) else None


def _cause_of_other_number(text: str) -> Reason | None:
    """Of a text that has a digit."""
    if text.startswith("(") and text.endswith(")"):
        return _PARENTHESES
    if _UNFINISHED.fullmatch(text) or any(sign in text for sign in ("^", "x10", "*10")):
        return _SCIENTIFIC
    together = "".join(text.split())
    if len(together) < len(text) and _NUMBER.fullmatch(together):
        return _INNER_BLANK
    after_unit = _without_unit(text)
    is_after_unit = len(after_unit) < len(text) and _is_number_alone(after_unit.strip())
    return _NUMBER_UNIT if is_after_unit or _is_number_and_words(text) else None


def _cause_of_number(text: str) -> Reason | None:
    if _HEX.fullmatch(text):
        return _HEXADECIMAL
    if any(letter == "\u2212" or (not letter.isascii() and letter.isnumeric()) for letter in text):
        return _NOT_ASCII
    return _grouped(text[1:] if text[:1] in ("+", "-") else text)


def _grouped(text: str) -> Reason | None:
    """Of digits with separators between them."""
    groups = re.split(f"[{re.escape(_SEPARATORS)}]", text)
    separators = [letter for letter in text if letter in _SEPARATORS]
    if not separators or not all(group.isascii() and group.isdigit() for group in groups):
        return None
    first, are_equal = separators[0], len(set(separators)) == 1
    if not are_equal:
        return _THOUSANDS if set(separators[:-1]) == {first} and separators[-1] != first else None
    are_thousands = re.fullmatch(r"(?!0\D)\d{1,3}(?:\D\d{3})+", text, re.ASCII) is not None
    if first == "," and len(separators) == 1 and not are_thousands:
        return _DECIMAL_COMMA
    if first in ". " and not are_thousands:
        return _INNER_BLANK if first == " " else None
    return _THOUSANDS if first != "." or len(separators) > 1 else None


def _cause_of_date_time(text: str, is_date_time: Callable[[str], bool]) -> Reason | None:
    """Of a text that begins with a date as we read it."""
    tight = " ".join(text.split())
    for loose, close in (("T ", "T"), (" +", "+"), (" -", "-"), (" :", ":"), (": ", ":")):
        tight = tight.replace(loose, close)
    if tight != text and is_date_time(tight):
        return _INNER_BLANK
    if is_date_time(text.replace(",", ".")):
        return _DECIMAL_COMMA
    named = _NAMED_ZONE.fullmatch(text)
    if named and named["name"].split()[0].replace(".", "").lower() in ("am", "pm"):
        return _TWELVE_HOURS
    if named and len(named["name"]) > 1 and (named["name"] != "UTC" or named["offset"].strip()):
        return _ZONE_NAME
    return _DOES_NOT_EXIST if _DATE_TIME.fullmatch(text) else None


def _is_number_and_words(text: str) -> bool:
    number = text
    while number and (number[-1].isalpha() or number[-1] == " " or number[-1] in _CURRENCIES):
        number = number[:-1]
    return len(number) < len(text) and _is_number_alone(number)


def _is_number_alone(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d[\d.,]*", text, re.ASCII) is not None


def _without_unit(text: str) -> str:
    start = 0
    while start < len(text) and (text[start].isalpha() or text[start] in _CURRENCIES):
        start += 1
    return text[start:]

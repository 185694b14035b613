"""One accepted event as plain integers and text, and the checks that every event passes.

`FieldParsers` says how times, weights and flags are written where an event comes from; the checks and their
order are the same for every source. Builds no model and keeps no state: models are in `data_models`, lines
of files in `row_reader`, facts in `pure.facts`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from poh_holdmetrics import instants, wads
from poh_holdmetrics.errors import Refused

REVISION_MAX = 2**63 - 1

_ID_MISSING = "missing or empty"
_ID_NOT_TEXT = "not text"
_EVENT_ID = "empty or not text"
_REVISION = "not an integer from 0 to 2^63-1"
_RETRACT = "not true or false"
_DIGITS = re.compile(r"-?\d+", re.ASCII)
_REVISION_DIGITS_MAX = 19


class Number(str):
    """A number of a JSON document as it was written, so that no digit is lost."""

    __slots__ = ()


class Record(NamedTuple):
    """One accepted event: times in microseconds or None, the weight in steps of 1e-18."""

    token_id: str
    holder_id: str
    start_us: int | None
    end_us: int | None
    wad: int
    event_id: str | None
    revision: int
    retract: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldParsers:
    """How one source writes what is not text; each function takes a value that is present."""

    time: Callable[[str, object], int]
    weight: Callable[[str, object], int]
    revision: Callable[[object], int]
    retract: Callable[[object], bool]


def record_from_fields(
    parsers: FieldParsers,
    token_id: object,
    holder_id: object,
    start: object = None,
    end: object = None,
    weight: object = None,
    event_id: object = None,
    revision: object = None,
    retract: object = None,
) -> Record:
    """The record of one event, its fields read by `parsers`; None means that the field is absent.

    Raises `Refused` at the first invalid field, in the order of the arguments, then at fields that
    contradict each other.
    """
    record = Record(
        checked_id("token_id", token_id),
        checked_id("holder_id", holder_id),
        None if start is None else parsers.time("start", start),
        None if end is None else parsers.time("end", end),
        wads.WAD if weight is None else parsers.weight("weight", weight),
        None if event_id is None else checked_event_id(event_id),
        0 if revision is None else parsers.revision(revision),
        False if retract is None else parsers.retract(retract),
    )
    check_together(record)
    return record


def check_together(record: Record) -> None:
    """Raise `Refused` if fields that are valid each alone contradict each other."""
    _, _, start_us, end_us, _, event_id, revision, retract = record
    if event_id is None and (revision or retract):
        raise Refused("", "revision or retract without event_id (an event is corrected by its event_id)")
    if start_us is None and end_us is None:
        if not retract:
            raise Refused("start, end", "neither is given (an event has a start, an end, or both)")
    elif start_us is not None and end_us is not None and end_us < start_us:
        raise Refused("end", "before start")


def checked_id(field: str, value: object) -> str:
    """A `token_id` or `holder_id`: non-empty text that can be written as UTF-8."""
    if isinstance(value, str) and value and not isinstance(value, Number):
        return _encodable(field, value, _ID_NOT_TEXT)
    raise Refused(field, _ID_MISSING if value is None or value == "" else _ID_NOT_TEXT)


def checked_event_id(value: object) -> str:
    """An `event_id`: non-empty text that can be written as UTF-8."""
    if isinstance(value, str) and value and not isinstance(value, Number):
        return _encodable("event_id", value, _EVENT_ID)
    raise Refused("event_id", _EVENT_ID)


def checked_revision(value: object) -> int:
    """A `revision` given as an integer; a boolean is refused."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= REVISION_MAX:
        return value
    raise Refused("revision", _REVISION)


def checked_retract(value: object) -> bool:
    """A `retract` given as a boolean."""
    if isinstance(value, bool):
        return value
    raise Refused("retract", _RETRACT)


def _encodable(field: str, text: str, reason: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(
            field, f"{reason} (it holds half of a surrogate pair, which UTF-8 cannot write)"
        ) from None
    return text


def _json_time(field: str, value: object) -> int:
    if isinstance(value, Number):
        if _DIGITS.fullmatch(value):
            return instants.us_from_digits(field, value)
    elif isinstance(value, str):
        return instants.us_from_text(field, value)
    return instants.us_from_instant(field, None)


def _json_weight(field: str, value: object) -> int:
    return wads.wad_from_value(field, value if isinstance(value, str) else None)


def _json_revision(value: object) -> int:
    return _revision_from_digits(value if isinstance(value, Number) else "")


def _csv_time(field: str, value: object) -> int:
    return instants.us_from_cell(field, str(value))


def _csv_weight(field: str, value: object) -> int:
    return wads.wad_from_text(field, str(value))


def _csv_revision(value: object) -> int:
    return _revision_from_digits(str(value))


def _csv_retract(value: object) -> bool:
    word = str(value).lower()
    if word in ("true", "false"):
        return word == "true"
    raise Refused("retract", _RETRACT)


def _revision_from_digits(text: str) -> int:
    if _DIGITS.fullmatch(text):
        significant = text.removeprefix("-").lstrip("0") or "0"
        if len(significant) <= _REVISION_DIGITS_MAX:
            return checked_revision(-int(significant) if text.startswith("-") else int(significant))
    raise Refused("revision", _REVISION)


def _micros_time(field: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return instants.us_in_range(field, value)
    return instants.us_from_instant(field, None)


#: JSON whose numbers were all read as `Number`; digits in quotes are not a time.
JSON = FieldParsers(time=_json_time, weight=_json_weight, revision=_json_revision, retract=checked_retract)
#: Cells of text; digits are milliseconds.
CSV = FieldParsers(time=_csv_time, weight=_csv_weight, revision=_csv_revision, retract=_csv_retract)
#: Columns: times are integer microseconds.
MICROS = FieldParsers(
    time=_micros_time, weight=wads.wad_from_value, revision=checked_revision, retract=checked_retract
)

"""The limits of a service on events, and the one function that turns a caller's fields into records.

The checks of an event itself are in `validation`; here are those that only a service has: how long an id may
be, and how far ahead of its clock an event may begin. Stores nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from poh_holdmetrics import field_parsers, validation
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.instants import MICROS_PER_SECOND
from poh_holdmetrics.row_reader import values_from_json

if TYPE_CHECKING:
    from poh_holdmetrics.field_parsers import FieldParsers
    from poh_holdmetrics.validation import Record

#: One gRPC message, or one HTTP body that is not streamed.
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
#: Events of one batch or JSON array.
BATCH_EVENTS_MAX = 65_536
#: One line of a streamed HTTP body.
LINE_BYTES_MAX = 64 * 1024
TOO_LONG = f"a line may have at most {LINE_BYTES_MAX} bytes"
ID_BYTES_MAX = 256
_AHEAD_SECONDS_MAX = 300
#: How far after the present an event may begin.
AHEAD_US_MAX = _AHEAD_SECONDS_MAX * MICROS_PER_SECOND

#: Where `from_id` and `to_id` are in the values of `input_options.FIELDS`.
_PARTIES = slice(11, 13)


def records_from_line(line: bytes, now_us: int) -> tuple[Record, ...]:
    """The records of one event or transfer as an object of JSON; errors as for `accepted_records`."""
    try:
        values = values_from_json(line)
    except Refused as refused:
        raise refused.for_service() from refused
    return accepted_records(field_parsers.JSON, values, now_us)


def accepted_records(parsers: FieldParsers, values: Sequence[object], now_us: int) -> tuple[Record, ...]:
    """The records of one event or transfer whose `values` are those of `input_options.FIELDS`.

    Raises `Refused` if it is invalid, or if a service does not take it at the time `now_us`.
    """
    try:
        return _accepted_records(parsers, values, now_us)
    except Refused as refused:
        raise refused.for_service() from refused


def _accepted_records(parsers: FieldParsers, values: Sequence[object], now_us: int) -> tuple[Record, ...]:
    records = validation.records_from_fields(parsers, *values)
    first = records[0]
    from_id, to_id = values[_PARTIES]
    is_transfer = any(value is not None for value in values[11:14])
    parties = {"from_id": from_id, "to_id": to_id} if is_transfer else {"holder_id": first.holder_id}
    for field, value in {"token_id": first.token_id, **parties, "event_id": first.event_id}.items():
        _check_length(field, "" if value is None else str(value))
    if not first.retract:
        _check_begin("start", first.start_us, now_us)
        _check_begin("at", first.at_us, now_us)
    return records


def _check_length(field: str, text: str) -> None:
    if (count := len(text.encode())) > ID_BYTES_MAX:
        raise Refused(field, f"{count} bytes, the maximum is {ID_BYTES_MAX}")


def _check_begin(field: str, begin_us: int | None, now_us: int) -> None:
    ahead_us = 0 if begin_us is None else begin_us - now_us
    if ahead_us > AHEAD_US_MAX:
        seconds = -(-ahead_us // MICROS_PER_SECOND)
        raise Refused(
            field, f"{seconds} s ahead of the server's clock, the maximum is {_AHEAD_SECONDS_MAX} s"
        )

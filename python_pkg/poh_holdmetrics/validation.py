"""One accepted event as plain integers and text, and the checks that every event passes.

The checks and their order are the same for every source; how a source writes its fields is in
`field_parsers`. A transfer becomes the changes of its two parties here. Builds no model and keeps no state:
models are in `data_models`, lines of files in `row_reader`, facts in `pure.facts`.
"""

from __future__ import annotations

from typing import NamedTuple

from poh_holdmetrics import wads
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.field_parsers import DIGITS, FieldParsers, Number
from poh_holdmetrics.integers import integer_from

#: As a party of a transfer it does not count as a holder: tokens are minted from it and burned to it.
NULL_ADDRESS = "0x" + "0" * 40

_ID_MISSING = "missing or empty"
_ID_NOT_TEXT = "not text"
_EVENT_ID = "empty or not text"


class Record(NamedTuple):
    """One accepted event: times in microseconds or None, weight and delta in steps of 1e-18.

    A hold has `start_us`, `end_us` or both; a change of balance has `at_us` and `delta`; a retraction may
    have none of these.
    """

    token_id: str
    holder_id: str
    start_us: int | None
    end_us: int | None
    wad: int
    event_id: str | None
    revision: int
    retract: bool
    at_us: int | None = None
    delta: int | None = None
    seq: int = 0


def records_from_fields(
    parsers: FieldParsers,
    token_id: object,
    holder_id: object,
    start: object = None,
    end: object = None,
    weight: object = None,
    event_id: object = None,
    revision: object = None,
    retract: object = None,
    at: object = None,
    delta: object = None,
    seq: object = None,
    from_id: object = None,
    to_id: object = None,
    amount: object = None,
) -> tuple[Record, ...]:
    """The record of a hold or a change, or the records of a transfer; None means that a field is absent.

    Raises `Refused` at the first invalid field, then at fields that are missing or contradict each other.
    """
    if from_id is None and to_id is None and amount is None:
        record = Record(
            checked_id("token_id", token_id),
            checked_id("holder_id", holder_id),
            None if start is None else parsers.time("start", start),
            None if end is None else parsers.time("end", end),
            wads.WAD if weight is None else parsers.decimal("weight", weight),
            None if event_id is None else checked_event_id(event_id),
            0 if revision is None else parsers.integer("revision", revision),
            False if retract is None else parsers.flag("retract", retract),
            None if at is None else parsers.time("at", at),
            None if delta is None else parsers.decimal("delta", delta, signed=True),
            0 if seq is None else parsers.integer("seq", seq),
        )
        check_together(record, weight is not None, end)
        return (record,)
    _check_transfer(
        has_party=from_id is not None or to_id is not None,
        is_at=at is not None,
        holder_id=holder_id or None,
        delta=delta,
        start=start,
        end=end,
        weight=weight,
    )
    return transfer_records(
        checked_id("token_id", token_id),
        checked_party("from_id", from_id),
        checked_party("to_id", to_id),
        None if event_id is None else checked_event_id(event_id),
        0 if revision is None else parsers.integer("revision", revision),
        False if retract is None else parsers.flag("retract", retract),
        None if at is None else parsers.time("at", at),
        None if amount is None else parsers.decimal("amount", amount),
        0 if seq is None else parsers.integer("seq", seq),
    )


def _check_transfer(*, has_party: bool, is_at: bool, **others: object) -> None:
    """Refuse fields of another event; an amount of a holder alone is probably a weight or a delta."""
    meant = "delta" if is_at else "weight"
    if not has_party and others["holder_id"] is not None and others[meant] is None:
        raise Refused("amount", f"given without from_id and to_id (did you mean {meant}? rename it)")
    for field, value in others.items():
        if value is not None:
            raise Refused(
                field, "given for a transfer (a transfer has from_id, to_id, at and amount instead)"
            )


def transfer_records(
    token_id: str,
    from_id: str | None,
    to_id: str | None,
    event_id: str | None,
    revision: int,
    retract: bool,  # noqa: FBT001 - a field among fields
    at_us: int | None,
    amount: int | None,
    seq: int,
) -> tuple[Record, ...]:
    """The changes of the parties that are holders, each under the transfer's `event_id`.

    A transfer to oneself is one change of 0. Raises `Refused` if a field is missing.
    """
    if from_id is None and to_id is None:
        raise Refused(
            "from_id, to_id",
            "no holder in either (a transfer has a sender, a receiver, or both)",
            blamed="from_id",
        )
    if event_id is None:
        raise Refused("event_id", "missing (a transfer needs one)")
    if not retract:
        _check_present("a transfer", at=at_us, amount=amount)
    sides = {} if from_id is None else {from_id: -(amount or 0)}
    if to_id is not None:
        sides[to_id] = sides.get(to_id, 0) + (amount or 0)
    return tuple(
        Record(
            token_id,
            holder_id,
            None,
            None,
            wads.WAD,
            event_id,
            revision,
            retract,
            at_us,
            None if amount is None else delta,
            seq,
        )
        for holder_id, delta in sides.items()
    )


def check_together(record: Record, has_weight: bool, end: object = None) -> None:  # noqa: FBT001 - by position, which is faster
    """Raise `Refused` if fields that are valid each alone are missing or contradict each other.

    `end` is what the record was given for its end, which a refusal shows.
    """
    _, _, start_us, end_us, _, event_id, revision, retract, at_us, delta, _ = record
    if at_us is not None or delta is not None:
        _check_change(record, has_weight=has_weight)
    elif event_id is None and (revision or retract):
        raise Refused(
            "",
            "revision or retract without event_id (an event is corrected by its event_id)",
            blamed="event_id",
        )
    elif start_us is None and end_us is None:
        if not retract:
            raise Refused(
                "start, end", "neither is given (an event has a start, an end, or both)", blamed="start"
            )
    elif start_us is not None and end_us is not None and end_us < start_us:
        raise Refused("end", "before start", end)


def _check_change(record: Record, *, has_weight: bool) -> None:
    for field, is_given in (
        ("start", record.start_us is not None),
        ("end", record.end_us is not None),
        ("weight", has_weight),
    ):
        if is_given:
            raise Refused(field, "given for a change of balance (a change has at and delta instead)")
    if record.event_id is None:
        raise Refused("event_id", "missing (a change of balance needs one)")
    if not record.retract:
        _check_present("a change of balance", at=record.at_us, delta=record.delta)


def _check_present(what: str, **fields: int | None) -> None:
    for field, value in fields.items():
        if value is None:
            raise Refused(field, f"missing ({what} needs one)")


class UndecodedId(bytes):
    """An id in a column of bytes that is not UTF-8: a refusal does not quote it."""


def checked_id(field: str, value: object) -> str:
    """A `token_id` or `holder_id`: non-empty text that can be written as UTF-8, or an integer's digits."""
    if value is None or (isinstance(value, str) and not value):
        raise Refused(field, _ID_MISSING)
    if isinstance(value, Number):
        if DIGITS.fullmatch(value):
            return str(value)
    elif isinstance(value, str):
        return _encodable(field, value, _ID_NOT_TEXT)
    elif isinstance(value, UndecodedId):
        raise Refused(field, _ID_NOT_TEXT)
    else:
        number = integer_from(value)
        if number is not None:
            return str(number)
    raise Refused(field, _ID_NOT_TEXT, value)


def checked_party(field: str, value: object) -> str | None:
    """A `from_id` or `to_id`; None for one that is not a holder: absent, empty or the null address."""
    if value is None or (isinstance(value, str) and value in ("", NULL_ADDRESS)):
        return None
    return checked_id(field, value)


def checked_event_id(value: object) -> str:
    """An `event_id`: non-empty text that can be written as UTF-8."""
    if isinstance(value, str) and value and not isinstance(value, Number):
        return _encodable("event_id", value, _EVENT_ID)
    raise Refused("event_id", _EVENT_ID, value)


def _encodable(field: str, text: str, reason: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(
            field, f"{reason} (it has half of a surrogate pair, which UTF-8 cannot encode)", text
        ) from None
    return text

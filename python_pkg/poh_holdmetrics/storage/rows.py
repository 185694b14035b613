"""What databases keep of an event: its content-derived id, and its values without any float.

Weights and deltas are the digits of a count of 1e-18 as text, because databases have no exact integer of 128
bits; everything else fits into text and 64-bit integers. Talks to no database.
"""

from __future__ import annotations

from hashlib import blake2b

from poh_holdmetrics.validation import Record

#: 160 bits: two events of one id are out of reach by chance and by intent.
_ID_BYTES = 20

#: The values of a record in its order, `wad` and `delta` as text.
Row = tuple[str, str, int | None, int | None, str, str | None, int, bool | int, int | None, str | None, int]
COLUMNS = (
    *("token_id", "holder_id", "start_us", "end_us", "weight_wads", "event_id"),
    *("revision", "retract", "at_us", "delta_wads", "seq"),
)


def row_with_id(record: Record) -> tuple[bytes, *Row]:
    """The id of an event, equal for equal events on every machine and in every version, and its values.

    In what is hashed, the texts are preceded by their lengths, and `event_id` is last, so that no two events
    are written alike.
    """
    token_id, holder_id, start_us, end_us, wad, event_id, revision, retract, at_us, delta, seq = record
    weight_wads = str(wad)
    delta_wads = None if delta is None else str(delta)
    written = (
        f"{len(token_id)}:{token_id}{len(holder_id)}:{holder_id}"
        f"{'' if start_us is None else start_us},{'' if end_us is None else end_us},{weight_wads},{revision},"
        f"{1 if retract else 0},{'' if at_us is None else at_us},{delta_wads or ''},{seq},{event_id or ''}"
    )
    return (
        blake2b(written.encode(), digest_size=_ID_BYTES).digest(),
        *(token_id, holder_id, start_us, end_us, weight_wads, event_id, revision, retract, at_us),
        *(delta_wads, seq),
    )


def content_id(record: Record) -> bytes:
    """The id alone; see `row_with_id`."""
    return row_with_id(record)[0]


def row_from_record(record: Record) -> Row:
    """The values alone, as a database keeps them."""
    return row_with_id(record)[1:]


def record_from_row(row: Row) -> Record:
    """The record that `row_from_record` was given."""
    token_id, holder_id, start_us, end_us, wads, event_id, revision, retract, at_us, delta, seq = row
    return Record(
        *(token_id, holder_id, start_us, end_us, int(wads), event_id, revision, bool(retract), at_us),
        None if delta is None else int(delta),
        seq,
    )

"""What databases keep of an event: its content-derived id, and its values without any float.

Weights and deltas are the digits of a count of 1e-18 as text, because databases have no exact integer of 128
bits; everything else fits into text and 64-bit integers. Made natively if there is native code; the answers
are equal. Talks to no database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol, cast

from poh_holdmetrics import native
from poh_holdmetrics.validation import Record

if TYPE_CHECKING:
    from poh_holdmetrics.pure.aggregator import Recorded

#: 160 bits: two events of one id are out of reach by chance and by intent.
_ID_BYTES = 20
#: Rows that are made at once: native code keeps other threads of Python waiting meanwhile.
PART_ROWS = 1000

#: The values of a record in its order, `wad` and `delta` as text.
Row = tuple[str, str, int | None, int | None, str, str | None, int, bool | int, int | None, str | None, int]
COLUMNS = (
    *("token_id", "holder_id", "start_us", "end_us", "weight_wads", "event_id"),
    *("revision", "retract", "at_us", "delta_wads", "seq"),
)

#: The content-derived id, and the values.
StoredRow = native.StoredRow


class RowParts(Protocol):
    """Events that make their own rows, without records."""

    def row_parts(self) -> Iterator[Sequence[StoredRow]]:
        """The rows, at most `PART_ROWS` at once."""


def row_parts(events: Iterable[Recorded]) -> Iterator[Sequence[StoredRow]]:
    """The rows of events, about `PART_ROWS` at once."""
    records: list[Record] = []
    for event in events:
        if hasattr(event, "row_parts"):
            yield from cast("RowParts", event).row_parts()
            continue
        records += event.records()
        if len(records) >= PART_ROWS:
            yield rows_with_ids(records)
            records = []
    yield rows_with_ids(records)


def rows_with_ids(records: Sequence[Record]) -> Sequence[StoredRow]:
    """The row of each record, natively if there is native code."""
    namespace = native.namespace()
    return list(map(row_with_id, records)) if namespace is None else namespace.rows_with_ids(records)


def row_with_id(record: Record) -> StoredRow:
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

"""Lines of JSONL and rows of CSV to records, as written: no float on the way, no digit lost.

One line in, one record or one `Refused` out; opening, counting and reporting belong to `audit` and `cli`.
Fields that no event has are ignored. The checks themselves are in `records`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NoReturn

from poh_holdmetrics import records
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.records import Number, Record

#: The columns of a CSV file and the fields of a JSON line, in the order of `record_through`.
FIELDS = ("token_id", "holder_id", "start", "end", "weight", "event_id", "revision", "retract")
#: What JSON counts as blank; a line of nothing else is skipped.
_BLANK = b" \t\r\n"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_no_constant)


def is_blank(line: bytes) -> bool:
    """Whether a line of JSONL holds nothing and is skipped without being counted."""
    return not line.strip(_BLANK)


def record_from_json(line: bytes) -> Record:
    """The record of one JSON object in UTF-8. Of a key given twice the last counts; null is absent."""
    try:
        fields = _DECODER.decode(line.decode())
    except (ValueError, RecursionError):
        raise Refused("", "not JSON") from None
    if not isinstance(fields, dict):
        raise Refused("", "not an object")
    return records.record_through(records.JSON, *map(fields.get, FIELDS))


class CsvColumns:
    """Where the fields of an event stand in the rows of one CSV file."""

    def __init__(self, header: Sequence[str]) -> None:
        """`header` names the columns, in any order; of a name given twice the last column counts."""
        place = {name: column for column, name in enumerate(header)}
        self._columns = tuple(place.get(name) for name in FIELDS)
        self._width = len(header)

    def record(self, row: Sequence[str]) -> Record:
        """The record of one row; an empty cell is an absent field."""
        if not row:
            raise Refused("", "not CSV")
        if len(row) != self._width:
            raise Refused("", f"row has {len(row)} cells, the header has {self._width}")
        cells = (None if column is None else row[column] or None for column in self._columns)
        return records.record_through(records.CSV, *cells)


def record_from_values(row: Sequence[object]) -> Record:
    """The record of a row of columns: times in integer microseconds, the weight as decimal text."""
    return records.record_through(records.MICROS, *row)

"""Lines of JSONL, rows of CSV and rows of columns to records, as written: no float in between, no digit lost.

`RowReader` counts what it is given, hands accepted records on and lists refused rows. Opens no file and keeps
no event; columns that no field is read from are left to `unknown_columns`. The checks themselves are in
`validation`, files are opened in `file_scorer`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, TypeVar

from poh_holdmetrics import field_parsers, validation
from poh_holdmetrics.errors import Refused, excerpt
from poh_holdmetrics.field_parsers import Number
from poh_holdmetrics.input_options import FIELDS, OWN, InputOptions
from poh_holdmetrics.unknown_columns import NearMiss, UnknownColumns
from poh_holdmetrics.validation import Record
from poh_holdmetrics.value_forms import ValueForms

#: What JSON counts as blank; a line of nothing else is skipped.
_BLANK = b" \t\r\n"

_Row = TypeVar("_Row")

#: The number of the first row, the others following it, or one number for each row.
Numbers = int | Sequence[int]


class RowReader:
    """Reads all rows that it is given, hands on the accepted ones and lists the refused ones.

    `read` counts rows read, `accepted` those handed on; `rejected` lists (file, line, reason) in the order
    of reading. A refused row changes nothing else; a row that states a transfer is one row of two records.
    """

    def __init__(self, accept: Callable[[Record], None], options: InputOptions = OWN) -> None:
        """`accept` is called with every accepted record; it never refuses one."""
        self.read = 0
        self.accepted = 0
        self.rejected: list[tuple[str, int, str]] = []
        self._accept = accept
        self._options = options
        self._json_keys = tuple(map(options.source, FIELDS))
        self._json_forms = ValueForms(options, field_parsers.JSON)
        self._unknown = UnknownColumns(options)

    def feed_jsonl(self, lines: Sequence[bytes], file: str, numbers: Numbers) -> None:
        """Read raw lines without their newline; blank ones are skipped and not counted as read."""
        for number, line in _numbered(lines, numbers):
            if not is_blank(line):
                self._take(self._records_from_json, line, file, number)

    def feed_csv(
        self, rows: Sequence[Sequence[str]], header: Sequence[str], file: str, numbers: Numbers
    ) -> None:
        """Read rows of cells under `header`; a row without cells is one that could not be split."""
        columns = CsvColumns(header, self._options)
        for number, row in _numbered(rows, numbers):
            self._take(columns.records, row, file, number)

    def feed_values(self, rows: Sequence[Sequence[object]], file: str, numbers: Numbers) -> None:
        """Read rows of columns.

        A row has the values of `FIELDS` in their order, times in microseconds and decimals as text, None
        if absent; it may end after `retract`.
        """
        for number, row in _numbered(rows, numbers):
            self._take(records_from_values, row, file, number)

    def near_miss(self, header: Sequence[str]) -> NearMiss | None:
        """The first column that is probably meant for a field; others are listed as ignored."""
        columns = CsvColumns(header, self._options)
        return self._unknown.near_miss(columns.unread, columns.has)

    def ignored_columns(self) -> list[str]:
        """The columns and keys that no field was read from, in order, at most a hundred."""
        return self._unknown.ignored()

    def _records_from_json(self, line: bytes) -> tuple[Record, ...]:
        values = self._json_forms.values(_values_from_json(line, self._json_keys, self._unknown))
        return validation.records_from_fields(self._json_forms.parsers, *values)

    def _take(
        self, records_from: Callable[[_Row], tuple[Record, ...]], row: _Row, file: str, line: int
    ) -> None:
        self.read += 1
        try:
            records = records_from(row)
        except Refused as refused:
            self.rejected.append((file, line, str(refused)))
            return
        for record in records:
            self._accept(record)
        self.accepted += 1


class CsvColumns:
    """Which column of a CSV file holds which field of an event."""

    def __init__(self, header: Sequence[str], options: InputOptions = OWN) -> None:
        """`header` names the columns, in any order."""
        index: dict[str | None, int] = {name: column for column, name in enumerate(header)}
        sources = tuple(map(options.source, FIELDS))
        self._given = {
            name for name, source in zip(FIELDS, sources, strict=True) if source in (None, *header)
        }
        self.unread = [name for name in header if name not in sources]
        self._columns = tuple(map(index.get, sources))
        self._forms = ValueForms(options, field_parsers.CSV)
        self._width = len(header)

    def has(self, field: str) -> bool:
        """Whether the file has a column for a field, or all rows have one text for it."""
        return field in self._given

    def records(self, row: Sequence[str]) -> tuple[Record, ...]:
        """The records of one row; an empty cell is an absent field."""
        if not row:
            raise Refused("", "not CSV")
        if len(row) != self._width:
            raise Refused("", f"row has {len(row)} cells, the header has {self._width}")
        cells = [None if column is None else row[column] or None for column in self._columns]
        return validation.records_from_fields(self._forms.parsers, *self._forms.values(cells))


def is_blank(line: bytes) -> bool:
    """Whether a line of JSONL holds nothing and is skipped without being counted."""
    return not line.strip(_BLANK)


def records_from_json(line: bytes) -> tuple[Record, ...]:
    """The records of one JSON object in UTF-8; null is absent."""
    return validation.records_from_fields(field_parsers.JSON, *values_from_json(line))


def values_from_json(line: bytes) -> tuple[object, ...]:
    """The values of `FIELDS` in one JSON object in UTF-8, None if absent; their parsers are those of JSON.

    A key of ours that is there twice or nearly is refused.
    """
    return _values_from_json(line, FIELDS, UnknownColumns())


def _values_from_json(line: bytes, keys: Sequence[str | None], unknown: UnknownColumns) -> tuple[object, ...]:
    """The same, with the key of each field; the other keys are listed in `unknown`."""
    try:
        fields = JSON_DECODER.decode(line.decode())
    except (ValueError, RecursionError) as error:
        raise Refused("", f"not JSON{_mistake(line, error)}") from None
    if not isinstance(fields, dict):
        raise Refused("", "not an object", Number(line.decode()))
    if isinstance(fields, _Twice):
        for field, key in zip(FIELDS, keys, strict=True):
            if key in fields.twice:
                raise Refused(field, f"the key {excerpt(key)} is there twice; keep one of them")
    values = tuple(map(fields.get, keys))
    others = [key for key in fields if key not in keys]
    if others:
        near = unknown.near_miss(others, lambda name: values[FIELDS.index(name)] is not None)
        if near is not None:
            raise Refused("", f"key {near.problem}", blamed=near.field)
    return values


def records_from_values(row: Sequence[object]) -> tuple[Record, ...]:
    """The records of a row of columns: times in integer microseconds, decimals as text."""
    return validation.records_from_fields(field_parsers.MICROS, *row)


def _mistake(line: bytes, error: Exception) -> str:
    """A usual mistake with its cure and its column; empty if it is another one."""
    text = line.decode(errors="replace")
    if isinstance(error, json.JSONDecodeError):
        at = error.pos
    elif found := next((found for found in _CONSTANT.finditer(text) if found["constant"]), None):
        at = found.start()
    else:
        return ""
    rest = text[at:]
    if word := _NOT_JSON.match(rest):
        what = f"{word[0]}, which JSON does not have (write null, true or false)"
    elif rest.startswith(",") and rest[1:].lstrip()[:1] in ("", "{"):
        what = "a comma after the object (remove it, or put all objects into [ and ])"
    elif rest.startswith("'"):
        what = "single quotes (JSON has double quotes)"
    else:
        return ""
    return f": {what} at column {len(text[:at].encode()) + 1}"


_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(?P<constant>-?(?:NaN|Infinity))')
_NOT_JSON = re.compile(r"(?:NaN|-?Infinity|None|True|False|undefined|NULL|Null)(?![a-zA-Z-])")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


class _Twice(dict[str, object]):
    """An object in which keys are there more than once."""

    twice: set[str]


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    counts = Counter(key for key, _ in pairs)
    with_twice = _Twice(fields)
    with_twice.twice = {key for key, count in counts.items() if count > 1}
    return with_twice


#: Keeps numbers as they are written.
JSON_DECODER = json.JSONDecoder(
    parse_float=Number, parse_int=Number, parse_constant=_no_constant, object_pairs_hook=_object
)


def _numbered(batch: Sequence[_Row], numbers: Numbers) -> Iterable[tuple[int, _Row]]:
    if isinstance(numbers, int):
        return enumerate(batch, start=numbers)
    return zip(numbers, batch, strict=True)

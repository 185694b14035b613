"""Lines of JSONL, rows of CSV and rows of columns to records, as written: no float in between, no digit lost.

`RowReader` counts what it is given, hands accepted records on and lists refused rows. Opens no file and keeps
no event; columns that no field is read from are left to `unknown_columns`. The checks themselves are in
`validation`, files are opened in `file_scorer`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, NoReturn, TypeVar

from poh_holdmetrics import field_parsers, validation
from poh_holdmetrics.errors import Reason, Refused, excerpt, excerpt_without_quotes
from poh_holdmetrics.feeds.layout import FeedLayout, FeedRow, feed_of
from poh_holdmetrics.feeds.lookups import NO_LOOKUPS, Lookups
from poh_holdmetrics.feeds.transfers import items_of
from poh_holdmetrics.field_parsers import Number
from poh_holdmetrics.input_options import FIELDS, OWN, InputOptions
from poh_holdmetrics.unknown_columns import NearMiss, UnknownColumns
from poh_holdmetrics.validation import Record
from poh_holdmetrics.value_forms import ValueForms

#: Keys that a refusal lists.
_KEYS_SHOWN_MAX = 10
#: What JSON counts as blank; a line of nothing else is skipped.
_BLANK = b" \t\r\n"

_Row = TypeVar("_Row")

#: The cells of a row of CSV, or why it cannot be split.
CsvRow = list[str] | str

#: The number of the first row, the others following it, or one number for each row.
Numbers = int | Sequence[int]


class RowReader:
    """Reads all rows that it is given, hands on the accepted ones and lists the refused ones.

    `read` counts rows read, `accepted` those handed on; `rejected` lists (file, line, reason) in the order
    of reading. A refused row changes nothing else; a row that states a transfer is one row of two records.
    """

    def __init__(
        self,
        accept: Callable[[Record], None],
        options: InputOptions = OWN,
        lookups: Lookups = NO_LOOKUPS,
    ) -> None:
        """`accept` is called with every accepted record; it never refuses one."""
        self.notes: list[FeedLayout] = []
        """The files that were read as known feeds."""
        self.read = 0
        self.accepted = 0
        self.rejected: list[tuple[str, int, str]] = []
        self._accept = accept
        self._options = options
        self._lookups = lookups
        self._json_keys = tuple(map(options.source, FIELDS))
        self._json_forms = ValueForms(options, field_parsers.JSON, lookups)
        self._table_forms = ValueForms(options, field_parsers.TABLE, lookups)
        self._unknown = UnknownColumns(options)

    def feed_jsonl(self, lines: Sequence[bytes], file: str, numbers: Numbers) -> None:
        """Read raw lines without their newline; blank ones are skipped and not counted as read."""
        for number, line in _numbered(lines, numbers):
            if not is_blank(line):
                self._take(self._records_from_json, line, file, number)

    def feed_csv(self, rows: Sequence[CsvRow], header: Sequence[str], file: str, numbers: Numbers) -> None:
        """Read rows of cells under `header`."""
        columns = CsvColumns(header, self._options, self._lookups)
        for number, row in _numbered(rows, numbers):
            self._take(columns.records, row, file, number)

    def feed_values(self, rows: Sequence[Sequence[object]], file: str, numbers: Numbers) -> None:
        """Read rows of columns.

        A row has the values of `FIELDS` in their order, timestamps in microseconds and all else as it is
        written, None if absent; it may end after `retract`.
        """
        for number, row in _numbered(rows, numbers):
            self._take(self._records_from_values, row, file, number)

    def layout(self, file: str, names: Sequence[str], *, are_keys: bool) -> FeedLayout | None:
        """The layout of a file with these columns, or with the keys of its first row; None for all others.

        Raises `InputError` if the file or the options lack what the feed needs.
        """
        table = feed_of(self._options, names)
        if table is None:
            return None
        layout = FeedLayout(file, table, self._options, self._lookups, None if are_keys else names)
        self.notes.append(layout)
        self._unknown.ignore(layout.ignored(names))
        return layout

    def feed_rows(self, rows: Iterable[tuple[int, FeedRow | Refused]], layout: FeedLayout) -> None:
        """Read numbered rows of a feed; each transfer of a row counts by itself."""
        for number, row in rows:
            try:
                if isinstance(row, Refused):
                    raise row
                items = items_of(layout, row)
            except Refused as refused:
                self.read += 1
                self.rejected.append((layout.file, number, str(refused)))
                continue
            layout.left_out += not items
            for item in items:
                self._take(type(item).records, item, layout.file, number)

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

    def _records_from_values(self, row: Sequence[object]) -> tuple[Record, ...]:
        forms = self._table_forms
        return validation.records_from_fields(forms.parsers, *forms.values(row))

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

    def __init__(
        self, header: Sequence[str], options: InputOptions = OWN, lookups: Lookups = NO_LOOKUPS
    ) -> None:
        """`header` names the columns, in any order."""
        index: dict[str | None, int] = {name: column for column, name in enumerate(header)}
        sources = tuple(map(options.source, FIELDS))
        self._given = {
            name
            for name, source in zip(FIELDS, sources, strict=True)
            if name in options.constants or source in header
        }
        self.unread = [name for name in header if name not in sources]
        self._columns = tuple(map(index.get, sources))
        self._forms = ValueForms(options, field_parsers.CSV, lookups)
        self._width = len(header)

    def has(self, field: str) -> bool:
        """Whether the file has a column for a field, or all rows have one text for it."""
        return field in self._given

    def records(self, row: CsvRow) -> tuple[Record, ...]:
        """The records of one row; an empty cell is an absent field."""
        if isinstance(row, str):
            raise Refused("", row)
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
    fields = object_from_json(line)
    if isinstance(fields, _Twice):
        for field, key in zip(FIELDS, keys, strict=True):
            if key in fields.twice:
                raise Refused(field, f"the key {excerpt(key)} is there twice; keep one of them")
    values = tuple(None if key is None else fields.get(key) for key in keys)
    if any(type(value) in _NOT_PLAIN for value in values):
        values = tuple(map(_as_written, FIELDS, values))
    others = [key for key in fields if key not in keys]
    if others:
        near = unknown.near_miss(others, lambda name: values[FIELDS.index(name)] is not None)
        if near is not None:
            raise Refused("", near.problem.within("key {}"), blamed=near.field)
        if len(others) == len(fields):
            raise _without_ours(fields, "token_id" if keys[0] else "holder_id")
    return values


def _without_ours(fields: Mapping[str, object], missing: str) -> Refused:
    """The refusal of an object that has keys, and none of a field."""
    shown = (
        f"{excerpt_without_quotes(key)}{', an empty array' if value == [] else ''}"
        for key, value in fields.items()
    )
    keys = ", ".join(islice(shown, _KEYS_SHOWN_MAX))
    said = f"missing or empty (no key is that of a field; the keys are {keys}"
    return Refused(missing, Reason(f"{said}; name them with --columns)", f"{said})"))


# The blanks of JSON, or a text of it, which keeps its own.
_BLANKS: Final = re.compile(r'("(?:[^"\\]|\\.)*")|\s+')


def object_from_json(line: bytes) -> dict[str, object]:
    """The object of JSON that a line is, its numbers as they are written."""
    try:
        fields = JSON_DECODER.decode(line.decode())
    except (ValueError, RecursionError) as error:
        raise Refused("", f"not JSON{_mistake(line, error)}") from None
    if not isinstance(fields, dict):
        raise Refused("", "not an object", Number(_BLANKS.sub(r"\1", line.decode())))
    return fields


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
    elif what := _SERDE.get(getattr(error, "msg", ""), ""):
        return f": {what} at column {len(text[:at].encode()) + 1}"
    else:
        return ""
    return f": {what} at column {len(text[:at].encode()) + 1}"


#: What the decoder of Python says, and that of the binary.
_SERDE = {"Extra data": "trailing characters", "Expecting value": "expected value"}
#: What no field but `retract` has.
_NOT_PLAIN = frozenset((bool, dict, list))


def _as_written(field: str, value: object) -> object:
    """A value that no field has as its JSON, which a refusal shows."""
    is_plain = type(value) not in _NOT_PLAIN or (field == "retract" and isinstance(value, bool))
    return value if is_plain else Number(_json_text(value))


def _json_text(value: object) -> str:
    """A decoded value as JSON without blanks, its numbers as they were written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return f"[{','.join(map(_json_text, value))}]"
    if isinstance(value, dict):
        items = (f"{json.dumps(key, ensure_ascii=False)}:{_json_text(inner)}" for key, inner in value.items())
        return f"{{{','.join(items)}}}"
    return json.dumps(value, ensure_ascii=False)


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

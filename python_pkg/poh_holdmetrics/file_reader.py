"""Files of rows: opened, decompressed, split into lines and cells, and handed to a `RowReader`.

Reads JSON and CSV, plain or gzip. Scores nothing; the files of one run are one set in `file_scorer`. Rows are
read in `row_reader`, documents of JSON in `json_documents`.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import sys
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TextIO, cast

from poh_holdmetrics.errors import InputError, Refused, excerpt_without_quotes
from poh_holdmetrics.feeds.json_rows import paths_of_line, row_from_json
from poh_holdmetrics.feeds.tables import FEEDS, table_of_columns
from poh_holdmetrics.foreign_files import foreign_file
from poh_holdmetrics.input_options import FIELDS, InputOptions
from poh_holdmetrics.json_documents import is_document, rows_from_document
from poh_holdmetrics.row_reader import CsvRow, RowReader, is_blank

if TYPE_CHECKING:
    from poh_holdmetrics.feeds.layout import FeedLayout, FeedRow

#: Lines read at once: few enough to stop soon after a refusal, many enough to be cheap.
_BATCH_LINES = 4096
_NO_HEADER = (
    "no header line; the first line must name the columns, such as token_id,holder_id,start,end,weight or "
    "token_id,from_id,to_id,at,amount,event_id"
)
_ELSEWHERE = {
    ".parquet": "Parquet is read by main_holdmetrics score --engine native",
    ".arrow": "Arrow is read by main_holdmetrics score --engine native",
    ".zst": "zstd is read by main_holdmetrics score --engine native; or decompress the file first",
}
#: What is looked at to find the form of a file.
_HEAD_BYTES = 1 << 16
#: The first bytes of gzip data.
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class JsonBatch:
    """Lines, some of them blank, or the objects of a document."""

    lines: Sequence[bytes]
    first_line: int

    def rows(self) -> Iterator[tuple[int, bytes]]:
        """Those that are not blank, with their lines."""
        numbered = enumerate(self.lines, start=self.first_line)
        return ((number, line) for number, line in numbered if not is_blank(line))


@dataclass(frozen=True, slots=True)
class CsvBatch:
    """Rows of cells with their lines; a file without rows has one batch, too."""

    header: list[str]
    rows: list[CsvRow]
    lines: list[int]

    def feed_rows(self) -> Iterator[tuple[int, FeedRow | Refused]]:
        """The rows by the names of their columns, without empty cells."""
        for line, row in zip(self.lines, self.rows, strict=True):
            if isinstance(row, str):
                yield line, Refused("", row)
            elif len(row) != len(self.header):
                yield line, Refused("", f"row has {len(row)} cells, the header has {len(self.header)}")
            else:
                yield line, {name: cell for name, cell in zip(self.header, row, strict=True) if cell}


def batches_read(reader: RowReader, file: str, options: InputOptions) -> Iterator[None]:
    """Read `file` batch by batch, yielding after each so that the caller can stop."""
    layout: FeedLayout | None = None
    is_known = False
    for batch in batches_of(file, options):
        if isinstance(batch, CsvBatch):
            if not is_known:
                is_known, layout = True, reader.layout(file, batch.header, are_keys=False)
                if layout is None:
                    _check_header(reader, batch.header, file, options)
            if layout is None:
                reader.feed_csv(batch.rows, batch.header, file, batch.lines)
            else:
                reader.feed_rows(batch.feed_rows(), layout)
        else:
            first = next((line for _, line in batch.rows()), None)
            if not is_known and first is not None:
                # Keys may differ from row to row; those of the first one stand for all.
                is_known, layout = True, reader.layout(file, paths_of_line(first), are_keys=True)
            if layout is None:
                reader.feed_jsonl(batch.lines, file, batch.first_line)
            else:
                rows = ((line, row_from_json(text, layout.columns)) for line, text in batch.rows())
                reader.feed_rows(rows, layout)
        yield


def batches_of(file: str, options: InputOptions) -> Iterator[JsonBatch | CsvBatch]:
    """The rows of a file, unchecked. Raises `InputError` if it cannot be read."""
    with _opened(file) as (stream, is_decompressed):
        head = _peeked(stream)
        foreign = foreign_file(head, is_decompressed=is_decompressed)
        if foreign is not None:
            raise InputError(file, f"{foreign.what}; {foreign.cure}")
        if _format(file, options.input_format, head) == "csv":
            yield from _csv_batches(file, stream, options)
        else:
            yield from _json_batches(file, stream, options)


def _json_batches(file: str, stream: BinaryIO, options: InputOptions) -> Iterator[JsonBatch]:
    head = _peeked(stream)
    if head.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
        head = head.removeprefix(codecs.BOM_UTF8)
    if b"\r" in head[:-1] and b"\n" not in head:  # as old Macs wrote lines
        stream = io.BytesIO(stream.read().replace(b"\r", b"\n"))
        head = _peeked(stream)
    own = frozenset(map(options.source, FIELDS))

    def is_row(keys: Collection[str]) -> bool:
        return not own.isdisjoint(keys) or table_of_columns(keys) is not None

    if is_document(head.decode(errors="replace"), is_row):
        for line, row in rows_from_document(file, stream.read().decode(), is_row):
            yield JsonBatch([row], line)
    else:
        yield from _line_batches(stream)


def _line_batches(stream: BinaryIO) -> Iterator[JsonBatch]:
    first_line = 1
    while lines := stream.readlines(_BATCH_LINES * 64):
        yield JsonBatch(lines, first_line)
        first_line += len(lines)


def _csv_batches(file: str, stream: BinaryIO, options: InputOptions) -> Iterator[CsvBatch]:
    # What is not UTF-8 is refused by its row.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _csv_row_batches(file, text, options)
    finally:
        text.detach()  # `_opened` closes the stream


def _csv_row_batches(file: str, text: TextIO, options: InputOptions) -> Iterator[CsvBatch]:
    skipped, first = _first_line(text)
    delimiter = options.delimiter or _delimiter_of(first)
    table = csv.reader(chain([first] if first else [], text), strict=True, delimiter=delimiter)
    header = next(table, None)
    if header is None:
        raise InputError(file, _NO_HEADER)
    if not _is_utf8(header):
        raise InputError(file, "the header line is not CSV: not UTF-8 text")
    if header[0].startswith("sep="):
        raise InputError(file, "the header line is a line for Excel that names the delimiter; remove it")
    rows: list[CsvRow] = []
    lines: list[int] = []
    for line, row in _rows_of(table):
        rows.append(row)
        lines.append(skipped + line)
        if len(rows) == _BATCH_LINES:
            yield CsvBatch(header, rows, lines)
            rows, lines = [], []
    yield CsvBatch(header, rows, lines)


# Fields of which a header must have one, as text, and the option that names a column of another name.
_NEEDED: Final = (
    ({"token_id"}, "token_id", "--columns token_id=COLUMN, or --token NAME"),
    ({"holder_id", "from_id", "to_id"}, "holder_id, from_id or to_id", "--columns holder_id=COLUMN"),
    ({"start", "end", "at", "retract"}, "start, end or at", "--columns start=COLUMN"),
)


def _check_header(reader: RowReader, header: list[str], file: str, options: InputOptions) -> None:
    """Refuse a header without the columns of events, or with near misses of them."""
    sources = {field: options.source(field) for field in FIELDS}
    if twice := next((name for name in sources.values() if name and header.count(name) > 1), None):
        raise InputError(file, f"columns {twice} and {twice} are both there; keep one of them")
    listed = ", ".join(map(excerpt_without_quotes, header))
    for field in options.columns:
        if sources[field] not in header:
            raise InputError(file, f"no column {sources[field]}; the columns are {listed}")
    if near := reader.near_miss(header):
        raise InputError(file, f"column {near.problem.for_files}")
    found = {field for field, name in sources.items() if field in options.constants or name in header}
    for needed, text, cure in _NEEDED:
        if not needed & found:
            raise InputError(file, f"no column {text}; the columns are {listed}; name yours: {cure}")


def _first_line(text: TextIO) -> tuple[int, str]:
    """The first line that is not blank, and how many blank ones come before it."""
    skipped, line = 0, text.readline()
    while line and not line.strip("\r\n"):
        skipped, line = skipped + 1, text.readline()
    return skipped, line


def _rows_of(table: Any) -> Iterator[tuple[int, CsvRow]]:
    """The rows of a reader of `csv` with the lines on which they begin; blank ones are left out."""
    while True:
        before: int = table.line_num
        row: CsvRow
        try:
            row = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            row = f"not CSV: {_csv_mistake(str(error))}"
        if row and not isinstance(row, str) and not _is_utf8(row):
            row = "not CSV: not UTF-8 text"
        if row:
            yield before + 1, row


def _csv_mistake(said: str) -> str:
    """What the module `csv` says, in the words of the binary."""
    if " expected after " in said:
        return "text after a closing quote"
    return "a quoted cell has no closing quote" if said == "unexpected end of data" else said


def _is_utf8(row: list[str]) -> bool:
    text = "".join(row)
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _delimiter_of(header: str) -> str:
    """The delimiter that splits the header into most cells; of several the first."""
    unquoted = "".join(header.split('"')[::2])
    return max(",;\t|", key=unquoted.count)


def _peeked(stream: BinaryIO) -> bytes:
    """The next bytes, which remain to be read."""
    peek = getattr(stream, "peek", None)
    return bytes(peek(1)) if peek else cast("io.BytesIO", stream).getvalue()


@contextmanager
def _opened(file: str) -> Iterator[tuple[BinaryIO, bool]]:
    """The bytes of a file, and whether this decompresses them; what fails is raised as one `InputError`."""
    try:
        if file == "-":
            yield sys.stdin.buffer, False
            return
        suffix = Path(file).suffix
        if suffix in _ELSEWHERE:
            raise InputError(file, _ELSEWHERE[suffix])
        with Path(file).open("rb", buffering=_HEAD_BYTES) as plain:
            if suffix == ".gz" or _peeked(plain).startswith(_GZIP):
                # The reader is not closed as gzip data is: that would hide what failed.
                with gzip.open(plain) as unpacked:
                    yield cast("BinaryIO", io.BufferedReader(unpacked, _HEAD_BYTES)), True
            else:
                yield plain, False
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(file, f"truncated or damaged gzip data: {_gzip_mistake(file, error)}") from error
    except OSError as error:
        raise InputError(file, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InputError(file, f"not UTF-8 text (byte {error.object[error.start]:#04x})") from error
    except csv.Error as error:
        raise InputError(file, f"not CSV ({error})") from error


def _gzip_mistake(file: str, error: Exception) -> str:
    """What is wrong with gzip data, in the words of the binary."""
    if isinstance(error, EOFError):
        return "it ends early"
    with Path(file).open("rb") as plain:
        begins_well = plain.read(len(_GZIP)) == _GZIP
    follows = begins_well and str(error).startswith("Not a gzipped file")
    return "other bytes follow the gzip data" if follows else "it is not valid"


def _format(file: str, input_format: str, head: bytes) -> str:
    """By the options or the name, else by the first bytes; text of a known feed that is not JSON is CSV."""
    if input_format not in ("auto", *FEEDS):
        return input_format
    name = file.removesuffix(".gz")
    if name.endswith((".csv", ".tsv")):
        return "csv"
    is_json = name.endswith((".json", ".jsonl", ".ndjson"))
    return "csv" if input_format in FEEDS and not is_json and head.lstrip()[:1] not in b"{[" else "jsonl"

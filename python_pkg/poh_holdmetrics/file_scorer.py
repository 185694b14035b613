"""Files of hold events to one scored set: opened, split into lines, counted, refused lines listed.

Several files are one set. Prints nothing and reads no clock; the command line is `cli`, rows are read in
`row_reader`.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from poh_holdmetrics import native, wads
from poh_holdmetrics.errors import InputError, excerpt_without_quotes
from poh_holdmetrics.foreign_files import foreign_file
from poh_holdmetrics.hold_warnings import hold_warnings, no_event
from poh_holdmetrics.input_options import FIELDS, OWN, InputFormat, InputOptions
from poh_holdmetrics.json_documents import is_document, rows_from_document
from poh_holdmetrics.policies.moves import Move, moves_between
from poh_holdmetrics.policies.published import published
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.findings import Finder
from poh_holdmetrics.pure.statement import Deficit
from poh_holdmetrics.row_reader import RowReader

if TYPE_CHECKING:
    from poh_holdmetrics.hold_warnings import HoldWarning
    from poh_holdmetrics.policies.published import NamedPolicy
    from poh_holdmetrics.pure.findings import Findings
    from poh_holdmetrics.validation import Record
    from poh_holdmetrics.windows import Window

#: Lines read at once: few enough to stop soon after a refusal, many enough to be cheap.
_BATCH_LINES = 4096
_NO_HEADER = (
    "no header line; the first line must name the columns, such as token_id,holder_id,start,end,weight or "
    "token_id,from_id,to_id,at,amount,event_id"
)
_ELSEWHERE = {
    ".parquet": "Parquet is read by main_holdmetrics score",
    ".arrow": "Arrow is read by main_holdmetrics score",
    ".zst": "zstd is read by main_holdmetrics score; or decompress the file first",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredFiles:
    """The counts, refusals and leaderboard of a set of files."""

    window: Window
    read: int
    accepted: int
    rejected: list[tuple[str, int, str]]
    ignored_columns: list[str]
    """The columns and keys that no field was read from."""
    rows: list[native.Row]
    holders: int
    deficits: list[Deficit]
    warnings: list[HoldWarning]
    """What is valid and probably not meant."""
    policy: NamedPolicy | None = None
    """The policy under which the scores are published."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedFiles:
    """The same set of files under two policies; None means the scores themselves."""

    window: Window
    read: int
    accepted: int
    rejected: list[tuple[str, int, str]]
    ignored_columns: list[str]
    before: NamedPolicy | None
    after: NamedPolicy | None
    moves: list[Move]
    """The first of those who move."""
    moved: int
    holders: int
    """How many are published by at least one of the two."""
    deficits: list[Deficit]
    warnings: list[HoldWarning]


def score_files(
    files: Sequence[str],
    window: Window,
    *,
    namespace: native.Namespace | None,
    input_format: InputFormat = "auto",
    stop_at_refusal: bool = True,
    limit: int | None = None,
    policy: NamedPolicy | None = None,
) -> ScoredFiles:
    """Read `files` and score them over `window`, natively if `namespace` is given, and under `policy`.

    `limit` is the number of rows returned. Raises `InputError` if a file cannot be read, if no event is
    accepted and, with `stop_at_refusal`, at the first refused line.
    """
    engine, reader, findings = _recorded(files, namespace, input_format, stop_at_refusal=stop_at_refusal)
    snapshot = _snapshot(engine, policy, window)
    deficits = [Deficit(*row) for row in engine.deficits(window.as_of_us)]
    return ScoredFiles(
        window=window,
        read=reader.read,
        accepted=reader.accepted,
        rejected=reader.rejected,
        ignored_columns=reader.ignored_columns(),
        rows=snapshot.rows(limit),
        holders=len(snapshot),
        deficits=deficits,
        warnings=hold_warnings(findings, window, time_unit=OWN.time_unit, deficits=len(deficits)),
        policy=policy,
    )


def compare_files(
    files: Sequence[str],
    window: Window,
    before: NamedPolicy | None,
    after: NamedPolicy | None,
    *,
    namespace: native.Namespace | None,
    input_format: InputFormat = "auto",
    stop_at_refusal: bool = True,
    limit: int | None = None,
) -> ComparedFiles:
    """Read `files` once and compare two leaderboards of them; arguments as for `score_files`."""
    engine, reader, findings = _recorded(files, namespace, input_format, stop_at_refusal=stop_at_refusal)
    deficits = [Deficit(*row) for row in engine.deficits(window.as_of_us)]
    rows = [_snapshot(engine, policy, window).rows() for policy in (before, after)]
    moves, holders = moves_between(*rows)
    return ComparedFiles(
        window=window,
        read=reader.read,
        accepted=reader.accepted,
        rejected=reader.rejected,
        ignored_columns=reader.ignored_columns(),
        before=before,
        after=after,
        moves=moves[:limit],
        moved=len(moves),
        holders=holders,
        deficits=deficits,
        warnings=hold_warnings(findings, window, time_unit=OWN.time_unit, deficits=len(deficits)),
    )


def records_from_file(file: str, options: InputOptions = OWN) -> list[Record]:
    """All records of a file in their order, a transfer as its changes. Raises `InputError`."""
    records: list[Record] = []
    reader = RowReader(records.append, options)
    for _ in _batches_read(reader, file, options):
        if reader.rejected:
            name, line, reason = reader.rejected[0]
            raise InputError(f"{name}: line {line}", reason)
    return records


def _snapshot(
    engine: native.Aggregator | Aggregator, policy: NamedPolicy | None, window: Window
) -> native.Snapshot:
    return engine.snapshot(*window) if policy is None else published(policy.function, engine, window)


def _recorded(
    files: Sequence[str],
    namespace: native.Namespace | None,
    input_format: InputFormat,
    *,
    stop_at_refusal: bool,
) -> tuple[native.Aggregator | Aggregator, RowReader, Findings]:
    engine: native.Aggregator | Aggregator
    if namespace is None:
        engine = pure = Aggregator()
        record_into: Callable[[Record], None] = pure.add
    else:
        engine = natively = namespace.Aggregator()
        record_into = _recorder(natively)
    finder = Finder()

    def accept(record: Record) -> None:
        record_into(record)
        finder.see(record)

    reader = RowReader(accept)
    options = InputOptions(input_format=input_format)
    for file in files:
        for _ in _batches_read(reader, file, options):
            if stop_at_refusal and reader.rejected:
                name, line, reason = reader.rejected[0]
                raise InputError(f"{name}: line {line}", reason)
    if not reader.accepted:
        raise no_event(files, reader.read, reader.rejected)
    return engine, reader, finder.findings()


def _recorder(engine: native.Aggregator) -> Callable[[Record], None]:
    def record_natively(record: Record) -> None:
        token_id, holder_id, start_us, end_us, wad, event_id, revision, retract, at_us, delta, seq = record
        is_change = at_us is not None or delta is not None
        engine.record(
            token_id,
            holder_id,
            start_us,
            end_us,
            None if is_change else wads.decimal_from_wad(wad),
            event_id,
            revision,
            retract,
            at_us,
            None if delta is None else wads.decimal_from_wad(delta),
            seq,
        )

    return record_natively


def _batches_read(reader: RowReader, file: str, options: InputOptions) -> Iterator[None]:
    """Read `file` batch by batch, yielding after each so that the caller can stop."""
    with _opened(file) as stream:
        foreign = foreign_file(_peeked(stream), is_decompressed=file.endswith(".gz"))
        if foreign is not None:
            raise InputError(file, f"{foreign.what}; {foreign.cure}")
        if _format(file, options.input_format) == "csv":
            yield from _csv_batches(reader, file, stream, options)
        else:
            yield from _jsonl_batches(reader, file, stream, options)


def _jsonl_batches(reader: RowReader, file: str, stream: BinaryIO, options: InputOptions) -> Iterator[None]:
    head = _peeked(stream)
    if head.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
        head = head.removeprefix(codecs.BOM_UTF8)
    if b"\r" in head[:-1] and b"\n" not in head:  # as old Macs wrote lines
        stream = io.BytesIO(stream.read().replace(b"\r", b"\n"))
        head = _peeked(stream)
    keys = tuple(map(options.source, FIELDS))
    if is_document(head.decode(errors="replace"), keys):
        for line, row in rows_from_document(file, stream.read().decode(), keys):
            reader.feed_jsonl([row], file, line)
            yield
        return
    first_line = 1
    while lines := stream.readlines(_BATCH_LINES * 64):
        reader.feed_jsonl(lines, file, first_line)
        first_line += len(lines)
        yield


def _csv_batches(reader: RowReader, file: str, stream: BinaryIO, options: InputOptions) -> Iterator[None]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        yield from _csv_row_batches(reader, file, text, options)
    finally:
        text.detach()  # `_opened` closes the stream


def _csv_row_batches(reader: RowReader, file: str, text: TextIO, options: InputOptions) -> Iterator[None]:
    first = text.readline()
    delimiter = options.delimiter or _delimiter_of(first)
    table = csv.reader(chain([first] if first else [], text), strict=True, delimiter=delimiter)
    header = next(table, None)
    if header is None:
        raise InputError(file, _NO_HEADER)
    sources = {field: options.source(field) for field in FIELDS}
    if twice := next((name for name in sources.values() if name and header.count(name) > 1), None):
        raise InputError(file, f"columns {twice} and {twice} are both there; keep one of them")
    listed = ", ".join(map(excerpt_without_quotes, header))
    for field in options.columns:
        if sources[field] not in header:
            raise InputError(file, f"no column {sources[field]}; the columns are {listed}")
    if near := reader.near_miss(header):
        raise InputError(file, f"column {near.problem}")
    found = {field for field, name in sources.items() if name is None or name in header}
    if "token_id" not in found:
        raise InputError(file, f"no column token_id; the columns are {listed}")
    if not {"holder_id", "from_id", "to_id"} & found:
        raise InputError(file, f"no column holder_id, from_id or to_id; the columns are {listed}")
    if not {"start", "end", "at", "retract"} & found:
        raise InputError(file, f"no column start, end or at; the columns are {listed}")
    rows: list[list[str]] = []
    lines: list[int] = []
    before = table.line_num
    for row in table:
        if row:
            rows.append(row)
            lines.append(before + 1)
        before = table.line_num
        if len(rows) == _BATCH_LINES:
            reader.feed_csv(rows, header, file, lines)
            rows, lines = [], []
            yield
    reader.feed_csv(rows, header, file, lines)
    yield


def _delimiter_of(header: str) -> str:
    """The delimiter that splits the header into most cells; of several the first."""
    unquoted = "".join(header.split('"')[::2])
    return max(",;\t|", key=unquoted.count)


def _peeked(stream: BinaryIO) -> bytes:
    """The next bytes, which remain to be read."""
    peek = getattr(stream, "peek", None)
    return bytes(peek(1)) if peek else cast("io.BytesIO", stream).getvalue()


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """The bytes of a file, decompressed; whatever fails while it is read is raised as one `InputError`."""
    try:
        if file == "-":
            yield sys.stdin.buffer
            return
        suffix = Path(file).suffix
        if suffix in _ELSEWHERE:
            raise InputError(file, _ELSEWHERE[suffix])
        with cast("BinaryIO", gzip.open(file)) if suffix == ".gz" else Path(file).open("rb") as stream:
            yield stream
    except OSError as error:
        raise InputError(file, error.strerror or str(error)) from error
    except (EOFError, zlib.error) as error:
        raise InputError(file, f"truncated or damaged gzip data ({error})") from error
    except UnicodeDecodeError as error:
        raise InputError(file, f"not UTF-8 text (byte {error.object[error.start]:#04x})") from error
    except csv.Error as error:
        raise InputError(file, f"not CSV ({error})") from error


def _format(file: str, input_format: str) -> str:
    if input_format != "auto":
        return input_format
    return "csv" if file.removesuffix(".gz").endswith((".csv", ".tsv")) else "jsonl"

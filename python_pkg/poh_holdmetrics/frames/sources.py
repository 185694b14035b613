"""What `score` takes, told apart: paths, data frames of any library, lists of models; each becomes events.

Frames are recognised by what they can do (the Arrow `PyCapsule` interface), and no library is imported to
recognise its own. Only the columns that are needed are read. Files are read by native code if there is some.
Scores nothing; see `events`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from poh_holdmetrics import native
from poh_holdmetrics.data_models import HoldEvent, Transfer
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.event_table import event_table, mapped_columns
from poh_holdmetrics.feeds.columns import rows_of_table
from poh_holdmetrics.feeds.layout import feed_of
from poh_holdmetrics.feeds.lookup_files import lookups_of
from poh_holdmetrics.file_scorer import records_from_file
from poh_holdmetrics.frames.events import Events, FilePart, RecordPart, TablePart, refusal_of_file
from poh_holdmetrics.input_options import OWN, InputOptions
from poh_holdmetrics.libraries import library, pyarrow
from poh_holdmetrics.row_reader import RowReader
from poh_holdmetrics.table_records import imported_table, is_arrow
from poh_holdmetrics.validation import Record

_PARQUET = (".parquet",)
_ARROW = (".arrow", ".feather", ".ipc")
_EXPECTED = (
    "expected a path, a data frame of polars, pandas, pyarrow or duckdb, or a list of HoldEvent and Transfer"
)


def events_from(source: object, options: InputOptions) -> Events:
    """The events of `source`; a frame is not read again. Raises `InputError` that names the place."""
    namespace = native.namespace()
    if isinstance(source, str | os.PathLike):
        return _from_paths([os.fspath(source)], options, namespace)
    if _is_frame(source):
        if options.input_format != "auto" or options.delimiter is not None or options.is_of_feeds:
            raise InputError(
                "input_format, delimiter, token_kind, blocks, decimals_file",
                "are for files; leave them out for a frame",
            )
        return Events([_from_frame(source, options, namespace)], namespace)
    if not isinstance(source, Iterable) or isinstance(source, bytes | Mapping):
        raise InputError("score", f"{_EXPECTED}, not {type(source).__name__}")
    items = list(source)
    if items and all(isinstance(item, str | os.PathLike) for item in items):
        return _from_paths([os.fspath(item) for item in items], options, namespace)
    if options != OWN:
        raise InputError("columns, time_unit", "and their like are for frames and files, not for models")
    return Events([RecordPart(_from_models(items))], namespace)


def _from_models(items: Iterable[object]) -> list[Record]:
    records: list[Record] = []
    for row, item in enumerate(items):
        if not isinstance(item, HoldEvent | Transfer):
            raise InputError(
                f"row {row}",
                f"{_EXPECTED}, not {excerpt(item)}; make a model of a dict with HoldEvent.model_validate",
            )
        records += item.records()
    return records


def _is_frame(source: object) -> bool:
    return is_arrow(source) or hasattr(source, "collect_schema") or _is_pandas(source)


def _is_pandas(source: object) -> bool:
    return type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "columns")


def _from_frame(frame: Any, options: InputOptions, namespace: native.Namespace | None) -> TablePart:
    if hasattr(frame, "collect_schema") and hasattr(frame, "collect"):  # a lazy frame of polars
        columns = mapped_columns(frame.collect_schema().names(), options)
        frame = frame.select(list(dict.fromkeys(columns.values()))).collect()
    elif _is_pandas(frame):
        columns = mapped_columns([str(name) for name in frame.columns], options)
        frame = frame[list(dict.fromkeys(columns.values()))]
    table = imported_table("score", frame)
    columns = mapped_columns(table.column_names, options)
    return TablePart(event_table(table, columns, options), options, columns, namespace)


def _from_paths(files: Sequence[str], options: InputOptions, namespace: native.Namespace | None) -> Events:
    if namespace is None:
        return Events([_from_path(Path(file), options) for file in files], None, files)
    # What can be read once alone is read now.
    streams = [file for file in files if file == "-" or (Path(file).exists() and not Path(file).is_file())]
    parts: list[RecordPart | FilePart] = []
    if regular := [file for file in files if file not in streams]:
        parts.append(FilePart.of(regular, options, namespace))
    if streams:
        try:
            rows = namespace.read_input(streams, options.json())
        except ValueError as error:
            raise refusal_of_file(error) from error
        parts.append(RecordPart([Record._make(row) for row in rows]))
    return Events(parts, namespace, files)


def _from_path(path: Path, options: InputOptions) -> TablePart | RecordPart:
    """A file without native code: columns are read by pyarrow, lines and cells by the pure-Python reader."""
    form = _columnar_form(path)
    if form is None and options.input_format != "parquet":
        return RecordPart(records_from_file(str(path), options))
    pa = pyarrow()
    try:
        if form == "arrow":
            table = _arrow_table(path)
            names = table.column_names
        else:
            parquet = library("pyarrow.parquet", "a Parquet file", "frames")
            with parquet.ParquetFile(path) as file:
                names = file.schema_arrow.names
                is_feed = feed_of(options, names) is not None
                wanted = names if is_feed else dict.fromkeys(mapped_columns(names, options).values())
                table = file.read(columns=list(wanted))
        if feed_of(options, names) is not None:
            return RecordPart(_records_of_feed(str(path), table, options))
        columns = mapped_columns(names, options)
        return TablePart(event_table(table, columns, options), options, columns, None, str(path))
    except InputError as error:
        raise InputError(str(path), str(error)) from error
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    except pa.ArrowException as error:
        raise InputError(str(path), f"cannot be read ({error})") from error


def _records_of_feed(file: str, table: Any, options: InputOptions) -> list[Record]:
    """The records of a table that a known feed exported."""
    records: list[Record] = []
    reader = RowReader(records.append, options, lookups_of(options))
    layout = reader.layout(file, table.column_names, are_keys=False)
    if layout is not None:
        reader.feed_rows(rows_of_table(table, layout), layout)
    if reader.rejected:
        _, row, reason = reader.rejected[0]
        raise InputError(f"line {row}", reason)
    return records


def _columnar_form(path: Path) -> str | None:
    """`parquet`, `arrow`, or None for lines and cells: by the name of the file, else by its first bytes."""
    if path.suffix in (".gz", ".zst") and Path(path.stem).suffix in _PARQUET + _ARROW:
        raise InputError(str(path), "compressed columns are read by native code alone; decompress the file")
    if path.suffix in _PARQUET + _ARROW:
        return "parquet" if path.suffix in _PARQUET else "arrow"
    if path.suffix or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            head = file.read(6)
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    if head.startswith(b"PAR1"):
        return "parquet"
    return "arrow" if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")) else None


def _arrow_table(path: Path) -> Any:
    """The table of an Arrow IPC file, or of a stream."""
    pa = pyarrow()
    with pa.OSFile(str(path)) as file:
        try:
            return pa.ipc.open_file(file).read_all()
        except pa.ArrowInvalid:
            file.seek(0)
            return pa.ipc.open_stream(file).read_all()

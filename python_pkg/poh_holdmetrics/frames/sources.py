"""What `score` takes, told apart: paths, data frames of any library, lists of models; each becomes events.

Frames are recognised by what they can do (the Arrow `PyCapsule` interface), and no library is imported to
recognise its own. Only the columns that are needed are read. Scores nothing; see `events`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from poh_holdmetrics.data_models import HoldEvent, Transfer
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.file_scorer import records_from_file
from poh_holdmetrics.frames.columns import TimeUnit, event_table, mapped_columns
from poh_holdmetrics.frames.events import Events, RecordPart, TablePart
from poh_holdmetrics.frames.libraries import library, pyarrow
from poh_holdmetrics.validation import Record

_PARQUET = (".parquet",)
_ARROW = (".arrow", ".feather", ".ipc")
_EXPECTED = (
    "expected a path, a data frame of polars, pandas, pyarrow or duckdb, or a list of HoldEvent and Transfer"
)


def events_from(source: object, columns: Mapping[str, str] | None, time_unit: TimeUnit | None) -> Events:
    """The events of `source`, which is not read again. Raises `InputError` naming the column, row or file."""
    if isinstance(source, str | os.PathLike):
        return Events([_from_path(Path(source), columns, time_unit)])
    if _is_frame(source):
        return Events([_from_frame(source, columns, time_unit)])
    if not isinstance(source, Iterable) or isinstance(source, bytes | Mapping):
        raise InputError("score", f"{_EXPECTED}, not {type(source).__name__}")
    items = list(source)
    if items and all(isinstance(item, str | os.PathLike) for item in items):
        return Events([_from_path(Path(item), columns, time_unit) for item in items])
    if columns is not None or time_unit is not None:
        raise InputError("columns, time_unit", "are for data frames; a model has its fields already")
    return Events([RecordPart(_from_models(items))])


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
    return (
        hasattr(source, "__arrow_c_stream__")
        or hasattr(source, "__arrow_c_array__")
        or hasattr(source, "collect_schema")
        or _is_pandas(source)
    )


def _is_pandas(source: object) -> bool:
    return type(source).__module__.partition(".")[0] == "pandas"


def _from_frame(frame: Any, columns: Mapping[str, str] | None, time_unit: TimeUnit | None) -> TablePart:
    pa = pyarrow()
    if hasattr(frame, "collect_schema") and hasattr(frame, "collect"):  # a lazy frame of polars
        mapped = mapped_columns(frame.collect_schema().names(), columns, time_unit)
        frame = frame.select(list(dict.fromkeys(mapped.columns.values()))).collect()
    elif _is_pandas(frame):
        mapped = mapped_columns([str(name) for name in frame.columns], columns, time_unit)
        frame = frame[list(dict.fromkeys(mapped.columns.values()))]
    try:
        table = pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        problem = " ".join(str(argument) for argument in error.args) or type(error).__name__
        raise InputError("score", f"the frame cannot be read as Arrow: {problem}") from error
    mapped = mapped_columns(table.column_names, columns, time_unit)
    return TablePart(event_table(table, mapped, naive_is_utc=False), dict(mapped.columns))


def _from_path(
    path: Path, columns: Mapping[str, str] | None, time_unit: TimeUnit | None
) -> TablePart | RecordPart:
    if path.suffix not in _PARQUET + _ARROW:
        if columns is not None or time_unit is not None:
            raise InputError(
                str(path),
                "columns and time_unit are for tables; read it with polars or pandas and give the frame",
            )
        return RecordPart(records_from_file(str(path)))
    pa = pyarrow()
    try:
        if path.suffix in _PARQUET:
            parquet = library("pyarrow.parquet", "a Parquet file", "frames")
            with parquet.ParquetFile(path) as file:
                mapped = mapped_columns(file.schema_arrow.names, columns, time_unit)
                table = file.read(columns=list(dict.fromkeys(mapped.columns.values())))
        else:
            table = _arrow_table(path)
            mapped = mapped_columns(table.column_names, columns, time_unit)
        return TablePart(event_table(table, mapped, naive_is_utc=True), dict(mapped.columns), str(path))
    except InputError as error:
        raise InputError(str(path), str(error)) from error
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    except pa.ArrowException as error:
        raise InputError(str(path), f"cannot be read ({error})") from error


def _arrow_table(path: Path) -> Any:
    """The table of an Arrow IPC file, or of a stream."""
    pa = pyarrow()
    with pa.OSFile(str(path)) as file:
        try:
            return pa.ipc.open_file(file).read_all()
        except pa.ArrowInvalid:
            file.seek(0)
            return pa.ipc.open_stream(file).read_all()

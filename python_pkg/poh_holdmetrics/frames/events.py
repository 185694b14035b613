"""Events that are scored more than once: tables or lists of records, and the engine that holds them.

Nothing is copied into an engine before a question needs one: the scores of one table alone are computed
without. Reads no file; see `sources`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from poh_holdmetrics import field_parsers, native, validation
from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.frames.libraries import pyarrow
from poh_holdmetrics.instants import MICROS_PER_SECOND
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.recording import record_columns
from poh_holdmetrics.row_reader import FIELDS
from poh_holdmetrics.validation import Record
from poh_holdmetrics.windows import Window

#: Ticks of a timestamp in one second.
_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class RecordPart:
    """Accepted records."""

    records: Sequence[Record]

    def record_into(self, engine: native.Aggregator | Aggregator) -> None:
        """Record everything."""
        if isinstance(engine, Aggregator):
            for record in self.records:
                engine.add(record)
        else:
            record_columns(engine, self.records)

    def of_holder(self, holder_id: str) -> Iterable[Record]:
        """The records of one holder."""
        return [record for record in self.records if record.holder_id == holder_id]


@dataclass(frozen=True, slots=True)
class TablePart:
    """A table in the form of `columns.event_table`; `names` are those of the columns that it was made of."""

    table: Any
    names: dict[str, str]
    where: str = ""

    def record_into(self, engine: native.Aggregator | Aggregator) -> None:
        """Record everything; raises `InputError` naming the row."""
        if isinstance(engine, Aggregator):
            for record in self._records(self.table):
                engine.add(record)
            return
        try:
            engine.record_batch(self.table)
        except ValueError as error:
            raise self._refusal(error) from error

    def snapshot(self, namespace: native.Namespace, window: Window) -> native.Snapshot:
        """The scores of this table alone."""
        as_of_us, from_us, closed_only = window
        try:
            return namespace.score_columns(
                self.table, as_of_us=as_of_us, from_us=from_us, closed_only=closed_only
            )
        except ValueError as error:
            raise self._refusal(error) from error

    def of_holder(self, holder_id: str) -> Iterable[Record]:
        """The records of one holder."""
        pa = pyarrow()
        compute = pa.compute
        table = _without_views(self.table)
        chosen = None
        for field in ("holder_id", "from_id", "to_id"):
            if field in table.column_names:
                own = compute.equal(table.column(field).cast(pa.string()), holder_id)
                own = compute.fill_null(own, fill_value=False)
                chosen = own if chosen is None else compute.or_(chosen, own)
        rows = self._records(table.filter(chosen))
        return (record for record in rows if record.holder_id == holder_id)

    def _records(self, table: Any) -> Iterator[Record]:
        absent = [None] * table.num_rows
        columns = [
            _values(table.column(field)) if field in table.column_names else absent for field in FIELDS
        ]
        for row, values in enumerate(zip(*columns, strict=True)):
            try:
                yield from validation.records_from_fields(field_parsers.MICROS, *values)
            except Refused as refused:
                raise self._refusal(InputError(f"row {row}", str(refused))) from refused

    def _refusal(self, error: ValueError) -> InputError:
        """The error with the file, and with the column that a field was read from if it has another name."""
        place, _, problem = str(error).partition(": ")
        field = problem.partition(":")[0]
        name = self.names.get(field, field)
        note = "" if name == field else f" ({field} is column {name})"
        return InputError(f"{self.where}: {place}" if self.where else place, f"{problem}{note}")


@dataclass(frozen=True)
class Events:
    """Parts that are one set of events, in any order."""

    parts: Sequence[RecordPart | TablePart]

    @cached_property
    def engine(self) -> native.Aggregator | Aggregator:
        """An engine that holds all of them; made once."""
        namespace = native.namespace()
        engine = Aggregator() if namespace is None else namespace.Aggregator()
        for part in self.parts:
            part.record_into(engine)
        return engine

    def snapshot(self, window: Window) -> native.Snapshot:
        """The scores over a window, without an engine if one table is all there is."""
        namespace = native.namespace()
        (only, *others) = self.parts or (None,)
        if namespace is not None and isinstance(only, TablePart) and not others:
            return only.snapshot(namespace, window)
        return self.engine.snapshot(*window)

    def of_holder(self, holder_id: str) -> Aggregator:
        """The facts of one holder alone."""
        aggregator = Aggregator()
        for part in self.parts:
            for record in part.of_holder(holder_id):
                aggregator.add(record)
        return aggregator


def _without_views(table: Any) -> Any:
    """The table with texts as Arrow can filter them."""
    pa = pyarrow()
    types = pa.types
    for index, field in enumerate(table.schema):
        values = field.type.value_type if types.is_dictionary(field.type) else field.type
        if types.is_string_view(values):
            texts = pa.array([value.as_py() for value in table.column(index)], pa.large_string())
            table = table.set_column(index, field.name, texts)
    return table


def _values(column: Any) -> list[object]:
    """The values of a column: times as microseconds, everything else as `validation` takes it."""
    pa = pyarrow()
    types = pa.types
    kind = column.type
    if types.is_timestamp(kind):
        ticks = _TICKS[kind.unit]
        counts = column.cast(pa.int64()).to_pylist()
        if ticks <= MICROS_PER_SECOND:
            factor = MICROS_PER_SECOND // ticks
            return [None if count is None else count * factor for count in counts]
        # Floored, also before 1970.
        return [None if count is None else count // (ticks // MICROS_PER_SECOND) for count in counts]
    if types.is_dictionary(kind):
        return [value.as_py() for value in column]
    if types.is_float32(column.type):
        # Its shortest decimal, not that of the double of the same value.
        column = column.cast(pa.string())
    values: list[object] = column.to_pylist()
    return values

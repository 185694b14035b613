"""Events that are scored more than once: tables, files or lists of records, and the engine that holds them.

Nothing is copied into an engine before a question needs one: the scores of one table or of files alone are
computed without. Opens no file itself; see `sources`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from poh_holdmetrics import native
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.hold_warnings import HoldWarning, hold_warnings, no_event
from poh_holdmetrics.input_options import InputOptions, TimeUnit
from poh_holdmetrics.pure.aggregator import Aggregator, RecordRow
from poh_holdmetrics.pure.findings import Finder, Findings, findings_of
from poh_holdmetrics.recording import record_columns
from poh_holdmetrics.table_records import records_from_table
from poh_holdmetrics.validation import Record
from poh_holdmetrics.windows import Window


@dataclass(frozen=True, slots=True)
class RecordPart:
    """Accepted records."""

    listed: Sequence[Record]

    def record_into(self, namespace: native.Namespace, engine: native.Aggregator) -> None:
        """Record everything; a list needs nothing else of the namespace."""
        del namespace
        record_columns(engine, self.listed)

    def of_holder(self, holder_id: str) -> Iterable[Record]:
        """The records of one holder."""
        return [record for record in self.listed if record.holder_id == holder_id]

    def records(self) -> Iterable[Record]:
        """All records."""
        return self.listed


@dataclass(frozen=True, slots=True)
class TablePart:
    """A table in the form of `event_table`; `names` are those of the columns that it was made of."""

    table: Any
    options: InputOptions
    names: Mapping[str, str]
    namespace: native.Namespace | None
    where: str = ""

    def record_into(self, namespace: native.Namespace, engine: native.Aggregator) -> None:
        """Record everything; raises `InputError` naming the row."""
        try:
            namespace.record_input(engine, self.table, self._json)
        except ValueError as error:
            raise self._refusal(error) from error

    def snapshot(self, namespace: native.Namespace, window: Window) -> native.ScoredInput:
        """The scores of this table alone."""
        as_of_us, from_us, closed_only = window
        try:
            return namespace.score_input(
                self.table, self._json, as_of_us=as_of_us, from_us=from_us, closed_only=closed_only
            )
        except ValueError as error:
            raise self._refusal(error) from error

    def of_holder(self, holder_id: str) -> Iterable[Record]:
        """The records of one holder."""
        if self.namespace is not None:
            rows = self.namespace.read_input(self.table, self._json, holder_id)
            return [Record._make(row) for row in rows]
        return (record for record in self._records() if record.holder_id == holder_id)

    def records(self) -> Iterable[Record]:
        """All records."""
        return self._records()

    @property
    def _json(self) -> str:
        # The columns have the names of their fields already.
        return replace(self.options, columns={}, delimiter=None, input_format="auto").json()

    def _records(self) -> Iterator[Record]:
        try:
            yield from records_from_table(self.table, self.options)
        except InputError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: ValueError) -> InputError:
        """The error with the file, and with the column that a field was read from if it has another name."""
        place, _, problem = str(error).partition(": ")
        field = problem.partition(":")[0]
        name = self.names.get(field, field)
        note = "" if name == field else f" ({field} is column {name})"
        row = place.removeprefix("row ")
        if self.where:  # the rows of a frame are counted from 0, those of a file from 1
            place = f"{self.where}: line {int(row) + 1}" if row != place else f"{self.where}: {place}"
        return InputError(place, f"{problem}{note}")


@dataclass(frozen=True, slots=True)
class FilePart:
    """Files that native code reads, again for each question that needs their events.

    They must not change meanwhile: that is noticed by their sizes and times, and refused.
    """

    files: tuple[str, ...]
    options: InputOptions
    namespace: native.Namespace
    versions: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, files: Sequence[str], options: InputOptions, namespace: native.Namespace) -> Self:
        """The files as they are now."""
        return cls(tuple(files), options, namespace, tuple(map(_version, files)))

    def record_into(self, namespace: native.Namespace, engine: native.Aggregator) -> None:
        """Record everything; raises `InputError` naming the file and the line."""
        try:
            namespace.record_input(engine, self.files, self.options.json())
        except ValueError as error:
            raise refusal_of_file(error) from error
        self._check_versions()

    def snapshot(self, namespace: native.Namespace, window: Window) -> native.ScoredInput:
        """The scores of these files alone."""
        as_of_us, from_us, closed_only = window
        try:
            snapshot = namespace.score_input(
                self.files, self.options.json(), as_of_us=as_of_us, from_us=from_us, closed_only=closed_only
            )
        except ValueError as error:
            raise refusal_of_file(error) from error
        self._check_versions()
        return snapshot

    def of_holder(self, holder_id: str) -> Iterable[Record]:
        """The records of one holder."""
        return map(Record._make, self._read(holder_id))

    def records(self) -> Iterable[Record]:
        """All records."""
        return map(Record._make, self._read(None))

    def _read(self, holder_id: str | None) -> Sequence[RecordRow]:
        try:
            rows = self.namespace.read_input(self.files, self.options.json(), holder_id)
        except ValueError as error:
            raise refusal_of_file(error) from error
        self._check_versions()
        return rows

    def _check_versions(self) -> None:
        for file, version in zip(self.files, self.versions, strict=True):
            if _version(file) != version:
                raise InputError(file, "changed since it was scored; score it again")


@dataclass(frozen=True)
class Events:
    """Parts that are one set of events, in any order."""

    parts: Sequence[RecordPart | TablePart | FilePart]
    namespace: native.Namespace | None
    files: Sequence[str] = ()
    """The files, if they are all there is."""

    @cached_property
    def engine(self) -> native.Aggregator | Aggregator:
        """An engine that holds all of them; made once."""
        if self.namespace is None:
            return self._in_python[0]
        engine = self.namespace.Aggregator()
        for part in self.parts:
            part.record_into(self.namespace, engine)
        return engine

    @cached_property
    def _in_python(self) -> tuple[Aggregator, Findings]:
        """An engine in Python, and what is probably not meant, from one reading of the events."""
        engine, finder = Aggregator(), Finder()
        for part in self.parts:
            for record in part.records():
                engine.add(record)
                finder.see(record)
        return engine, finder.findings()

    def snapshot(self, window: Window) -> native.Snapshot:
        """The scores over a window, without an engine if one table or set of files is all there is."""
        scored = self._scored_at_once(window)
        return self.engine.snapshot(*window) if scored is None else scored

    def with_warnings(self, window: Window, time_unit: TimeUnit) -> tuple[native.Snapshot, list[HoldWarning]]:
        """The same, and what is probably not meant; `InputError` if files have no event.

        Numbers were read as times in `time_unit`.
        """
        snapshot: native.Snapshot
        scored = self._scored_at_once(window)
        if scored is not None and scored.findings is not None:
            snapshot, findings = scored, Findings._make(scored.findings)
        else:
            snapshot = self.engine.snapshot(*window)
            findings = self._findings()
        if self.files and not len(snapshot):
            raise no_event(self.files, 0, ())
        return snapshot, hold_warnings(findings, window, time_unit=time_unit, deficits=snapshot.deficits)

    def _findings(self) -> Findings:
        if self.namespace is None:
            return self._in_python[1]
        return findings_of(record for part in self.parts for record in part.records())

    def _scored_at_once(self, window: Window) -> native.ScoredInput | None:
        (only, *others) = self.parts or (None,)
        if self.namespace is not None and isinstance(only, TablePart | FilePart) and not others:
            return only.snapshot(self.namespace, window)
        return None

    def of_holder(self, holder_id: str) -> Aggregator:
        """The facts of one holder alone."""
        aggregator = Aggregator()
        for part in self.parts:
            for record in part.of_holder(holder_id):
                aggregator.add(record)
        return aggregator


def refusal_of_file(error: ValueError) -> InputError:
    """What native code says of a file, which it names first."""
    where, _, problem = str(error).partition(": ")
    return InputError(where, problem)


def _version(file: str) -> tuple[int, ...]:
    try:
        found = Path(file).stat()
    except OSError as error:
        raise InputError(file, error.strerror or str(error)) from error
    return found.st_ino, found.st_size, found.st_mtime_ns

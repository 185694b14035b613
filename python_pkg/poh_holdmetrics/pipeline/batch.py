"""Batches in pure Python: checked records as cached columns, their filter, and their form as JSON lines.

The batches of `LocalHost`, of worker processes and of dead letters; those of the service are native. Columns
are made when they are first asked for and shared by all handlers of a batch. Reads no feed.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from poh_holdmetrics import instants, native, wads
from poh_holdmetrics.data_models import HoldEvent, Transfer
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.pipeline.arrow_stream import arrow_stream
from poh_holdmetrics.pipeline.port import ABSENT_US
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.row_reader import records_from_json
from poh_holdmetrics.validation import Record

if TYPE_CHECKING:
    from poh_holdmetrics.column_types import ArrowStream
    from poh_holdmetrics.pipeline.port import Batch

_TOKEN, _HOLDER, _START, _END, _WAD, _EVENT, _REVISION, _RETRACT, _AT, _DELTA, _SEQ = range(11)


class ColumnBatch:
    """A `Batch` over records."""

    __slots__ = ("_columns", "_filtered", "_first", "_from_facts", "_last", "_records", "_sequences")

    def __init__(
        self,
        records: Sequence[Record],
        first_sequence: int,
        last_sequence: int,
        *,
        sequences: Sequence[int] | None = None,
        is_from_facts: bool = False,
    ) -> None:
        """`sequences` has one number a row; without it they count from `first_sequence` on."""
        self._records = tuple(records)
        self._first = first_sequence
        self._last = last_sequence
        self._sequences = (
            range(first_sequence, first_sequence + len(records)) if sequences is None else sequences
        )
        self._from_facts = is_from_facts
        self._columns: dict[int, Any] = {}
        self._filtered: dict[tuple[str | None, str | None], ColumnBatch] = {}

    @property
    def first_sequence(self) -> int:
        """The first number of the feed that this batch covers, rows removed by a filter included."""
        return self._first

    @property
    def last_sequence(self) -> int:
        """The last number of the feed that this batch covers."""
        return self._last

    @property
    def is_from_facts(self) -> bool:
        """Whether these are the facts of the state, for a consumer that starts again from them."""
        return self._from_facts

    def __len__(self) -> int:
        return len(self._sequences)

    def __repr__(self) -> str:
        return f"ColumnBatch({len(self)} events, sequence {self._first} to {self._last})"

    def records(self) -> tuple[Record, ...]:
        """The rows as plain integers and text: what aggregators and trackers record."""
        return self._records

    @property
    def token_id(self) -> tuple[str, ...]:
        """The token of each row."""
        return cast("tuple[str, ...]", self._column(_TOKEN))

    @property
    def holder_id(self) -> tuple[str, ...]:
        """The holder of each row."""
        return cast("tuple[str, ...]", self._column(_HOLDER))

    @property
    def event_id(self) -> tuple[str | None, ...]:
        """The id of each row, None for a plain fact."""
        return cast("tuple[str | None, ...]", self._column(_EVENT))

    @property
    def sequence(self) -> memoryview:
        """The number of each row in the feed."""
        found = self._columns.get(-1)
        if found is None:
            found = self._columns[-1] = _int64(self._sequences)
        return cast("memoryview", found)

    @property
    def start_us(self) -> memoryview:
        """Starts in microseconds, -2**63 if absent."""
        return self._times(_START)

    @property
    def end_us(self) -> memoryview:
        """Ends in microseconds, -2**63 if absent."""
        return self._times(_END)

    @property
    def at_us(self) -> memoryview:
        """Times of changes of balance, -2**63 if absent."""
        return self._times(_AT)

    @property
    def revision(self) -> memoryview:
        """The revision of each row."""
        return self._numbers(_REVISION)

    @property
    def seq(self) -> memoryview:
        """The place of each row among the events of one instant."""
        return self._numbers(_SEQ)

    @property
    def weight_wads(self) -> tuple[int | None, ...]:
        """Weights in steps of 1e-18; None for a change of balance."""
        found = self._columns.get(_WAD)
        if found is None:
            found = tuple([None if _is_change(each) else each.wad for each in self.records()])
            self._columns[_WAD] = found
        return cast("tuple[int | None, ...]", found)

    @property
    def delta_wads(self) -> tuple[int | None, ...]:
        """Changes of balance in steps of 1e-18; None for a hold."""
        return cast("tuple[int | None, ...]", self._column(_DELTA))

    @property
    def retract(self) -> memoryview:
        """1 for a row that withdraws its event, else 0."""
        found = self._columns.get(_RETRACT)
        if found is None:
            found = self._columns[_RETRACT] = memoryview(bytes([each.retract for each in self.records()]))
        return cast("memoryview", found)

    def events(self) -> Iterator[HoldEvent]:
        """The rows as models, each made when it is reached."""
        return map(HoldEvent.from_record, self.records())

    def filter(self, token: str | None = None, holder: str | None = None) -> ColumnBatch:
        """The rows whose ids match the patterns, in which `*` is any text and `?` any one character."""
        asked = (token, holder)
        if asked == (None, None):
            return self
        found = self._filtered.get(asked)
        if found is None:
            found = self._filtered[asked] = self._matching(token, holder)
        return found

    def slice(self, start: int, stop: int) -> ColumnBatch:
        """The rows from `start` up to `stop`; see `Batch`."""
        stop = min(stop, len(self))
        return ColumnBatch(
            self.records()[start:stop],
            self._first if start == 0 else self._sequences[start],
            self._last if stop == len(self) else self._sequences[stop] - 1,
            sequences=self._sequences[start:stop],
            is_from_facts=self._from_facts,
        )

    def joined(self, others: Sequence[Batch]) -> ColumnBatch:
        """The rows of this batch and of those that follow it."""
        if not others:
            return self
        batches = [self, *others]
        return ColumnBatch(
            [record for batch in batches for record in records_from_batch(batch)],
            self._first,
            others[-1].last_sequence,
            sequences=[number for batch in batches for number in batch.sequence],
            is_from_facts=any(batch.is_from_facts for batch in batches),
        )

    def to_bytes(self) -> bytes:
        """The rows as JSON lines that `score` reads and `batch_from_bytes` reads back."""
        lines = [
            _line(record, number) for record, number in zip(self.records(), self._sequences, strict=True)
        ]
        if lines:
            covers = {"first_sequence": self._first, "last_sequence": self._last}
            lines[0] |= {**covers, "is_from_facts": True} if self._from_facts else covers
        return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """An Arrow stream with the columns that `score` reads from a Parquet file; made with pyarrow."""
        return arrow_stream(self, requested_schema)

    def _matching(self, token: str | None, holder: str | None) -> ColumnBatch:
        keep = [True] * len(self)
        for pattern, column in ((token, self.token_id), (holder, self.holder_id)):
            if pattern is not None:
                match = _pattern(pattern).fullmatch
                matches = {each for each in set(column) if match(each)}
                keep = [kept and each in matches for kept, each in zip(keep, column, strict=True)]
        if all(keep):
            return self
        return ColumnBatch(
            [record for record, kept in zip(self.records(), keep, strict=True) if kept],
            self._first,
            self._last,
            sequences=[number for number, kept in zip(self._sequences, keep, strict=True) if kept],
            is_from_facts=self._from_facts,
        )

    def _values(self, index: int) -> list[Any]:
        return [record[index] for record in self.records()]

    def _column(self, index: int) -> tuple[Any, ...]:
        found = self._columns.get(index)
        if found is None:
            found = self._columns[index] = tuple(self._values(index))
        return cast("tuple[Any, ...]", found)

    def _times(self, index: int) -> memoryview:
        found = self._columns.get(index)
        if found is None:
            times = [ABSENT_US if each is None else each for each in self._values(index)]
            found = self._columns[index] = _int64(times)
        return cast("memoryview", found)

    def _numbers(self, index: int) -> memoryview:
        found = self._columns.get(index)
        if found is None:
            found = self._columns[index] = _int64(self._values(index))
        return cast("memoryview", found)


def batch_from_bytes(data: bytes) -> ColumnBatch:
    """The batch that `to_bytes` wrote, or any JSON lines of events; raises `Refused` at a bad line."""
    records: list[Record] = []
    sequences: list[int] = []
    covers: dict[str, Any] = {}
    for line in data.splitlines():
        fields = json.loads(line)
        own = records_from_json(line)
        records += own
        sequences += [fields.get("sequence", 0)] * len(own)
        covers = covers or fields
    return ColumnBatch(
        records,
        covers.get("first_sequence", 0),
        covers.get("last_sequence", 0),
        sequences=sequences,
        is_from_facts=covers.get("is_from_facts", False),
    )


def records_from_batch(batch: Batch) -> tuple[Record, ...]:
    """The records of any batch; those of a native one are made from its columns."""
    return batch.records() if isinstance(batch, ColumnBatch) else records_from_columns(batch)


def records_from_columns(batch: Batch) -> tuple[Record, ...]:
    """The records that the columns of a batch describe."""
    return tuple(
        Record(
            token_id,
            holder_id,
            None if start == ABSENT_US else start,
            None if end == ABSENT_US else end,
            wads.WAD if weight is None else weight,
            event_id,
            revision,
            bool(retract),
            None if at == ABSENT_US else at,
            delta,
            seq,
        )
        for token_id, holder_id, start, end, weight, event_id, revision, retract, at, delta, seq in zip(
            *(batch.token_id, batch.holder_id, batch.start_us, batch.end_us, batch.weight_wads),
            *(batch.event_id, batch.revision, batch.retract, batch.at_us, batch.delta_wads, batch.seq),
            strict=True,
        )
    )


def bytes_from_batch(batch: Batch) -> bytes:
    """Any batch as `batch_from_bytes` reads it."""
    return ColumnBatch(
        records_from_batch(batch),
        batch.first_sequence,
        batch.last_sequence,
        sequences=batch.sequence,
        is_from_facts=batch.is_from_facts,
    ).to_bytes()


def snapshot_of(
    events: Batch | ArrowStream | Iterable[HoldEvent | Transfer],
    as_of_us: int,
    from_us: int | None,
    *,
    closed_only: bool,
) -> native.Snapshot:
    """The scores that these events alone give, natively if there is native code."""
    namespace = native.namespace()
    if (
        namespace is not None
        and not isinstance(events, ColumnBatch)
        and hasattr(events, "__arrow_c_stream__")
    ):
        return namespace.score_columns(
            cast("Any", events), as_of_us=as_of_us, from_us=from_us, closed_only=closed_only
        )
    if namespace is not None:
        return namespace.aggregate(_models(events), as_of_us, from_us, closed_only)
    engine = Aggregator()
    engine.record_events([events] if isinstance(events, ColumnBatch) else _models(events))
    return engine.snapshot(as_of_us, from_us, closed_only)


def _models(events: object) -> list[HoldEvent | Transfer]:
    if isinstance(events, ColumnBatch):
        return list(events.events())
    if not isinstance(events, Iterable):
        raise InputError("aggregate", f"expected a batch or events, not {excerpt(events)}")
    return list(events)


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str]:
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(each) or re.escape(each) for each in pattern), re.DOTALL)


def _int64(numbers: Iterable[int]) -> memoryview:
    return memoryview(array("q", numbers)).toreadonly()


def _is_change(record: Record) -> bool:
    return record.at_us is not None or record.delta is not None


def _line(record: Record, number: int) -> dict[str, object]:
    fields: dict[str, object] = {"token_id": record.token_id, "holder_id": record.holder_id}
    for name, us in (("start", record.start_us), ("end", record.end_us), ("at", record.at_us)):
        if us is not None:
            fields[name] = instants.text_from_us(us)
    if not _is_change(record) and (record.start_us is not None or record.wad != wads.WAD):
        fields["weight"] = f"{wads.decimal_from_wad(record.wad):f}"
    if record.delta is not None:
        fields["delta"] = f"{wads.decimal_from_wad(record.delta):f}"
    if record.event_id is not None:
        fields["event_id"] = record.event_id
    rare = {"revision": record.revision, "retract": record.retract, "seq": record.seq}
    return fields | {name: value for name, value in rare.items() if value} | {"sequence": number}

"""A batch as the frame of a `link`: its columns as raw bytes, its texts as JSON.

The reader decodes a column when it is first asked for, so that a handler pays for what it reads. For two
processes of one machine and one version of the package: nothing that is kept on disk is written so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from poh_holdmetrics.pipeline.batch import ColumnBatch, records_from_columns

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.port import Batch
    from poh_holdmetrics.validation import Record

_NUMBERS = ("sequence", "start_us", "end_us", "at_us", "revision", "seq")
_TEXTS = ("token_id", "holder_id", "event_id", "weight_wads", "delta_wads")
_INT64_BYTES = 8


def frame_from_batch(batch: Batch) -> tuple[dict[str, Any], bytes]:
    """The JSON value and the bytes of a batch."""
    parts = {name: getattr(batch, name).tobytes() for name in _NUMBERS}
    parts["retract"] = batch.retract.tobytes()
    parts |= {name: _text(getattr(batch, name)) for name in _TEXTS}
    about = {
        "rows": len(batch),
        "first": batch.first_sequence,
        "last": batch.last_sequence,
        "is_from_facts": batch.is_from_facts,
        "bytes": {name: len(part) for name, part in parts.items()},
    }
    return about, b"".join(parts.values())


class FrameBatch(ColumnBatch):
    """The batch of a frame."""

    __slots__ = ("_parts",)

    def __init__(self, about: Mapping[str, Any], body: bytes) -> None:
        begin, whole = 0, memoryview(body)
        self._parts: dict[str, memoryview] = {}
        for name, count in about["bytes"].items():
            self._parts[name] = whole[begin : begin + count]
            begin += count
        rows = about["rows"]
        if any(len(self._parts[name]) != rows * _INT64_BYTES for name in _NUMBERS):
            raise ValueError(f"a frame of {rows} rows has columns of another length")
        super().__init__(
            (),
            about["first"],
            about["last"],
            sequences=self._int64("sequence"),
            is_from_facts=about["is_from_facts"],
        )

    def records(self) -> tuple[Record, ...]:
        """The rows as plain integers and text."""
        if len(self._records) != len(self):
            self._records = records_from_columns(self)
        return self._records

    @property
    def token_id(self) -> tuple[str, ...]:
        """The token of each row."""
        return self._decoded("token_id")

    @property
    def holder_id(self) -> tuple[str, ...]:
        """The holder of each row."""
        return self._decoded("holder_id")

    @property
    def event_id(self) -> tuple[str | None, ...]:
        """The id of each row, None for a plain fact."""
        return self._decoded("event_id")

    @property
    def weight_wads(self) -> tuple[int | None, ...]:
        """Weights in steps of 1e-18; None for a change of balance."""
        return self._decoded("weight_wads")

    @property
    def delta_wads(self) -> tuple[int | None, ...]:
        """Changes of balance in steps of 1e-18; None for a hold."""
        return self._decoded("delta_wads")

    @property
    def sequence(self) -> memoryview:
        """The number of each row in the feed."""
        return self._int64("sequence")

    @property
    def start_us(self) -> memoryview:
        """Starts in microseconds, -2**63 if absent."""
        return self._int64("start_us")

    @property
    def end_us(self) -> memoryview:
        """Ends in microseconds, -2**63 if absent."""
        return self._int64("end_us")

    @property
    def at_us(self) -> memoryview:
        """Times of changes of balance, -2**63 if absent."""
        return self._int64("at_us")

    @property
    def revision(self) -> memoryview:
        """The revision of each row."""
        return self._int64("revision")

    @property
    def seq(self) -> memoryview:
        """The place of each row among the events of one instant."""
        return self._int64("seq")

    @property
    def retract(self) -> memoryview:
        """1 for a row that withdraws its event, else 0."""
        return self._parts["retract"]

    def _int64(self, name: str) -> memoryview:
        return self._parts[name].cast("q")

    def _decoded(self, name: str) -> tuple[Any, ...]:
        columns = cast("dict[Any, Any]", self._columns)
        found = columns.get(name)
        if found is None:
            values = json.loads(bytes(self._parts[name]))
            # A column of one value is written once.
            found = columns[name] = tuple(values) if len(values) == len(self) else (values[0],) * len(self)
        return cast("tuple[Any, ...]", found)


def _text(column: tuple[str | int | None, ...]) -> bytes:
    values = column[:1] if len(set(column)) == 1 else column
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()

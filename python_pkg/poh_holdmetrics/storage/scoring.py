"""Scores computed from the records of a storage, by native code if `native` finds it.

For backends that cannot sum exactly themselves: a score is the integral of a maximum in 256-bit integers,
and neither SQLite's 64-bit integers nor the 34 digits of a Decimal128 hold it. Reads no storage.
"""

from __future__ import annotations

from collections.abc import Sequence

from poh_holdmetrics import native
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.recording import record_columns
from poh_holdmetrics.tracker import HoldSnapshot
from poh_holdmetrics.validation import Record
from poh_holdmetrics.windows import Window


class Scorer:
    """An engine that is fed with records part by part, and asked once."""

    def __init__(self) -> None:
        namespace = native.namespace()
        self._pure = Aggregator() if namespace is None else None
        self._native = None if namespace is None else namespace.Aggregator()

    def add(self, records: Sequence[Record]) -> None:
        """Add records, which are not checked again."""
        if self._native is not None:
            record_columns(self._native, records)
        elif self._pure is not None:
            for record in records:
                self._pure.add(record)

    def snapshot(self, window: Window) -> HoldSnapshot:
        """The scores over the window."""
        engine: native.Aggregator | None = self._native if self._pure is None else self._pure
        assert engine is not None  # noqa: S101 - one of them was made
        return HoldSnapshot(engine.snapshot(*window))

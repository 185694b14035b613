"""Scores computed from the records of a storage, by native code if `native` finds it.

For backends that cannot sum exactly themselves: a score is the integral of a maximum in 256-bit integers,
and neither SQLite's 64-bit integers nor the 34 digits of a Decimal128 hold it. Reads no storage.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from decimal import Decimal

from poh_holdmetrics import native, wads
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.columns import ABSENT_US
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
            _record_columns(self._native, records)
        elif self._pure is not None:
            for record in records:
                self._pure.add(record)

    def snapshot(self, window: Window) -> HoldSnapshot:
        """The scores over the window."""
        engine: native.Aggregator | None = self._native if self._pure is None else self._pure
        assert engine is not None  # noqa: S101 - one of them was made
        return HoldSnapshot(engine.snapshot(*window))


def _record_columns(engine: native.Aggregator, records: Sequence[Record]) -> None:
    if not records:
        return
    token_id, holder_id, start_us, end_us, wad, event_id, revision, retract, at_us, delta, seq = zip(
        *records, strict=True
    )
    engine.record_batch(
        list(token_id),
        list(holder_id),
        _times(start_us),
        _times(end_us),
        # A change of balance has no weight.
        [
            wads.decimal_from_wad(weight) if at is None and change is None else None
            for weight, at, change in zip(wad, at_us, delta, strict=True)
        ],
        list(event_id),
        array("q", revision),
        list(retract),
        _times(at_us),
        _decimals(delta),
        array("q", seq),
    )


def _times(times: Iterable[int | None]) -> array[int]:
    return array("q", [ABSENT_US if us is None else us for us in times])


def _decimals(steps: Iterable[int | None]) -> list[Decimal | None]:
    return [None if wad is None else wads.decimal_from_wad(wad) for wad in steps]

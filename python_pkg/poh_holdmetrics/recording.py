"""Accepted records into a native engine, as columns in one call.

One call for each record would cost more than the engine itself. The pure-Python engine takes records as they
are; see `pure.aggregator`. Checks nothing: records are valid.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from poh_holdmetrics import wads
from poh_holdmetrics.pure.columns import ABSENT_US

if TYPE_CHECKING:
    from decimal import Decimal

    from poh_holdmetrics import native
    from poh_holdmetrics.validation import Record


def record_columns(engine: native.Aggregator, records: Sequence[Record]) -> None:
    """Record all `records` in `engine`."""
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

"""Scores of a list of events in one call: `calculate_score`, `score_exact`, `merge_overlaps`.

Native code computes them if `native` finds any, else pure Python, with the same result to the last digit.
Keeps no state between calls; for a stream of events see `tracker`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from poh_holdmetrics import native, wads
from poh_holdmetrics.data_models import HoldEvent, Transfer
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.validation import Record
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.instants import Instant


class ExactScore(NamedTuple):
    """A sum over keys: microseconds held, weight-seconds as exact decimal text, and the nearest double."""

    held_us: int
    score: str
    weighted_score: float


def calculate_score(
    events: Iterable[HoldEvent | Transfer],
    as_of: Instant | None = None,
    from_: Instant | None = None,
    *,
    closed_only: bool | None = None,
) -> float:
    """The score of all events together over [from_, as_of) in weight-seconds, as the nearest double.

    Without `as_of` only closed time counts, up to the end of time. `from_` is named `from` in messages.
    Raises `Refused` naming a bad argument.

        >>> hold = HoldEvent(token_id="GOLD", holder_id="ada", start=0, end=10_000, weight=2)
        >>> calculate_score([hold, hold])
        20.0
    """
    window = Window.of(as_of, from_, closed_only=closed_only)
    namespace = native.namespace()
    if namespace is not None:
        return namespace.calculate_score(events, *window)
    return _score_purely(events, window).weighted_score


def score_exact(
    events: Iterable[HoldEvent | Transfer],
    as_of: Instant | None = None,
    from_: Instant | None = None,
    *,
    closed_only: bool | None = None,
) -> ExactScore:
    """The same sum, exact; arguments and errors as for `calculate_score`."""
    window = Window.of(as_of, from_, closed_only=closed_only)
    namespace = native.namespace()
    if namespace is not None:
        return ExactScore(*namespace.score_exact(events, *window))
    return _score_purely(events, window)


def merge_overlaps(events: Iterable[HoldEvent | Transfer]) -> list[HoldEvent]:
    """The effective holds: per key disjoint, at the largest weight in force, equal neighbours joined.

    Sorted by token_id, holder_id and start. A hold that nothing has ended yet is returned as a start mark.
    """
    namespace = native.namespace()
    segments = _aggregated(events).segments() if namespace is None else namespace.merge_overlaps(events)
    return [
        HoldEvent.from_record(
            Record(token_id, holder_id, start_us, end_us, wad, event_id=None, revision=0, retract=False)
        )
        for token_id, holder_id, start_us, end_us, wad in segments
    ]


def _score_purely(events: Iterable[HoldEvent | Transfer], window: Window) -> ExactScore:
    totals = _aggregated(events).snapshot(*window).totals.values()
    wad_us = sum(total.wad_us for total in totals)
    return ExactScore(
        sum(total.held_us for total in totals), wads.score_text(wad_us), wads.score_float(wad_us)
    )


def _aggregated(events: Iterable[HoldEvent | Transfer]) -> Aggregator:
    aggregator = Aggregator()
    aggregator.record_events(events)
    return aggregator

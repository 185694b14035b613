"""The curve that marks draw: from each mark to the next, the key is held at its weight or not at all.

Takes marks that are already reduced to one verdict an instant (`facts`); where closed holds cover the
curve is the business of `envelope`.
"""

from __future__ import annotations

from itertools import pairwise

from poh_holdmetrics.instants import MAX_US
from poh_holdmetrics.pure.facts import STOP, Marks

#: The end of a segment that nothing has ended: one step after the last instant there is.
OPEN_US = MAX_US + 1

#: Half-open [start_us, end_us) held at a weight in wads.
Segment = tuple[int, int, int]


def segments_from_marks(marks: Marks, *, closed_only: bool = False) -> list[Segment]:
    """The held stretches of the curve, sorted and disjoint; the last may end at `OPEN_US`.

    With `closed_only` the curve is off from the last mark on.
    """
    if not marks:
        return []
    instants = sorted(marks)
    segments = [
        (at_us, next_us, marks[at_us]) for at_us, next_us in pairwise(instants) if marks[at_us] != STOP
    ]
    last_us = instants[-1]
    if marks[last_us] != STOP and not closed_only:
        segments.append((last_us, OPEN_US, marks[last_us]))
    return segments

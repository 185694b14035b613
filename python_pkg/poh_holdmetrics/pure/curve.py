"""The curve that marks draw: from each mark to the next, the key is held at its weight or not at all.

Takes the deciding mark of each instant (`facts`); `envelope` decides when closed holds or the
balance exceed the curve.
"""

from __future__ import annotations

from itertools import pairwise

from poh_holdmetrics.instants import MAX_US
from poh_holdmetrics.pure.facts import STOP, Marks

#: The end of a segment that nothing has ended: one step after the last instant.
OPEN_US = MAX_US + 1

#: Half-open [start_us, end_us) held at a weight in wads.
Segment = tuple[int, int, int]


def segments_from_marks(marks: Marks, *, closed_only: bool = False) -> list[Segment]:
    """The segments in which the curve is on, sorted and disjoint; the last may end at `OPEN_US`.

    With `closed_only` the curve is off from the last mark on.
    """
    levels = [(at_us, marks[at_us][1]) for at_us in sorted(marks)]
    if levels and not closed_only:
        levels.append((OPEN_US, STOP))
    return [(at_us, next_us, level) for (at_us, level), (next_us, _) in pairwise(levels) if level != STOP]

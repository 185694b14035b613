"""The effective weight of one key: the largest of all segments that cover an instant.

One sweep over the sorted segments with a heap of those that a heavier one covers for now: O(n log n) for n
facts of the key in every pattern (nested, staircase, shared ends). Nothing is kept between questions, so a
correction costs nothing when it is added, and each question costs O(n log n) again. A segment that another
covers whole at no less weight never enters the heap. Knows no windows beyond clipping.
"""

from __future__ import annotations

from heapq import heappop, heappush

from poh_holdmetrics.pure.balance import first_deficit, segments_from_changes
from poh_holdmetrics.pure.curve import Segment, segments_from_marks
from poh_holdmetrics.pure.facts import InForce, KeyFacts
from poh_holdmetrics.pure.ranking import Total


def effective_segments(facts: KeyFacts, *, closed_only: bool = False) -> list[Segment]:
    """Where a key is held and at what weight: sorted, disjoint, equal neighbours joined."""
    return envelope(_segments(facts.in_force(), closed_only=closed_only))


def integral(facts: KeyFacts, from_us: int, as_of_us: int, *, closed_only: bool = False) -> Total:
    """Held microseconds, the sum in wad-microseconds over [from_us, as_of_us), and 1 if in deficit."""
    in_force = facts.in_force()
    changes = in_force[2]
    held_us = total = 0
    clipped = []
    for start_us, end_us, wad in _segments(in_force, closed_only=closed_only):
        since_us = start_us if start_us > from_us else from_us
        until_us = end_us if end_us < as_of_us else as_of_us
        if since_us < until_us:
            clipped.append((since_us, until_us, wad))
    for start_us, end_us, wad in clipped if len(clipped) < 2 else envelope(clipped):  # noqa: PLR2004
        held_us += end_us - start_us
        total += (end_us - start_us) * wad
    is_deficit = bool(changes) and first_deficit(changes, as_of_us) is not None
    return Total(held_us, total, int(is_deficit))


def envelope(segments: list[Segment]) -> list[Segment]:
    """The maximum over `segments` (in any order, overlapping or not, none empty), as disjoint segments."""
    pending = sorted(segments, reverse=True)
    running: list[tuple[int, int]] = []  # (-wad, end_us) of what a heavier segment covers for now
    found: list[Segment] = []
    while pending:
        start_us, end_us, wad = pending.pop()
        while True:
            # Here `wad` is in force from start_us on, and would last until end_us.
            while pending and pending[-1][0] < end_us and pending[-1][2] <= wad:
                _, other_end_us, other_wad = pending.pop()
                if other_end_us > end_us:
                    if other_wad == wad:
                        end_us = other_end_us
                    else:
                        heappush(running, (-other_wad, other_end_us))
            if pending and pending[-1][0] < end_us:
                # A heavier one begins before this one ends; the rest of this one may be in force later.
                next_start_us, next_end_us, next_wad = pending.pop()
                if end_us > next_end_us:
                    heappush(running, (-wad, end_us))
                _join(found, start_us, next_start_us, wad)
                start_us, end_us, wad = next_start_us, next_end_us, next_wad
                continue
            _join(found, start_us, end_us, wad)
            while running and running[0][1] <= end_us:
                heappop(running)
            if not running:
                break
            start_us = end_us
            negative_wad, end_us = heappop(running)
            wad = -negative_wad
    return found


def _segments(in_force: InForce, *, closed_only: bool) -> list[Segment]:
    closed, marks, changes = in_force
    segments = [(start_us, end_us, wad) for (start_us, end_us), wad in closed.items()]
    if marks:
        segments += segments_from_marks(marks, closed_only=closed_only)
    if changes:
        segments += segments_from_changes(changes, closed_only=closed_only)
    return segments


def _join(found: list[Segment], start_us: int, end_us: int, wad: int) -> None:
    if start_us == end_us:
        return
    if found and found[-1][1] == start_us and found[-1][2] == wad:
        found[-1] = (found[-1][0], end_us, wad)
    else:
        found.append((start_us, end_us, wad))

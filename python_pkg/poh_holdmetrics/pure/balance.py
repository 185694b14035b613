"""The balance of a key: the running sum of its changes, held while it is above 0.

Also finds where a balance first falls below 0, which means that something is missing from the input. Sums
are exact integers of any size. Takes the changes in force (`facts`).
"""

from __future__ import annotations

from itertools import pairwise

from poh_holdmetrics.pure.curve import OPEN_US, Segment
from poh_holdmetrics.pure.facts import Changes


def segments_from_changes(changes: Changes, *, closed_only: bool = False) -> list[Segment]:
    """The segments with a balance above 0, sorted and disjoint; the last may end at `OPEN_US`.

    With `closed_only` nothing is held from the last change on.
    """
    levels = _levels(changes)
    if levels and not closed_only:
        levels.append((OPEN_US, 0))
    return [(at_us, next_us, balance) for (at_us, balance), (next_us, _) in pairwise(levels) if balance > 0]


def first_deficit(changes: Changes, as_of_us: int) -> tuple[int, int] | None:
    """The first instant before `as_of_us` with a balance below 0, and that balance."""
    for at_us, balance in _levels(changes):
        if at_us >= as_of_us:
            return None
        if balance < 0:
            return at_us, balance
    return None


def _levels(changes: Changes) -> list[tuple[int, int]]:
    balance = 0
    levels = []
    for at_us in sorted(changes):
        balance += changes[at_us]
        levels.append((at_us, balance))
    return levels

"""The definition of a score, followed word by word: slow, short, and sharing no code with the package.

It cuts time at every instant that an event names and finds, for each piece, what is held then.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple


class Raw(NamedTuple):
    """An event as integers; times in microseconds, weight and delta in wads."""

    token_id: str
    holder_id: str
    start: int | None
    end: int | None
    weight: int = 10**18
    event_id: str | None = None
    revision: int = 0
    retract: bool = False
    at: int | None = None
    delta: int | None = None
    seq: int = 0


def facts_in_force(events: Sequence[Raw]) -> list[Raw]:
    def claim(event: Raw) -> tuple[object, ...]:
        # A stop and a change state no weight.
        weight = None if event.start is None else event.weight
        fields = (event.start, event.end, weight, event.at, event.delta, event.seq)
        return (event.revision, event.retract, *((0, 0) if x is None else (1, x) for x in fields))

    ids = {event.event_id for event in events if event.event_id is not None}
    winners = [max((e for e in events if e.event_id == each), key=claim) for each in ids]
    return [e for e in events if e.event_id is None] + [e for e in winners if not e.retract]


def balance(facts: Sequence[Raw], t: int) -> int:
    return sum(e.delta for e in facts if e.delta is not None and e.at is not None and e.at <= t)


def effective(facts: Sequence[Raw], t: int, *, closed_only: bool) -> int | None:
    """The weight at `t`, None if nothing is held."""
    covering = [e.weight for e in facts if e.start is not None and e.end is not None and e.start <= t < e.end]
    marks = [e for e in facts if e.at is None and (e.start is None or e.end is None)]
    mark_times = {e: e.start if e.end is None else e.end for e in marks}
    before = [at for at in mark_times.values() if at is not None and at <= t]
    if before and not (
        closed_only and max(before) == max(at for at in mark_times.values() if at is not None)
    ):
        there = [e for e in marks if mark_times[e] == max(before)]
        deciding = [e for e in there if e.seq == max(e.seq for e in there)]
        if not any(e.start is None for e in deciding):
            covering.append(max(e.weight for e in deciding))
    changes = [e.at for e in facts if e.at is not None]
    if changes and not (closed_only and t >= max(changes)) and balance(facts, t) > 0:
        covering.append(balance(facts, t))
    return max(covering, default=None)


def deficits(events: Sequence[Raw], as_of: int) -> list[tuple[str, str]]:
    """The keys whose balance is below 0 at some instant before `as_of`."""
    found = []
    for key in {(e.token_id, e.holder_id) for e in events}:
        facts = facts_in_force([e for e in events if (e.token_id, e.holder_id) == key])
        if any(balance(facts, e.at) < 0 for e in facts if e.at is not None and e.at < as_of):
            found.append(key)
    return sorted(found)


def key_score(
    events: Sequence[Raw], as_of: int, from_: int | None, *, closed_only: bool
) -> tuple[int, Fraction]:
    facts = facts_in_force(events)
    low = min([t for e in events for t in (e.start, e.end, e.at) if t is not None], default=0)
    begin = low if from_ is None else from_
    cuts = sorted({t for e in facts for t in (e.start, e.end, e.at) if t is not None} | {begin, as_of})
    held, score = 0, Fraction(0)
    for since, until in pairwise(cuts):
        if begin <= since and until <= as_of:
            weight = effective(facts, since, closed_only=closed_only)
            if weight is not None:
                held += until - since
                score += Fraction(weight * (until - since), 10**24)
    return held, score


def leaderboard(
    events: Sequence[Raw], as_of: int, from_: int | None = None, *, closed_only: bool = False
) -> list[tuple[int, str, int, Fraction]]:
    """(rank, holder_id, held_us, score in weight-seconds)."""
    totals: dict[str, tuple[int, Fraction]] = {}
    for token_id, holder_id in {(e.token_id, e.holder_id) for e in events}:
        own = [e for e in events if (e.token_id, e.holder_id) == (token_id, holder_id)]
        held, score = key_score(own, as_of, from_, closed_only=closed_only)
        before = totals.get(holder_id, (0, Fraction(0)))
        totals[holder_id] = (before[0] + held, before[1] + score)
    return [
        (1 + sum(other > score for _, other in totals.values()), holder, held, score)
        for holder, (held, score) in sorted(totals.items(), key=lambda item: (-item[1][1], item[0].encode()))
    ]

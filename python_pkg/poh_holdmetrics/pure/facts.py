"""What is known of one key: the facts in force, whatever the order and number of arrivals.

Events without `event_id` are reduced at once to what can matter (the largest weight of equal spans, the
deciding mark of an instant), because nothing can withdraw them. Of the events that share an `event_id` the
one in force is kept. Scores nothing; see `curve`, `balance` and `envelope`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from poh_holdmetrics import wads
from poh_holdmetrics.validation import Record

#: The level that a stop mark sets. It is above every weight, so that a stop wins over starts of its instant.
STOP = wads.WAD_END

#: Closed holds as {(start_us, end_us): wad}.
Closed: TypeAlias = Mapping[tuple[int, int], int]
#: The deciding mark of each instant as {at_us: (seq, level)}; the level is a weight in wads, or STOP.
Marks: TypeAlias = Mapping[int, tuple[int, int]]
#: Changes of balance as {at_us: sum of their deltas}.
Changes: TypeAlias = Mapping[int, int]

#: The facts of a key that count, to be read only.
InForce: TypeAlias = tuple[Closed, Marks, Changes]

#: What decides between events of one id, compared as a tuple: revision, retract, start, end, weight, at,
#: delta, seq. An absent value is an empty tuple, an absent weight -1: smaller than every present one.
_Present: TypeAlias = tuple[int, ...]
Claim: TypeAlias = tuple[int, bool, _Present, _Present, int, _Present, _Present, int]


_NO_WEIGHT = -1


class KeyFacts:
    """The facts of one key. Adding the same record again changes nothing."""

    __slots__ = ("_claims", "_closed", "_marks")

    def __init__(self) -> None:
        self._closed: dict[tuple[int, int], int] = {}
        self._marks: dict[int, tuple[int, int]] = {}
        self._claims: dict[str, Claim] | None = None

    def add(self, record: Record) -> None:
        """Add an accepted record of this key, in constant time."""
        _, _, start_us, end_us, wad, event_id, _, _, _, _, seq = record
        if event_id is None:
            _put_hold(self._closed, self._marks, start_us, end_us, wad, seq)
        else:
            self._claim(event_id, claim_of(record))

    def merge(self, other: KeyFacts) -> None:
        """Unite with another partial state of the same key, which stays as it is."""
        for (start_us, end_us), wad in other._closed.items():
            _put_closed(self._closed, start_us, end_us, wad)
        for at_us, mark in other._marks.items():
            _put_mark(self._marks, at_us, mark)
        for event_id, claim in (other._claims or {}).items():
            self._claim(event_id, claim)

    def in_force(self) -> InForce:
        """The closed holds, marks and changes that count, in time linear in the facts."""
        if self._claims is None:
            return self._closed, self._marks, {}
        closed, marks, changes = dict(self._closed), dict(self._marks), dict[int, int]()
        for _, retract, start, end, wad, at, delta, seq in self._claims.values():
            if retract:
                continue
            if at:
                changes[at[0]] = changes.get(at[0], 0) + delta[0]
            else:
                _put_hold(closed, marks, start[0] if start else None, end[0] if end else None, wad, seq)
        return closed, marks, changes

    def records(self, token_id: str, holder_id: str) -> list[Record]:
        """The facts in force as records: those that a later event withdrew or corrected are left out."""
        closed = [(start_us, end_us, wad, 0) for (start_us, end_us), wad in self._closed.items()]
        marks = [
            (None, at_us, wads.WAD, seq) if level == STOP else (at_us, None, level, seq)
            for at_us, (seq, level) in self._marks.items()
        ]
        found = [
            Record(token_id, holder_id, start_us, end_us, wad, None, 0, retract=False, seq=seq)
            for start_us, end_us, wad, seq in [*closed, *marks]
        ]
        for event_id, (revision, retract, start, end, wad, at, delta, seq) in (self._claims or {}).items():
            if not retract:
                times = start[0] if start else None, end[0] if end else None
                change = at[0] if at else None, delta[0] if delta else None
                weight = wads.WAD if wad == _NO_WEIGHT else wad
                found.append(
                    Record(
                        *(token_id, holder_id, *times, weight, event_id, revision),
                        *(False, *change, seq),
                    )
                )
        return found

    def kept(self) -> tuple[Closed, Marks, Mapping[str, object]]:
        """Plain holds, plain marks, and the events in force by `event_id`: all that can matter."""
        return self._closed, self._marks, self._claims or {}

    def changes_at(self, at_us: int) -> dict[str, int]:
        """The deltas in force at one instant, by `event_id`."""
        return {
            event_id: delta[0]
            for event_id, (_, retract, _, _, _, at, delta, _) in (self._claims or {}).items()
            if not retract and at == (at_us,)
        }

    def changes(self) -> list[tuple[int, str, int]]:
        """The changes in force as (at_us, event_id, delta), in order of time, then of id."""
        return sorted(
            (at[0], event_id, delta[0])
            for event_id, (_, retract, _, _, _, at, delta, _) in (self._claims or {}).items()
            if at and not retract
        )

    def _claim(self, event_id: str, claim: Claim) -> None:
        if self._claims is None:
            self._claims = {}
        held = self._claims.get(event_id)
        if held is None or claim > held:
            self._claims[event_id] = claim


def claim_of(record: Record) -> Claim:
    """What a record with an `event_id` states."""
    _, _, start_us, end_us, wad, _, revision, retract, at_us, delta, seq = record
    times = _present(start_us), _present(end_us)
    # A stop and a change have no weight, whatever their events state.
    weight = _NO_WEIGHT if start_us is None else wad
    return revision, retract, *times, weight, _present(at_us), _present(delta), seq


def _present(value: int | None) -> _Present:
    return () if value is None else (value,)


def _put_hold(
    closed: dict[tuple[int, int], int],
    marks: dict[int, tuple[int, int]],
    start_us: int | None,
    end_us: int | None,
    wad: int,
    seq: int,
) -> None:
    if start_us is None:
        if end_us is not None:
            _put_mark(marks, end_us, (seq, STOP))
    elif end_us is None:
        _put_mark(marks, start_us, (seq, wad))
    elif start_us < end_us:
        _put_closed(closed, start_us, end_us, wad)


def _put_closed(closed: dict[tuple[int, int], int], start_us: int, end_us: int, wad: int) -> None:
    span = (start_us, end_us)
    if closed.get(span, -1) < wad:
        closed[span] = wad


def _put_mark(marks: dict[int, tuple[int, int]], at_us: int, mark: tuple[int, int]) -> None:
    held = marks.get(at_us)
    if held is None or mark > held:
        marks[at_us] = mark

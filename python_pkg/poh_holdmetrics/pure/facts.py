"""What is known of one key: the facts in force, whatever the order and number of arrivals.

Anonymous events are reduced at once to what can matter (the largest weight of equal spans, the verdict of
marks at one instant), because nothing can withdraw them. Events with an `event_id` are kept by id, the one
in force only. Scores nothing; see `curve` and `envelope`.
"""

from __future__ import annotations

from collections.abc import Mapping

from poh_holdmetrics.validation import Record

#: The verdict of a mark: the weight from there on, or STOP where nothing is held.
STOP = -1

#: Closed holds as {(start_us, end_us): wad} and marks as {at_us: wad or STOP}.
Closed = Mapping[tuple[int, int], int]
Marks = Mapping[int, int]

#: What decides between events of one id, compared as a tuple: revision, retract, start, end, weight.
#: An absent time is an empty tuple, which is smaller than every present one.
_Claim = tuple[int, bool, tuple[int, ...], tuple[int, ...], int]


class KeyFacts:
    """The facts of one key. Adding the same record again changes nothing."""

    __slots__ = ("_claims", "_closed", "_marks")

    def __init__(self) -> None:
        self._closed: dict[tuple[int, int], int] = {}
        self._marks: dict[int, int] = {}
        self._claims: dict[str, _Claim] | None = None

    def add(self, record: Record) -> None:
        """Take in an accepted record of this key."""
        _, _, start_us, end_us, wad, event_id, revision, retract = record
        if event_id is None:
            _put(self._closed, self._marks, start_us, end_us, wad)
        else:
            self._claim(event_id, (revision, retract, _present(start_us), _present(end_us), wad))

    def merge(self, other: KeyFacts) -> None:
        """Unite with another partial state of the same key, which stays as it is."""
        for (start_us, end_us), wad in other._closed.items():
            _put_closed(self._closed, start_us, end_us, wad)
        for at_us, verdict in other._marks.items():
            _put_mark(self._marks, at_us, verdict)
        for event_id, claim in (other._claims or {}).items():
            self._claim(event_id, claim)

    def in_force(self) -> tuple[Closed, Marks]:
        """The closed holds and the marks that count; read them, do not change them."""
        if self._claims is None:
            return self._closed, self._marks
        closed, marks = dict(self._closed), dict(self._marks)
        for _, retract, start, end, wad in self._claims.values():
            if not retract:
                _put(closed, marks, start[0] if start else None, end[0] if end else None, wad)
        return closed, marks

    def _claim(self, event_id: str, claim: _Claim) -> None:
        if self._claims is None:
            self._claims = {}
        held = self._claims.get(event_id)
        if held is None or claim > held:
            self._claims[event_id] = claim


def _present(us: int | None) -> tuple[int, ...]:
    return () if us is None else (us,)


def _put(
    closed: dict[tuple[int, int], int],
    marks: dict[int, int],
    start_us: int | None,
    end_us: int | None,
    wad: int,
) -> None:
    if start_us is None:
        if end_us is not None:
            _put_mark(marks, end_us, STOP)
    elif end_us is None:
        _put_mark(marks, start_us, wad)
    elif start_us < end_us:
        _put_closed(closed, start_us, end_us, wad)


def _put_closed(closed: dict[tuple[int, int], int], start_us: int, end_us: int, wad: int) -> None:
    span = (start_us, end_us)
    if closed.get(span, STOP) < wad:
        closed[span] = wad


def _put_mark(marks: dict[int, int], at_us: int, verdict: int) -> None:
    held = marks.get(at_us)
    if held is None or (held != STOP and (verdict == STOP or verdict > held)):
        marks[at_us] = verdict

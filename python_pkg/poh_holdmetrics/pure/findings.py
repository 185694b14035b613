"""What a set of events has that is valid and probably not meant, as counts and examples.

Sees accepted records and changes no score; the native scorer finds the same. What is said about it is in
`hold_warnings`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from poh_holdmetrics.pure.facts import STOP, Claim, claim_of
from poh_holdmetrics.validation import Record

#: How many ids are another spelling of one that is counted already, and the first two ids that are equal but
#: for case.
Spellings = tuple[int, tuple[str, str] | None]

#: The fields of `Findings`.
FindingsRow = tuple[tuple[int, int] | None, int, int, Spellings, Spellings]


class Findings(NamedTuple):
    """Counts over the facts in force of all keys."""

    between_us: tuple[int, int] | None
    """The first and the last instant that a fact names."""
    ties: int
    """Instants of a key at which different levels are stated under the largest `seq`."""
    conflicts: int
    """Ids of events for which different facts are stated at the revision in force, and no retraction."""
    holders: Spellings
    tokens: Spellings

    def and_those(self, other: Findings) -> Findings:
        """Both, if the others are about other keys."""
        between = [each for each in (self.between_us, other.between_us) if each is not None]
        return Findings(
            (min(first for first, _ in between), max(last for _, last in between)) if between else None,
            self.ties + other.ties,
            self.conflicts + other.conflicts,
            (self.holders[0] + other.holders[0], self.holders[1] or other.holders[1]),
            (self.tokens[0] + other.tokens[0], self.tokens[1] or other.tokens[1]),
        )


#: Of no events.
NO_FINDINGS = Findings(None, 0, 0, (0, None), (0, None))


class Finder:
    """Sees records, in any order and number."""

    def __init__(self) -> None:
        self._plain = _Levels()
        self._stated: dict[tuple[str, str, str], tuple[Claim, bool]] = {}
        self._holders: set[str] = set()
        self._tokens: set[str] = set()

    def see(self, record: Record) -> None:
        """Take an accepted record into account."""
        token_id, holder_id, start_us, end_us, wad, event_id, _, _, _, _, seq = record
        self._holders.add(holder_id)
        self._tokens.add(token_id)
        if event_id is None:
            self._plain.see((token_id, holder_id), start_us, end_us, wad, seq)
            return
        claim = claim_of(record)
        key = token_id, holder_id, event_id
        held, is_contested = self._stated.get(key, (claim, False))
        if claim[0] > held[0]:
            self._stated[key] = claim, False
        elif claim[0] == held[0]:
            is_contested = is_contested or _fact(claim) != _fact(held)
            self._stated[key] = max(claim, held), is_contested

    def findings(self) -> Findings:
        """What was found so far."""
        levels = self._plain.copy()
        conflicts = 0
        for (token_id, holder_id, _), (claim, is_contested) in self._stated.items():
            _, retract, start, end, wad, at, _, seq = claim
            if retract:
                continue
            conflicts += is_contested
            if at:
                levels.see_between(at[0], at[0])
            else:
                start_us, end_us = (start[0] if start else None), (end[0] if end else None)
                levels.see((token_id, holder_id), start_us, end_us, wad, seq)
        return Findings(
            levels.between_us(), levels.ties(), conflicts, spellings(self._holders), spellings(self._tokens)
        )


def findings_of(records: Iterable[Record]) -> Findings:
    """What some records have."""
    finder = Finder()
    for record in records:
        finder.see(record)
    return finder.findings()


def spellings(ids: Iterable[str]) -> Spellings:
    """Those among different ids."""
    count, example = 0, None
    spelled = sorted((each.lower(), each) for each in ids)
    for _, alike in groupby(spelled, key=lambda pair: pair[0]):
        first, *others = (each for _, each in alike)
        if others:
            count += len(others)
            example = example or (first, others[0])
    return count, example


class _Levels:
    """The instants of holds and marks, and the strongest mark of each instant of a key."""

    def __init__(self) -> None:
        self._first_us: int | None = None
        self._last_us: int | None = None
        self._marks: dict[tuple[tuple[str, str], int], tuple[tuple[int, int], bool]] = {}

    def copy(self) -> _Levels:
        levels = _Levels()
        levels._first_us, levels._last_us = self._first_us, self._last_us
        levels._marks = dict(self._marks)
        return levels

    def see(self, key: tuple[str, str], start_us: int | None, end_us: int | None, wad: int, seq: int) -> None:
        first_us, last_us = (
            (end_us if start_us is None else start_us),
            (start_us if end_us is None else end_us),
        )
        if first_us is None or last_us is None:
            return  # a retraction, which names no instant
        self.see_between(first_us, last_us)
        if start_us is None or end_us is None:
            mark = seq, STOP if start_us is None else wad
            held, is_tie = self._marks.get((key, first_us), (mark, False))
            if mark[0] == held[0]:
                is_tie = is_tie or mark != held
            elif mark > held:
                is_tie = False
            self._marks[key, first_us] = max(mark, held), is_tie

    def see_between(self, first_us: int, last_us: int) -> None:
        self._first_us = first_us if self._first_us is None else min(self._first_us, first_us)
        self._last_us = last_us if self._last_us is None else max(self._last_us, last_us)

    def between_us(self) -> tuple[int, int] | None:
        return None if self._first_us is None or self._last_us is None else (self._first_us, self._last_us)

    def ties(self) -> int:
        return sum(is_tie for _, is_tie in self._marks.values())


def _fact(claim: Claim) -> tuple[object, ...]:
    """What a claim states: `seq` has a meaning for marks alone."""
    _, retract, start, end, wad, at, delta, seq = claim
    is_mark = bool(start) != bool(end)
    return retract, start, end, wad, at, delta, seq if is_mark else 0

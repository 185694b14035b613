"""What is known of one key: its segments, its changes and, if its balance falls below 0, its deficit.

Over all of time: a window counts for sums alone, which are in `envelope`. Keeps nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from poh_holdmetrics.pure.balance import first_deficit
from poh_holdmetrics.pure.curve import OPEN_US
from poh_holdmetrics.pure.envelope import effective_segments

if TYPE_CHECKING:
    from poh_holdmetrics.pure.facts import KeyFacts


class Deficit(NamedTuple):
    """A key whose balance fell below 0: when first, to what (in wads), and the changes that took it there."""

    token_id: str
    holder_id: str
    at_us: int
    balance: int
    event_ids: list[str]


class KeyStatement(NamedTuple):
    """One key: segments (start, end or None, wads) and changes (instant, event_id, delta, balance)."""

    token_id: str
    segments: list[tuple[int, int | None, int]]
    changes: list[tuple[int, str, int, int]]
    deficit: Deficit | None


def deficit_of(token_id: str, holder_id: str, facts: KeyFacts, as_of_us: int) -> Deficit | None:
    """The deficit of a key whose balance is below 0 at some instant before `as_of_us`."""
    first = first_deficit(facts.in_force()[2], as_of_us)
    if first is None:
        return None
    debits = [event_id for event_id, delta in facts.changes_at(first[0]).items() if delta < 0]
    return Deficit(token_id, holder_id, *first, sorted(debits))


def key_statement(token_id: str, holder_id: str, facts: KeyFacts) -> KeyStatement:
    """The statement of one key."""
    changes = facts.changes()
    balances: dict[int, int] = {}
    balance = 0
    for at_us, _, delta in changes:
        balance += delta
        balances[at_us] = balance
    return KeyStatement(
        token_id,
        [
            (start_us, None if end_us == OPEN_US else end_us, wad)
            for start_us, end_us, wad in effective_segments(facts)
        ],
        [(at_us, event_id, delta, balances[at_us]) for at_us, event_id, delta in changes],
        deficit_of(token_id, holder_id, facts, OPEN_US),
    )

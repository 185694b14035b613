"""What is asked of a service and what it answers, before any protocol: plain frozen values.

Computed in `hold_service`; `grpc_messages` and `http_answers` convert them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poh_holdmetrics.native import Row
    from poh_holdmetrics.pure.statement import Deficit
    from poh_holdmetrics.windows import Window


@dataclass(frozen=True, slots=True)
class Question:
    """The time that counts, and the token that counts; None means all."""

    window: Window
    token_id: str | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: the next page begins after it."""

    score: str
    holder_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the leaderboard. `known` counts the holders that match, `deficits` their keys below 0."""

    rows: Sequence[Row]
    next: Cursor | None
    known: int
    deficits: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of time with one effective weight in wads; `end_us` None means that it is still open."""

    start_us: int
    end_us: int | None
    wad: int


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """A change in force, and the balance after all changes of its instant, in wads."""

    at_us: int
    event_id: str
    delta: int
    balance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """What is known of one token of a holder, over all of time."""

    token_id: str
    segments: Sequence[Segment]
    changes: Sequence[BalanceChange]
    deficit: Deficit | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderAnswer:
    """One holder: its row over the window, and its keys by `token_id`."""

    row: Row
    keys: Sequence[KeyReport]
    deficits: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeficitPage:
    """A page of the keys below 0, by token and holder. `known` counts them, listed or not."""

    deficits: Sequence[Deficit]
    next: tuple[str, str] | None
    known: int
    sequence: int

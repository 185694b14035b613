"""What the calls of a client return: frozen values, equal over HTTP and gRPC.

Holders are `HoldStat`, events are `HoldEvent`; times are aware datetimes in UTC, quantities are exact.
Makes no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from poh_holdmetrics.data_models import HoldEvent, HoldStat


@dataclass(frozen=True)
class RefusedEvent:
    """An event that was refused: its index in what was sent from 0, the invalid field, and why."""

    index: int
    field: str
    reason: str


@dataclass
class SendReport:
    """What became of the events that were sent; while `send` runs, of those that are done.

    `refused` lists the first 10,000 of the `refused_total` refused events by index. `sequence` is the largest
    sequence number of the acknowledgements. `durability` is `DURABLE` if all accepted events are on disk,
    `BUFFERED` if the service keeps them in memory only, empty if none was accepted.
    """

    accepted: int = 0
    refused: list[RefusedEvent] = field(default_factory=list)
    refused_total: int = 0
    sequence: int = 0
    durability: str = ""


@dataclass(frozen=True)
class PolicyVersion:
    """The rule by which published scores were computed."""

    name: str
    version: str


@dataclass(frozen=True)
class Leaderboard:
    """Holders in order, over the window that was applied; `sequence` is the last event that is counted.

    `deficits` is the number of keys whose balance is below 0 before `as_of`.
    """

    as_of: datetime
    from_: datetime | None
    closed_only: bool
    holders: tuple[HoldStat, ...]
    holders_total: int
    deficits: int
    sequence: int
    policy: PolicyVersion | None = None


@dataclass(frozen=True)
class Segment:
    """A span of time with one effective weight; `end` is None while the hold is open."""

    start: datetime
    end: datetime | None
    weight: Decimal


@dataclass(frozen=True)
class BalanceChange:
    """A change of balance in force, and the balance after it."""

    at: datetime
    event_id: str
    delta: Decimal
    balance: Decimal


@dataclass(frozen=True)
class Deficit:
    """A key whose balance is below 0: the first such instant, the balance there, the changes behind it."""

    token_id: str
    holder_id: str
    at: datetime
    balance: Decimal
    event_ids: tuple[str, ...]
    event_ids_left_out: int


@dataclass(frozen=True)
class HeldToken:
    """One token of a holder: its effective weight over time, and the changes behind its balance."""

    token_id: str
    segments: tuple[Segment, ...]
    changes: tuple[BalanceChange, ...]
    deficit: Deficit | None


@dataclass(frozen=True)
class HolderReport:
    """One holder, explained; `tokens` are over all of time, whatever the window."""

    as_of: datetime
    from_: datetime | None
    closed_only: bool
    stat: HoldStat
    deficits: int
    tokens: tuple[HeldToken, ...]
    sequence: int
    segments_left_out: int
    tokens_left_out: int
    changes_left_out: int


@dataclass(frozen=True)
class LeaderboardChange:
    """The first holders now, those that are new or have changed, and the ids of those that have left."""

    as_of: datetime
    holders: tuple[HoldStat, ...]
    changed: tuple[HoldStat, ...]
    left: tuple[str, ...]
    sequence: int
    deficits: int


@dataclass(frozen=True)
class Round:
    """A sealed round; amounts in base units.

    `journal_head` is the SHA-256 of the journal's frame that ends with event `sequence`, if there is one.
    `manifest` is all that the round states; None in a list.
    """

    id: str
    sealed_at: datetime
    as_of: datetime
    sequence: int
    journal_head: str | None
    format: str
    root: str
    sum: int
    recipients: int
    list_sha256: str
    manifest: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RoundProof:
    """What a holder shows to the contract of a round; `value` has the values of the leaf as text."""

    id: str
    format: str
    value: tuple[str, ...]
    amount: int
    leaf: str
    proof: tuple[str, ...]
    root: str


@dataclass(frozen=True)
class FeedEvent:
    """An acknowledged event. A fact stands for events that no longer exist, and may be delivered again."""

    sequence: int
    event: HoldEvent
    is_fact: bool

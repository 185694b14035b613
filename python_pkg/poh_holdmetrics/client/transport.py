"""The port between the client and a protocol: one attempt of each call, with the results of `results`.

An attempt raises the errors of `errors` and nothing of its library. Repetitions and time limits are the
client's; see `patience`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from poh_holdmetrics.client.batches import Batch
from poh_holdmetrics.client.results import (
    Deficit,
    FeedEvent,
    HolderReport,
    Leaderboard,
    RefusedEvent,
    Round,
    RoundProof,
)

#: Where a feed begins: with a sequence number, with the facts in force, or after the last event.
FeedStart = int | str
BEGINNING, NOW = "beginning", "now"

#: What an attempt says of an answer that cannot be read.
NOT_READABLE = "the answer is not that of a holdmetrics service of this version; check the address"


@dataclass(frozen=True)
class Question:
    """Which time, token and policy an answer is about; times in microseconds, None for the default."""

    as_of_us: int | None = None
    from_us: int | None = None
    closed_only: bool = False
    token_id: str | None = None
    policy: str | None = None


@dataclass(frozen=True)
class Stored:
    """The acknowledgement of a batch; `refused` has the indexes of `Batch.indexes`."""

    accepted: int
    refused: list[RefusedEvent]
    refused_total: int
    sequence: int
    durability: str


@dataclass(frozen=True)
class FeedFilter:
    """Which tokens and holders a feed delivers, as patterns; None means all."""

    token: str | None = None
    holder: str | None = None


@dataclass(frozen=True)
class FeedPage:
    """Events of a feed, which goes on behind `last_sequence`; None within facts."""

    events: list[FeedEvent]
    last_sequence: int | None
    newest_sequence: int


class Transport(Protocol):
    """One attempt of each call."""

    async def store(self, batch: Batch) -> Stored:
        """Store the events of a batch, which has at least one."""

    async def leaderboard(self, question: Question, limit: int) -> Leaderboard:
        """The first holders."""

    async def page(self, question: Question, size: int, token: str | None) -> tuple[Leaderboard, str | None]:
        """A page of all holders, and the token of the next one."""

    async def holder(self, holder_id: str, question: Question) -> HolderReport:
        """One holder, explained."""

    async def deficits(
        self, question: Question, size: int, token: str | None
    ) -> tuple[list[Deficit], str | None]:
        """A page of the keys below 0, and the token of the next one."""

    def watch(self, question: Question, limit: int, interval: float) -> AsyncGenerator[Leaderboard, None]:
        """The first holders whenever they have changed; `holders_total` is not set."""

    def feed(self, start: FeedStart, wanted: FeedFilter) -> AsyncGenerator[FeedPage, None]:
        """Acknowledged events from `start` on; the first page says at once where they begin."""

    async def seal_round(self, request: Mapping[str, Any]) -> Round:
        """Seal a round, or find the one that an equal request has sealed."""

    async def rounds(self, size: int, token: str | None) -> tuple[list[Round], str | None]:
        """A page of rounds without their manifests, and the token of the next one."""

    async def round(self, round_id: str) -> Round:
        """One round."""

    async def round_proof(self, round_id: str, holder: str) -> RoundProof:
        """The proof of a holder."""

    async def ready(self) -> bool:
        """Whether the service takes traffic; may raise `ServiceUnavailable` if not."""

    async def version(self) -> str:
        """The version of the service."""

    async def close(self) -> None:
        """Close the connections."""

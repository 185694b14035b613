"""The contract of every storage of events: a set of facts on which scores are computed again at any time.

A storage keeps each event once, corrections and retractions beside what they correct: which of them are in
force is decided when they are scored. Knows no backend; `memory` is the simplest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from poh_holdmetrics.data_models import HoldEvent, HoldStat
    from poh_holdmetrics.instants import Instant
    from poh_holdmetrics.pure.aggregator import Recorded
    from poh_holdmetrics.tracker import HoldSnapshot


class Storage(Protocol):
    """A set of events, used by the tasks of one event loop; `async with` starts and closes it.

    Every event is its own identity: saving it again, in any order and any number of times, changes nothing.
    So a caller that does not know whether a call arrived repeats it. Times in and out are aware and UTC.
    Every method but `close` and `version` starts a storage that has not been started. All raise
    `StorageUnavailable` if its server or file cannot be reached, `StorageError` if it refuses or was closed.
    """

    @property
    def is_fallback(self) -> bool:
        """Whether events are kept in memory because the server cannot be reached; see `mongodb`."""

    @property
    def has_fallback(self) -> bool:
        """Whether `save_events` may return although events are in memory only."""

    async def start(self) -> None:
        """Connect, create what is missing, and refuse what is in conflict; repeating it changes nothing."""

    async def ping(self) -> None:
        """Return if the storage answers, raise `StorageUnavailable` if it does not."""

    async def version(self) -> str:
        """The name and version of what keeps the events; asks without creating or changing anything.

        Raises as `start` does where that would.
        """

    async def save_event(self, event: Recorded) -> int:
        """Save one `HoldEvent` or `Transfer`; see `save_events`."""
        return await self.save_events([event])

    async def save_events(self, events: Iterable[Recorded]) -> int:
        """Save `HoldEvent` and `Transfer` models; returns how many were new, a transfer as its changes.

        When it returns, they are as durable as the backend makes them. If it raises, some may be saved:
        repeat the call.
        """

    async def snapshot(
        self,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool | None = None,
    ) -> HoldSnapshot:
        """The scores of all holders over [from_, as_of), as `AsyncTracker.snapshot` defines its arguments."""

    async def get_stats(
        self,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool | None = None,
    ) -> list[HoldStat]:
        """The leaderboard of the snapshot with the same arguments."""
        return list(await self.snapshot(as_of, from_, closed_only=closed_only))

    def scan(self) -> AsyncIterator[HoldEvent]:
        """Every event that was saved before the call, once, in no particular order; later ones may follow.

        A transfer is returned as its changes of balance.
        """

    async def count(self) -> int:
        """How many events are saved."""

    async def purge(self, *, token_id: str | None = None, holder_id: str | None = None) -> int:
        """Remove the events of a token, of a holder, of both together, or all; returns how many."""

    async def close(self) -> None:
        """Release the resources; what was saved stays where the backend keeps it."""

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

"""Events in the memory of the process, bounded: for tests, and where the input can be read again.

Nothing is durable: when the process ends, the events are lost. The contract is in `port`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import InputError, StorageError, StoreFull
from poh_holdmetrics.storage.port import Storage
from poh_holdmetrics.storage.scoring import Scorer
from poh_holdmetrics.version import __version__
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.instants import Instant
    from poh_holdmetrics.pure.aggregator import Recorded
    from poh_holdmetrics.tracker import HoldSnapshot
    from poh_holdmetrics.validation import Record


class MemoryStorage(Storage):
    """A `Storage` in the memory of the process; its methods never wait."""

    def __init__(self, *, events_max: int = 1_000_000) -> None:
        """`events_max` is the largest number of events held; saving more raises `StoreFull`."""
        if events_max < 1:
            raise InputError("events_max", f"expected 1 or more, not {events_max}")
        self._records: dict[Record, None] = {}
        self._events_max = events_max
        self._is_closed = False

    @property
    def is_fallback(self) -> bool:
        """Memory is what this storage is, and stands in for nothing."""
        return False

    @property
    def has_fallback(self) -> bool:
        """As `is_fallback`."""
        return False

    async def start(self) -> None:
        """Nothing is to be started; a coroutine, as the contract asks."""
        self._check_open()

    async def ping(self) -> None:
        """Memory always answers; a coroutine, as the contract asks."""
        self._check_open()

    async def version(self) -> str:
        """That of this package; a coroutine, as the contract asks."""
        self._check_open()
        return f"poh_holdmetrics {__version__}"

    async def save_events(self, events: Iterable[Recorded]) -> int:
        """Save all of `events` or none; a coroutine, as the contract asks."""
        self._check_open()
        fresh = dict.fromkeys(
            record for event in events for record in event.records() if record not in self._records
        )
        if len(self._records) + len(fresh) > self._events_max:
            raise StoreFull(len(self._records), len(fresh), self._events_max)
        self._records.update(fresh)
        return len(fresh)

    async def snapshot(
        self,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool | None = None,
    ) -> HoldSnapshot:
        """The scores of the events held; a coroutine that occupies the loop while it sums."""
        self._check_open()
        window = Window.of(as_of, from_, closed_only=closed_only)
        scorer = Scorer()
        scorer.add(list(self._records))
        return scorer.snapshot(window)

    def scan(self) -> AsyncIterator[HoldEvent]:
        """The events held at the time of this call, in the order in which they were saved."""
        self._check_open()
        return _each(list(self._records))

    async def count(self) -> int:
        """How many events are held; a coroutine, as the contract asks."""
        self._check_open()
        return len(self._records)

    async def purge(self, *, token_id: str | None = None, holder_id: str | None = None) -> int:
        """Remove events; a coroutine, as the contract asks."""
        self._check_open()
        left = {
            record: None
            for record in self._records
            if token_id not in (None, record.token_id) or holder_id not in (None, record.holder_id)
        }
        removed = len(self._records) - len(left)
        self._records = left
        return removed

    async def close(self) -> None:
        """Remove the events; a coroutine, as the contract asks."""
        self._records = {}
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise StorageError("memory", "closed")


async def _each(records: list[Record]) -> AsyncIterator[HoldEvent]:
    for record in records:
        yield HoldEvent.from_record(record)

"""Events in a bounded list: for tests and for programs that can read their input again.

Nothing is durable: when the process ends, the events are lost. The contract is in `port`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import islice

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import InputError, StoreFull


class MemoryStore:
    """An `EventStore` in the memory of the process."""

    def __init__(self, *, events_max: int = 1_000_000) -> None:
        """`events_max` is the largest number of events held; an `append` beyond it raises `StoreFull`."""
        if events_max < 1:
            raise InputError("events_max", f"expected 1 or more, not {events_max}")
        self._events: list[HoldEvent] = []
        self._events_max = events_max

    async def append(self, events: Sequence[HoldEvent]) -> int:
        """Add all of `events` or none; a coroutine, as the contract of stores behind I/O asks."""
        if len(self._events) + len(events) > self._events_max:
            raise StoreFull(len(self._events), len(events), self._events_max)
        self._events.extend(events)
        return len(self._events)

    def scan(self) -> AsyncIterator[HoldEvent]:
        """The events held now; events appended during the scan are not part of it."""
        return _each(self._events, len(self._events))

    async def count(self) -> int:
        """How many events are held; a coroutine as `append` is."""
        return len(self._events)

    async def aclose(self) -> None:
        """Remove the events; a scan that has begun continues. A coroutine as `append` is."""
        self._events = []


async def _each(events: list[HoldEvent], count: int) -> AsyncIterator[HoldEvent]:
    for event in islice(events, count):
        yield event

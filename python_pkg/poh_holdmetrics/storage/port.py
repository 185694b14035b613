"""What every store of events does, and what holds for all of them.

The store keeps events as they came, corrections and repetitions included: what is in force is decided when
they are scored. Knows no adapter; `memory` is the simplest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from poh_holdmetrics.data_models import HoldEvent


class EventStore(Protocol):
    """An append-only store of events, used by the tasks of one event loop."""

    async def append(self, events: Sequence[HoldEvent]) -> int:
        """Keep all of `events` or, where this raises, none; returns how many the store now holds.

        Raises `StoreFull` where a bound is reached.
        """

    def scan(self) -> AsyncIterator[HoldEvent]:
        """The events in the order in which they were kept, as of the moment of this call."""

    async def count(self) -> int:
        """How many events the store holds."""

    async def aclose(self) -> None:
        """Give back what the store occupies; it is not used afterwards."""

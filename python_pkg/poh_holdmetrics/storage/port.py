"""The contract of every store of events.

A store keeps events as they arrived, corrections and repetitions included: which of them are in force is
decided when they are scored. Knows no adapter; `memory` is the simplest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from poh_holdmetrics.data_models import HoldEvent


class EventStore(Protocol):
    """An append-only store of events, used by the tasks of one event loop."""

    async def append(self, events: Sequence[HoldEvent]) -> int:
        """Add all of `events`, or none if this raises; returns how many the store now holds.

        Raises `StoreFull` if a bound is reached.
        """

    def scan(self) -> AsyncIterator[HoldEvent]:
        """The events held at the time of this call, in the order in which they were added."""

    async def count(self) -> int:
        """How many events the store holds."""

    async def aclose(self) -> None:
        """Release the resources of the store; it is not used afterwards."""

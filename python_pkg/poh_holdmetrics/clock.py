"""Time as an argument: the clock that the scheduler reads and waits on.

A port with its one real adapter; a test passes a clock that it moves by hand.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds, and a wait until one of them."""

    def now(self) -> float:
        """Seconds since a fixed point in time."""

    async def sleep_until(self, at: float) -> None:
        """Return at `at` or later; at once if it has passed."""


class LoopClock:
    """The clock of the running event loop."""

    def now(self) -> float:
        """Seconds of the loop's monotonic clock."""
        return asyncio.get_running_loop().time()

    async def sleep_until(self, at: float) -> None:
        """Sleep in the loop; yields to other tasks even if `at` has passed."""
        await asyncio.sleep(max(0.0, at - self.now()))

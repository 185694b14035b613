"""Time as an argument: what the scheduler asks for the time and waits with.

A port with its one real adapter; a test brings a clock that it moves by hand.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Clock(Protocol):
    """Seconds that never go back, and a way to wait for one of them."""

    def now(self) -> float:
        """Seconds since some fixed moment."""

    async def sleep_until(self, at: float) -> None:
        """Return at `at` or later; at once where it has passed."""


class LoopClock:
    """The clock of the running event loop."""

    def now(self) -> float:
        """Seconds of the loop's own monotonic clock."""
        return asyncio.get_running_loop().time()

    async def sleep_until(self, at: float) -> None:
        """Sleep in the loop; yields to other tasks even where `at` has passed."""
        await asyncio.sleep(max(0.0, at - self.now()))

"""Questions and events take turns, so that an answer is that of one state.

A question that native code answers runs on another thread, while the loop goes on: events that were stored
meanwhile would be in the answer, or some of them, and its sequence number would not say so. The service of
the binary has a lock for this, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """The turns of one store, taken by the tasks of one event loop in the order in which they come."""

    def __init__(self) -> None:
        """Nothing is asked."""
        self._door = asyncio.Lock()
        self._asking = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Nothing is stored meanwhile; other questions are answered."""
        async with self._door:
            self._asking += 1
            self._is_idle.clear()
        try:
            yield
        finally:
            self._asking -= 1
            if self._asking == 0:
                self._is_idle.set()

    @asynccontextmanager
    async def storing(self) -> AsyncIterator[None]:
        """No question is answered meanwhile; those that come later wait."""
        async with self._door:
            await self._is_idle.wait()
            yield

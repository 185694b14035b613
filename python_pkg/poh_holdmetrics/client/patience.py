"""When a call is repeated: after a temporary failure, with back-off and jitter, until a deadline.

Every call of the service may be repeated: an event is its own identity, and a query changes nothing. What is
refused is never repeated.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from poh_holdmetrics.client.errors import ServiceUnavailable

_FIRST_PAUSE_SECONDS = 0.1
_PAUSE_SECONDS_MAX = 5.0
_DOUBLINGS_MAX = 10

_Answer = TypeVar("_Answer")


class Patience:
    """Time left for the repetitions of one call; `reset` begins anew after a success."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._ends = time.monotonic() + self._seconds
        self._failures = 0

    def left(self, at_most: float) -> float:
        """Seconds for the next attempt."""
        return max(0.001, min(at_most, self._ends - time.monotonic()))

    async def pause(self, error: ServiceUnavailable) -> None:
        """Wait before the next attempt; raises `error` if it is not temporary or no time is left."""
        doubled = _FIRST_PAUSE_SECONDS * 2 ** min(self._failures, _DOUBLINGS_MAX)
        longest = min(_PAUSE_SECONDS_MAX, doubled)
        # Of many clients that lost one service, not all come back at once.
        pause = longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing
        if error.retry_after_seconds is not None:
            pause += error.retry_after_seconds
        if not error.is_temporary or time.monotonic() + pause >= self._ends:
            raise error
        self._failures += 1
        await asyncio.sleep(pause)


@dataclass(frozen=True)
class Persistence:
    """How long an attempt may take, and how long a call is repeated; `url` is for messages."""

    url: str
    attempt_seconds: float
    patience_seconds: float

    async def answer(self, attempt: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """The answer of the first attempt that succeeds."""
        patience = Patience(self.patience_seconds)
        while True:
            try:
                return await self.once(attempt, patience.left(self.attempt_seconds))
            except ServiceUnavailable as error:
                await patience.pause(error)

    async def once(self, attempt: Callable[[], Awaitable[_Answer]], seconds: float | None = None) -> _Answer:
        """The answer of one attempt."""
        limit = self.attempt_seconds if seconds is None else seconds
        try:
            async with asyncio.timeout(limit):
                return await attempt()
        except TimeoutError as error:
            raise ServiceUnavailable(self.url, f"no answer within {limit:.3g} s") from error

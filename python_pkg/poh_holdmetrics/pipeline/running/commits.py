"""When positions and state become durable: in the background, seldom under load, at once when idle.

`Commits` collects what has been handled and writes the latest of it, one write at a time; a write that fails
is repeated with back-off, and nothing is lost meanwhile but the progress. What it writes to is an argument.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock

_log = logging.getLogger(__name__)

#: The least time between two writes while there is work.
INTERVAL_SECONDS = 0.2
_AGAIN_SECONDS = 1.0
_AGAIN_SECONDS_MAX = 30.0

Write = Callable[[int, Mapping[str, str | None]], Awaitable[None]]


class Commits:
    """The progress of one part of a pipeline."""

    def __init__(self, name: str, position: int, write: Write, clock: Clock) -> None:
        self.handled = position
        """The position up to which everything is handled."""
        self._name = name
        self._committed = position
        self._changes: dict[str, str | None] = {}
        self._write = write
        self._clock = clock
        self._due = clock.now()
        self._writing: asyncio.Task[None] | None = None
        self._is_asked_again = False

    @property
    def is_ahead(self) -> bool:
        """Whether something is handled and not yet durable."""
        return self.handled > self._committed or bool(self._changes)

    def advance(self, position: int, changes: Mapping[str, str | None]) -> None:
        """Everything up to `position` is handled, and has changed the state so."""
        self.handled = max(self.handled, position)
        if changes:
            self._changes.update(changes)

    def start_if_due(self) -> None:
        """Write in the background if the last write was long enough ago."""
        if self._writing is None and self._clock.now() >= self._due:
            self.start()

    def start(self) -> None:
        """Write in the background now, or after the current write."""
        if not self.is_ahead:
            return
        if self._writing is not None:
            self._is_asked_again = True
            return
        self._writing = asyncio.create_task(self._run(), name=f"commit of {self._name}")

    async def finish(self) -> None:
        """Write everything and wait until it is durable, however often a write fails."""
        while self.is_ahead or self._writing is not None:
            self.start()
            if self._writing is not None:
                await asyncio.shield(self._writing)

    def cancel(self) -> None:
        """Give up what is not durable."""
        if self._writing is not None:
            self._writing.cancel()

    async def _run(self) -> None:
        pause = _AGAIN_SECONDS
        try:
            while True:
                self._is_asked_again = False
                position, changes = self.handled, self._changes
                self._changes = {}
                try:
                    await self._write(position, changes)
                except Exception as error:  # noqa: BLE001 - a host may fail in any way
                    self._changes = {**changes, **self._changes}
                    _log.error(
                        "%s: the position cannot be stored; again in %g s.", self._name, pause, exc_info=error
                    )
                    await self._clock.sleep_until(self._clock.now() + pause)
                    pause = min(2 * pause, _AGAIN_SECONDS_MAX)
                    continue
                self._committed = position
                self._due = self._clock.now() + INTERVAL_SECONDS
                pause = _AGAIN_SECONDS
                if not (self._is_asked_again and self.is_ahead):
                    return
        finally:
            self._writing = None

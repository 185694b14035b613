"""Delivers the batches of one sink: retries with back-off, then parks the batch as a dead letter.

`deliver` returns when the cursor may pass the batch and not before, so that a batch is never lost: it was
delivered, or it is on disk. If the dead letters are full, or cannot be written, the sink waits and tries
again. Calls the sink through `calls` and reads no feed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from poh_holdmetrics.pipeline.calling.called import Called, Outcome
from poh_holdmetrics.pipeline.calling.calls import HandlerCalls
from poh_holdmetrics.pipeline.running.dead_letters import DeadLetters, DeadLettersFull

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.port import Batch, Meter

_log = logging.getLogger(__name__)

#: One call of the sink with a batch.
Attempt = Callable[["Batch"], Awaitable[Called]]


class Delivered(Enum):
    """What has become of a batch; the cursor may pass it unless the sink is disabled."""

    DELIVERED = "delivered"
    PARKED = "parked"
    SKIPPED = "skipped"
    """It could not be delivered, and there is no folder for dead letters: only counted."""
    DISABLED = "disabled"
    """The sink is disabled and needs the batch again when it is enabled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What has become of the dead letters of a sink."""

    events: int
    """Events delivered; their files are removed."""
    files_left: int
    """Files that are still there."""
    reason: str
    """Why the first of these could not be delivered."""


class SinkDelivery:
    """The deliveries of one sink, one at a time."""

    def __init__(
        self,
        calls: HandlerCalls,
        dead_letters: DeadLetters | None,
        meter: Meter,
        now_us: Callable[[], int],
    ) -> None:
        """`now_us` is the time that a dead letter is marked with."""
        self._calls = calls
        self._dead_letters = dead_letters
        self._meter = meter
        self._now_us = now_us
        options = calls.handler.options
        self._retries = options.retries if options.on_error == "retry" else 0
        self._one_at_a_time = asyncio.Lock()

    async def deliver(self, batch: Batch, attempt: Attempt) -> Delivered:
        """Deliver the batch, or park it; waits as long as neither can be done."""
        async with self._one_at_a_time:
            rounds = 0
            while True:
                called = await self._attempts(batch, attempt)
                if called.outcome is Outcome.DONE:
                    return Delivered.DELIVERED
                if called.outcome is Outcome.DISABLED:
                    return Delivered.DISABLED
                if self._dead_letters is None:
                    self._meter.count("skipped", len(batch))
                    _log.error(
                        "%s: %d events are skipped: no folder for dead letters", self._calls.label, len(batch)
                    )
                    return Delivered.SKIPPED
                try:
                    path = await asyncio.to_thread(
                        self._dead_letters.park, batch, called.reason, self._now_us()
                    )
                except (DeadLettersFull, OSError) as error:
                    rounds += 1
                    if rounds == 1:
                        _log.error(
                            "%s: waits, because its events cannot be parked: %s", self._calls.label, error
                        )
                    self._meter.state("backing_off", f"cannot park events: {error}")
                    await self._calls.back_off(rounds)
                else:
                    self._meter.count("dead_lettered", len(batch))
                    _log.warning("%s: %d events are parked in %s", self._calls.label, len(batch), path)
                    return Delivered.PARKED

    async def replay(self, attempt: Attempt) -> Replayed:
        """Deliver the dead letters, each tried once, and remove the files of those that were delivered.

        It waits for no back-off: an open breaker is closed at first, and if it opens again, the others stay.
        """
        dead_letters = self._dead_letters
        events, reason = 0, ""
        paths = [] if dead_letters is None else await asyncio.to_thread(dead_letters.paths)
        if paths and self._calls.is_backing_off and not self._calls.is_disabled:
            self._calls.enable()
        for path in paths:
            if self._calls.is_backing_off:
                break
            assert dead_letters is not None  # noqa: S101 - it has paths
            try:
                batch = await asyncio.to_thread(dead_letters.read, path)
            except (OSError, ValueError) as error:
                reason = reason or f"{path}: {error}"
                continue
            async with self._one_at_a_time:
                called = await attempt(batch)
            if called.outcome is not Outcome.DONE:
                reason = reason or called.reason or f"the sink is {called.outcome.value}"
                continue
            events += len(batch)
            await asyncio.to_thread(dead_letters.remove, path)
        files_left = 0 if dead_letters is None else len(await asyncio.to_thread(dead_letters.paths))
        return Replayed(events=events, files_left=files_left, reason=reason)

    async def _attempts(self, batch: Batch, attempt: Attempt) -> Called:
        failed = 0
        while True:
            called = await attempt(batch)
            if called.outcome is not Outcome.FAILED or failed == self._retries:
                return called
            failed += 1
            self._meter.count("retried")
            await self._calls.back_off(failed)

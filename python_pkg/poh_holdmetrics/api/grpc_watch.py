"""`Watch`: the leaderboard, and from then on what changes in it.

It asks the service again at the interval of the request. Time alone can change the answer, also that about
closed holds: those that end in the future count until now.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from poh_holdmetrics.api.answers import Question
from poh_holdmetrics.api.grpc_answers import count_from_wire, wire_from_row
from poh_holdmetrics.api.grpc_events import timestamp_from_us
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.protocols import hold_pb2 as pb
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.api.answers import Page
    from poh_holdmetrics.api.hold_service import HoldService
    from poh_holdmetrics.native import Row

_NANOS_IN_SECOND = 1_000_000_000
_INTERVAL_NANOS = _NANOS_IN_SECOND
_INTERVAL_NANOS_MIN = 100_000_000
_INTERVAL_NANOS_MAX = 3_600 * _NANOS_IN_SECOND


class Watch:
    """One watcher: what it asks for, and what it was sent last."""

    def __init__(self, service: HoldService, request: pb.WatchRequest) -> None:
        """Raises `Refused` if the request is invalid."""
        self._interval_seconds = _interval_seconds(request)
        self._rows_max = count_from_wire("n", request.n, 10, 1_000)
        self._service = service
        self._closed_only = request.closed_only
        self._token_id = request.token_id or None
        self._sent: dict[str, Row] | None = None
        self._deficits = 0

    async def changes(self, stop: asyncio.Event) -> AsyncIterator[pb.LeaderboardChange]:
        """The changes, until `stop` is set."""
        while not stop.is_set():
            change = await self._next()
            if change is not None:
                yield change
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._interval_seconds)

    async def _next(self) -> pb.LeaderboardChange | None:
        """What differs from what was sent last; None if nothing does."""
        as_of_us = self._service.now_us()
        question = Question(Window(as_of_us, None, self._closed_only), self._token_id)
        page = await self._service.page(question, None, self._rows_max)
        changed, left = self._difference(page)
        is_other = self._sent is None or self._deficits != page.deficits
        self._sent = {row[1]: row for row in page.rows}
        self._deficits = page.deficits
        if not is_other and not changed and not left:
            return None
        return pb.LeaderboardChange(
            as_of=timestamp_from_us(as_of_us),
            changed=map(wire_from_row, changed),
            left=left,
            sequence=page.sequence,
            deficits=page.deficits,
        )

    def _difference(self, page: Page) -> tuple[list[Row], list[str]]:
        """The rows that differ from those last sent, and the ids that are no longer listed."""
        before = self._sent or {}
        listed = {row[1] for row in page.rows}
        changed = [row for row in page.rows if before.get(row[1]) != row]
        return changed, sorted(before.keys() - listed)


def _interval_seconds(request: pb.WatchRequest) -> float:
    nanos = _INTERVAL_NANOS
    if request.HasField("interval"):
        nanos = request.interval.seconds * _NANOS_IN_SECOND + request.interval.nanos
    if not _INTERVAL_NANOS_MIN <= nanos <= _INTERVAL_NANOS_MAX:
        raise Refused("interval", "must be from 100 ms to 1 h")
    return nanos / _NANOS_IN_SECOND

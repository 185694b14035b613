"""The service that both protocols share: stores accepted records in an `AsyncTracker`, answers questions.

Answers come from the tracker's engine, natively if there is native code. Nothing is durable here:
`storage.flush` keeps the events of a tracker. Knows no protocol.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from poh_holdmetrics import instants
from poh_holdmetrics.api.answers import (
    BalanceChange,
    Cursor,
    DeficitPage,
    HolderAnswer,
    KeyReport,
    Page,
    Question,
    Segment,
)
from poh_holdmetrics.api.hold_lines import read_lines
from poh_holdmetrics.api.published_counts import PublishedCounts
from poh_holdmetrics.api.turns import Turns
from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.exporter.figures import Figures
from poh_holdmetrics.pure.statement import Deficit
from poh_holdmetrics.tracker import AsyncTracker

if TYPE_CHECKING:
    from poh_holdmetrics.native import KeyRow
    from poh_holdmetrics.pure.aggregator import AcceptedLines
    from poh_holdmetrics.validation import Record

NO_EVENT = "unknown holder: no event names it"
NO_EVENT_WITH_TOKEN = "this holder has no event with this token"  # noqa: S105 - tokens of holders


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _always_room(_: int) -> None:
    """Without a storage there is nothing that events wait for."""


class HoldService:
    """Takes records in and answers questions; used by the tasks of one event loop."""

    def __init__(
        self,
        tracker: AsyncTracker | None = None,
        *,
        clock: Callable[[], datetime] = _utc_now,
        check_room: Callable[[int], None] = _always_room,
    ) -> None:
        """The default `tracker` is empty.

        `check_room` is called with the number of events before they are stored, and raises `StoreFull` if
        they must wait; see `storage.flush`.
        """
        self.tracker = AsyncTracker() if tracker is None else tracker
        #: For exporters; a program that has a storage sets its `storage` or `flush`.
        self.figures = Figures(tracker=self.tracker)
        self._clock = clock
        self._check_room = check_room
        self.published_counts = PublishedCounts()
        self._turns = Turns()

    @property
    def sequence(self) -> int:
        """The number of the last event, counted from 1; a transfer between two holders takes two."""
        return self.tracker.events

    def now_us(self) -> int:
        """The current instant."""
        return instants.us_from_datetime("now", self._clock())

    async def store(self, records: Sequence[Record]) -> int:
        """Store accepted records, all or none; returns the number of the last event.

        Raises `StoreFull` if there is no room for them.
        """
        events = [HoldEvent.from_record(record) for record in records]
        async with self._turns.storing():
            self._check_room(len(events))
            await self.tracker.record_batch(events)
            return self.sequence

    def read_lines(self, text: bytes) -> AcceptedLines:
        """Read lines of JSON, without the break of the last one, for `store_lines`."""
        return read_lines(self.tracker.namespace, text, self.now_us())

    async def store_lines(self, lines: AcceptedLines) -> int:
        """Store the events of lines as `store` does."""
        async with self._turns.storing():
            self._check_room(len(lines))
            await self.tracker.record_lines(lines)
            return self.sequence

    async def page(self, question: Question, after: Cursor | None, size: int) -> Page:
        """`size` holders, from the first one or from the one after `after`."""
        async with self._asked("page"):
            return await self._page(question, after, size)

    async def holder(self, holder_id: str, question: Question) -> HolderAnswer | str:
        """One holder, or a sentence that says why it is unknown."""
        async with self._asked("holder"):
            return await self._holder(holder_id, question)

    async def deficits(self, question: Question, after: tuple[str, str] | None, size: int) -> DeficitPage:
        """`size` keys below 0, from the first one or from the one after the key `after`."""
        async with self._asked("deficits"):
            return await self._deficits(question, after, size)

    @asynccontextmanager
    async def _asked(self, question: str) -> AsyncIterator[None]:
        began = time.perf_counter()
        async with self._turns.asking():
            yield
        self.figures.answered(question, time.perf_counter() - began)

    async def _page(self, question: Question, after: Cursor | None, size: int) -> Page:
        sequence = self.sequence
        position = None if after is None else (after.score, after.holder_id)
        ask = partial(self.tracker.engine.page, size, *question.window, question.token_id, position)
        rows, behind, known, deficits = await self.tracker.ask(ask)
        following = None
        if behind:
            _, holder_id, _, score, _ = rows[-1]
            following = Cursor(score, holder_id)
        return Page(rows=rows, next=following, known=known, deficits=deficits, sequence=sequence)

    async def _holder(self, holder_id: str, question: Question) -> HolderAnswer | str:
        sequence, engine = self.sequence, self.tracker.engine
        ask = partial(engine.explain, holder_id, *question.window, question.token_id)
        found = await self.tracker.ask(ask)
        if found is None:
            if question.token_id is None:
                return NO_EVENT
            row = await self.tracker.ask(partial(engine.holder, holder_id, *question.window))
            return NO_EVENT if row is None else NO_EVENT_WITH_TOKEN
        own, keys, deficits = found
        return HolderAnswer(
            row=own, keys=[_key_report(key) for key in keys], deficits=deficits, sequence=sequence
        )

    async def _deficits(self, question: Question, after: tuple[str, str] | None, size: int) -> DeficitPage:
        sequence = self.sequence
        ask = partial(
            self.tracker.engine.deficit_page, size, question.window.as_of_us, question.token_id, after
        )
        rows, has_more, known = await self.tracker.ask(ask)
        deficits = [Deficit(*row) for row in rows]
        return DeficitPage(
            deficits=deficits,
            next=(deficits[-1].token_id, deficits[-1].holder_id) if has_more else None,
            known=known,
            sequence=sequence,
        )


def _key_report(key: KeyRow) -> KeyReport:
    token_id, segments, changes, deficit = key
    return KeyReport(
        token_id=token_id,
        segments=[Segment(*segment) for segment in segments],
        changes=[BalanceChange(*change) for change in changes],
        deficit=None if deficit is None else Deficit(*deficit),
    )

"""The service that both protocols share: stores accepted records in an `AsyncTracker`, answers questions.

Scores of all tokens come from the tracker, natively if there is native code. Answers about one token, and the
report of a holder, need the facts by key: they are those of the pure-Python engine, or a copy beside a native
one. Nothing is durable here: `storage.flush` keeps the events of a tracker. Knows no protocol.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
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
from poh_holdmetrics.api.published_counts import PublishedCounts
from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.exporter.figures import Figures
from poh_holdmetrics.pure.aggregator import Aggregator, Deficit
from poh_holdmetrics.pure.balance import first_deficit
from poh_holdmetrics.pure.curve import OPEN_US
from poh_holdmetrics.pure.envelope import effective_segments, integral
from poh_holdmetrics.pure.ranking import Total, row_of_holder, rows_from_totals
from poh_holdmetrics.tracker import AsyncTracker, HoldSnapshot

if TYPE_CHECKING:
    from poh_holdmetrics.native import Row
    from poh_holdmetrics.pure.facts import KeyFacts
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
        """A `tracker` with native code must be empty: its earlier events could not be explained.

        `check_room` is called with the number of events before they are stored, and raises `StoreFull` if
        they must wait; see `storage.flush`.
        """
        self.tracker = AsyncTracker() if tracker is None else tracker
        #: For exporters; a program that has a storage sets its `storage` or `flush`.
        self.figures = Figures(tracker=self.tracker)
        self._clock = clock
        self._check_room = check_room
        self.published_counts = PublishedCounts()
        engine = self.tracker.engine
        if isinstance(engine, Aggregator):
            self._aggregator = engine
            return
        if self.tracker.events:
            raise InputError("tracker", "has events already; make the service before they are recorded")
        self._aggregator = Aggregator()
        self.tracker.follow(self._copy)

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
        self._check_room(len(records))
        await self.tracker.record_batch([HoldEvent.from_record(record) for record in records])
        return self.sequence

    async def page(self, question: Question, after: Cursor | None, size: int) -> Page:
        """`size` holders, from the first one or from the one after `after`."""
        with self._timed("page"):
            return await self._page(question, after, size)

    async def holder(self, holder_id: str, question: Question) -> HolderAnswer | str:
        """One holder, or a sentence that says why it is unknown."""
        with self._timed("holder"):
            return await self._holder(holder_id, question)

    def deficits(self, question: Question, after: tuple[str, str] | None, size: int) -> DeficitPage:
        """`size` keys below 0, from the first one or from the one after the key `after`."""
        with self._timed("deficits"):
            return self._deficits(question, after, size)

    @contextmanager
    def _timed(self, question: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.figures.answered(question, time.perf_counter() - began)

    async def _page(self, question: Question, after: Cursor | None, size: int) -> Page:
        window, sequence = question.window, self.sequence
        if question.token_id is None:
            snapshot = await self._snapshot(question)
            # One row more tells whether another page follows.
            rows = snapshot.rows(size + 1) if after is None else snapshot.rows()
            known, deficits = len(snapshot), snapshot.deficits
        else:
            totals = self._totals(question.token_id, *window)
            rows, known = rows_from_totals(totals), len(totals)
            deficits = sum(total.deficits for total in totals.values())
        listed = list(islice(rows if after is None else _behind(rows, after), size + 1))
        following = None
        if len(listed) > size:
            _, holder_id, _, score, _ = listed[size - 1]
            following = Cursor(score, holder_id)
        return Page(rows=listed[:size], next=following, known=known, deficits=deficits, sequence=sequence)

    async def _holder(self, holder_id: str, question: Question) -> HolderAnswer | str:
        facts = self._aggregator.facts.get(holder_id)
        if facts is None:
            return NO_EVENT
        window, sequence = question.window, self.sequence
        if question.token_id is None:
            keys = self._keys(holder_id, facts)
            stat = await self.tracker.holder(
                holder_id,
                instants.datetime_from_us(window.as_of_us),
                None if window.from_us is None else instants.datetime_from_us(window.from_us),
                closed_only=window.closed_only,
            )
            row = None
            if stat is not None and stat.rank is not None:
                row = (stat.rank, holder_id, stat.held_us, stat.score, stat.weighted_score)
        else:
            token_id = question.token_id
            keys = self._keys(holder_id, {token_id: facts[token_id]} if token_id in facts else {})
            row = row_of_holder(self._totals(token_id, *window), holder_id)
        if row is None:
            return NO_EVENT_WITH_TOKEN
        deficits = sum(key.deficit is not None and key.deficit.at_us < window.as_of_us for key in keys)
        return HolderAnswer(row=row, keys=keys, deficits=deficits, sequence=sequence)

    def _deficits(self, question: Question, after: tuple[str, str] | None, size: int) -> DeficitPage:
        found = [
            each
            for each in self._aggregator.deficits(question.window.as_of_us)
            if question.token_id in (None, each.token_id)
        ]
        left = [each for each in found if after is None or (each.token_id, each.holder_id) > after]
        last = left[size - 1] if len(left) > size else None
        return DeficitPage(
            deficits=left[:size],
            next=None if last is None else (last.token_id, last.holder_id),
            known=len(found),
            sequence=self.sequence,
        )

    def _copy(self, records: Iterable[Record]) -> None:
        for record in records:
            self._aggregator.add(record)

    async def _snapshot(self, question: Question) -> HoldSnapshot:
        as_of_us, from_us, closed_only = question.window
        return await self.tracker.snapshot(
            instants.datetime_from_us(as_of_us),
            None if from_us is None else instants.datetime_from_us(from_us),
            closed_only=closed_only,
        )

    def _totals(
        self,
        token_id: str,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001 - a field of a window
    ) -> dict[str, Total]:
        """The sums of one token's holders."""
        since_us = instants.MIN_US if from_us is None else from_us
        return {
            holder_id: integral(facts[token_id], since_us, as_of_us, closed_only=closed_only)
            for holder_id, facts in self._aggregator.facts.items()
            if token_id in facts
        }

    @staticmethod
    def _keys(holder_id: str, facts: Mapping[str, KeyFacts]) -> list[KeyReport]:
        return [_key_report(token_id, holder_id, facts[token_id]) for token_id in sorted(facts)]


def _behind(rows: Iterable[Row], after: Cursor) -> Iterable[Row]:
    """The rows that follow a cursor in leaderboard order, also if its own row has moved since."""
    score = Decimal(after.score)
    for row in rows:
        own = Decimal(row[3])
        if own < score or (own == score and row[1] > after.holder_id):
            yield row


def _key_report(token_id: str, holder_id: str, facts: KeyFacts) -> KeyReport:
    changes = facts.changes()
    sums: dict[int, int] = {}
    balance = 0
    for at_us, _, delta in changes:
        balance += delta
        sums[at_us] = balance
    deficit = None
    first = first_deficit(facts.in_force()[2], OPEN_US)
    if first is not None:
        debits = [event_id for at_us, event_id, delta in changes if at_us == first[0] and delta < 0]
        deficit = Deficit(token_id, holder_id, *first, debits)
    return KeyReport(
        token_id=token_id,
        segments=[
            Segment(start_us, None if end_us == OPEN_US else end_us, wad)
            for start_us, end_us, wad in effective_segments(facts)
        ],
        changes=[BalanceChange(at_us, event_id, delta, sums[at_us]) for at_us, event_id, delta in changes],
        deficit=deficit,
    )

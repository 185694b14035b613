"""Hold events as they arrive, and leaderboards of them at any time, from many asyncio tasks at once.

`AsyncTracker` keeps its facts in a native aggregator if `native` finds one, else in the pure-Python one; the
answers are the same. Keeps nothing on disk (see `storage`) and runs nothing by itself (see `scheduler`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from poh_holdmetrics import instants, native
from poh_holdmetrics.data_models import HoldEvent, HoldStat, Transfer
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.input_options import OWN
from poh_holdmetrics.instants import Instant, us_from_argument
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.columns import records_from_columns
from poh_holdmetrics.pure.statement import Deficit
from poh_holdmetrics.recording import record_columns
from poh_holdmetrics.validation import Record
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.column_types import (
        DecimalColumn,
        FlagColumn,
        Int64Column,
        OptionalTextColumn,
        TextColumn,
    )
    from poh_holdmetrics.pure.aggregator import AcceptedLines

_Answer = TypeVar("_Answer")


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _limit(limit: int | None, n: int | None) -> int | None:
    if limit is not None and n is not None:
        raise Refused("n", "an alias of limit, which is given as well; give one of them")
    found = n if limit is None else limit
    if found is not None and found < 0:
        raise Refused("limit", f"expected 0 or more, not {found}")
    return found


@dataclass(frozen=True, eq=False, repr=False)
class HoldSnapshot:
    """The scores at one time; events recorded later do not change it.

    Iterates over `HoldStat` in leaderboard order and makes each when it is reached; `rows` are plain tuples
    and cheaper. `columns` is the engine's own snapshot. With a native one, `polars.DataFrame(snapshot)`,
    `pyarrow.table(snapshot)` and duckdb read the snapshot without a copy.
    """

    columns: native.Snapshot

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[HoldStat]:
        return map(HoldStat.from_row, self.columns.rows())

    @property
    def __arrow_c_stream__(self) -> Callable[..., object]:
        """The Arrow stream of a native snapshot; a snapshot without native code has none."""
        stream: Callable[..., object] = getattr(self.columns, "__arrow_c_stream__")  # noqa: B009
        return stream

    def rows(self, limit: int | None = None, *, n: int | None = None) -> list[native.Row]:
        """(rank, holder_id, held_us, score, weighted_score) of all holders or of the first `limit`."""
        return self.columns.rows(_limit(limit, n))

    def top(self, limit: int | None = None, *, n: int | None = None) -> list[HoldStat]:
        """The first `limit` of the leaderboard, or all. `n` is an alias of `limit`."""
        return [HoldStat.from_row(row) for row in self.rows(limit, n=n)]

    @property
    def deficits(self) -> int:
        """Keys whose balance is below 0 at some instant before `as_of`; listed by `AsyncTracker.deficits`."""
        return self.columns.deficits

    @property
    def as_of(self) -> datetime:
        """The end of the window, exclusive; the end of time if none was given."""
        return instants.datetime_from_us(self.columns.as_of_us)

    @property
    def from_(self) -> datetime | None:
        """The start of the window; None means the beginning of time."""
        return None if self.columns.from_us is None else instants.datetime_from_us(self.columns.from_us)

    @property
    def closed_only(self) -> bool:
        """Whether time that nothing has closed yet was left out."""
        return self.columns.closed_only


class AsyncTracker:
    """Takes events in, answers with scores; one tracker serves all tasks of an event loop.

    An event is recorded when the call returns, a batch is recorded whole or not at all, and queries see every
    event recorded before them. A native query runs in a worker thread, so that the loop continues; the
    pure-Python one occupies the loop while it sums. The recording methods are coroutines although they never
    wait, so that an engine behind I/O can be put in their place without a change to callers.
    """

    def __init__(self, *, clock: Callable[[], datetime] = _utc_now) -> None:
        """`clock` returns now: the time of a mark recorded without one, and of a query without `as_of`."""
        self._namespace = native.namespace()
        self._engine: native.Aggregator = (
            Aggregator() if self._namespace is None else self._namespace.Aggregator()
        )
        self._clock = clock
        self._followers: list[Callable[[tuple[Record, ...]], None]] = []

    @property
    def engine(self) -> native.Aggregator:
        """The aggregator itself. Its methods are not coroutines: a query occupies its caller."""
        return self._engine

    def follow(self, follower: Callable[[tuple[Record, ...]], None]) -> None:
        """Call a function with the records of each recording from now on, after it.

        `pipeline.offline.local` makes a feed of them.
        """
        self._followers.append(follower)

    def unfollow(self, follower: Callable[[tuple[Record, ...]], None]) -> None:
        """Call the function no more."""
        self._followers.remove(follower)

    @property
    def namespace(self) -> native.Namespace | None:
        """The native code that the engine belongs to; None if it is the pure-Python one."""
        return self._namespace

    @property
    def events(self) -> int:
        """Events accepted, repetitions included."""
        return self._engine.events

    @property
    def holders(self) -> int:
        """Holders with at least one accepted event."""
        return self._engine.holders

    async def record(self, event: HoldEvent | Transfer) -> None:
        """Record one event or transfer."""
        await self.record_batch([event])

    async def record_batch(self, events: Iterable[HoldEvent | Transfer]) -> int:
        """Record many events, all or none; returns how many, each transfer counting as its changes.

        A coroutine although it never waits; see the class.
        """
        given = list(events)
        count = self._engine.record_events(given)
        if self._followers:
            self._tell(tuple([record for event in given for record in event.records()]))
        return count

    async def record_lines(self, lines: AcceptedLines) -> int:
        """Record the events of lines that were read for this tracker's engine; returns how many.

        A coroutine although it never waits; see the class.
        """
        count = self._engine.record_lines(lines)
        if self._followers:
            self._tell(tuple([Record._make(fields) for fields in lines.records()]))
        return count

    async def record_columns(
        self,
        token_id: TextColumn,
        holder_id: OptionalTextColumn | None = None,
        start_us: Int64Column | None = None,
        end_us: Int64Column | None = None,
        weight: DecimalColumn | None = None,
        event_id: OptionalTextColumn | None = None,
        revision: Int64Column | None = None,
        retract: FlagColumn | None = None,
        at_us: Int64Column | None = None,
        delta: DecimalColumn | None = None,
        seq: Int64Column | None = None,
        from_id: OptionalTextColumn | None = None,
        to_id: OptionalTextColumn | None = None,
        amount: DecimalColumn | None = None,
    ) -> int:
        """Record columns, all rows or none; returns how many, each transfer counting as its changes.

        The ids are lists of text; `start_us`, `end_us` and `at_us` are int64 buffers of microseconds (-2**63
        if absent), `revision` and `seq` int64 buffers; `weight`, `delta` and `amount` are float64 buffers, or
        lists of exact values. None in a list means that the row has no such value: a change has no weight, a
        hold no delta, a transfer no `holder_id`. A row with `from_id`, `to_id` or `amount` is a transfer.
        Arrow columns are taken as well, in which a null is an absent value, or one Arrow table alone as
        `token_id`; without native code pyarrow reads them. Raises `ValueError` naming the column, or the row
        as `row 17: ...`. A coroutine although it never waits; see the class.
        """
        columns = (
            *(token_id, holder_id, start_us, end_us, weight, event_id, revision, retract),
            *(at_us, delta, seq, from_id, to_id, amount),
        )
        if not self._followers:
            return self._engine.record_batch(*columns)
        if self._namespace is not None and all(column is None for column in columns[1:]):
            rows = self._namespace.read_input(token_id, OWN.json())
            records = tuple(map(Record._make, rows))
        else:
            records = tuple(records_from_columns(*columns))
        # Not the columns again: a stream of Arrow is read once.
        record_columns(self._engine, records)
        self._tell(records)
        return len(records)

    async def record_start(
        self,
        token_id: str,
        holder_id: str,
        at: Instant | None = None,
        *,
        weight: Decimal | float | str = 1,
        event_id: str | None = None,
        revision: int = 0,
        seq: int = 0,
    ) -> HoldEvent:
        """Record a start mark: from `at` (default: now) on, the holder holds the token at `weight`."""
        return await self._mark(
            token_id=token_id,
            holder_id=holder_id,
            start=self._clock() if at is None else at,
            weight=weight,
            event_id=event_id,
            revision=revision,
            seq=seq,
        )

    async def record_stop(
        self,
        token_id: str,
        holder_id: str,
        at: Instant | None = None,
        *,
        event_id: str | None = None,
        revision: int = 0,
        seq: int = 0,
    ) -> HoldEvent:
        """Record a stop mark: from `at` (default: now) on, the holder no longer holds the token."""
        return await self._mark(
            token_id=token_id,
            holder_id=holder_id,
            end=self._clock() if at is None else at,
            event_id=event_id,
            revision=revision,
            seq=seq,
        )

    async def snapshot(
        self,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool | None = None,
    ) -> HoldSnapshot:
        """The scores of all holders over [from_, as_of).

        Without `as_of` only closed time counts, up to the end of time. `from_` is named `from` in messages.
        Raises `Refused` naming a bad argument.
        """
        window = Window.of(as_of, from_, closed_only=closed_only)
        return HoldSnapshot(await self.ask(partial(self._engine.snapshot, *window)))

    async def leaderboard(
        self,
        limit: int | None = None,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool | None = None,
        n: int | None = None,
    ) -> list[HoldStat]:
        """The first `limit` holders by score, or all; `n` is an alias of `limit`.

        Without `as_of` time counts until now, by the clock of the tracker; the other arguments are those of
        `snapshot`.
        """
        limit = _limit(limit, n)
        window = self._window(as_of, from_, closed_only=closed_only)
        if limit is None:
            snapshot = HoldSnapshot(await self.ask(partial(self._engine.snapshot, *window)))
            return list(snapshot)
        rows = await self.ask(partial(self._engine.leaderboard, limit, *window))
        return [HoldStat.from_row(row) for row in rows]

    async def deficits(self, as_of: Instant) -> list[Deficit]:
        """The keys whose balance is below 0 at some instant before `as_of`: something is missing there."""
        rows = await self.ask(partial(self._engine.deficits, us_from_argument("as_of", as_of)))
        return [Deficit(*row) for row in rows]

    async def holder(
        self,
        holder_id: str,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool | None = None,
    ) -> HoldStat | None:
        """One holder with its true rank, or None if it has no event; arguments as for `leaderboard`."""
        window = self._window(as_of, from_, closed_only=closed_only)
        row = await self.ask(partial(self._engine.holder, holder_id, *window))
        return None if row is None else HoldStat.from_row(row)

    async def ask(self, query: Callable[[], _Answer]) -> _Answer:
        """Call `query`, which asks `engine`: in a worker thread if it is native."""
        # The native engine locks for itself and lets the loop continue; the pure one does neither.
        return await asyncio.to_thread(query) if self._namespace is not None else query()

    def _window(self, as_of: Instant | None, from_: Instant | None, *, closed_only: bool | None) -> Window:
        return Window.of(self._clock() if as_of is None else as_of, from_, closed_only=closed_only)

    def _tell(self, records: tuple[Record, ...]) -> None:
        for follower in self._followers:
            follower(records)

    async def _mark(self, **fields: object) -> HoldEvent:
        event = HoldEvent.model_validate(fields)
        await self.record(event)
        return event

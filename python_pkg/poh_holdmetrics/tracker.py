"""Hold events as they come, and leaderboards of them at any moment, from many asyncio tasks at once.

`AsyncTracker` keeps its facts in a native aggregator where `native` finds one, else in the pure-Python twin;
the answers are the same. Keeps nothing on disk (see `storage`) and runs nothing by itself (see `scheduler`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from poh_holdmetrics import instants, native
from poh_holdmetrics.data_models import HoldEvent, HoldStat
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.instants import Instant
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.column_types import (
        DecimalColumn,
        FlagColumn,
        Int64Column,
        OptionalTextColumn,
        TextColumn,
    )

_Answer = TypeVar("_Answer")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class HoldSnapshot:
    """The scores at one moment; events recorded later do not change it.

    Iterates over `HoldStat` in leaderboard order and makes each when it is reached; `rows` are plain tuples
    and cheaper. `columns` is the engine's own snapshot: a native one has `__arrow_c_stream__`, so that
    `polars.DataFrame(snapshot.columns)` or `pyarrow.table(snapshot.columns)` reads it without a copy.
    """

    def __init__(self, columns: native.Snapshot) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[HoldStat]:
        return map(HoldStat.from_row, self.columns.rows())

    def rows(self, n: int | None = None) -> list[native.Row]:
        """(rank, holder_id, held_us, score, weighted_score) of all holders or of the first `n`."""
        return self.columns.rows(n)

    def top(self, n: int) -> list[HoldStat]:
        """The first `n` of the leaderboard."""
        return [HoldStat.from_row(row) for row in self.columns.rows(n)]

    @property
    def as_of(self) -> datetime:
        """The end of the window, exclusive; the end of time where none was asked for."""
        return instants.datetime_from_us(self.columns.as_of_us)

    @property
    def from_(self) -> datetime | None:
        """The start of the window; None is the beginning of time."""
        return None if self.columns.from_us is None else instants.datetime_from_us(self.columns.from_us)

    @property
    def closed_only(self) -> bool:
        """Whether time that nothing has closed yet was left out."""
        return self.columns.closed_only


class AsyncTracker:
    """Takes events in, answers with scores; one tracker serves all tasks of an event loop.

    Recording never waits: an event is in, whole, when the call returns, and a batch is taken in whole or not
    at all. Queries see every event recorded before them. A native query runs in a worker thread, so that the
    loop goes on; the pure-Python one occupies the loop while it sums.
    """

    def __init__(self, *, clock: Callable[[], datetime] = _utc_now) -> None:
        """`clock` is asked for the time of a start or stop that is recorded without one."""
        namespace = native.namespace()
        self._engine: native.Aggregator = Aggregator() if namespace is None else namespace.Aggregator()
        self._is_native = namespace is not None
        self._clock = clock

    @property
    def events(self) -> int:
        """Events accepted, repetitions included."""
        return self._engine.events

    @property
    def holders(self) -> int:
        """Holders with any accepted event."""
        return self._engine.holders

    async def record(self, event: HoldEvent) -> None:
        """Record one event."""
        self._engine.record_events([event])

    async def record_batch(self, events: Iterable[HoldEvent]) -> int:
        """Record many events; returns how many."""
        return self._engine.record_events(list(events))

    async def record_columns(
        self,
        token_id: TextColumn,
        holder_id: TextColumn | None = None,
        start_us: Int64Column | None = None,
        end_us: Int64Column | None = None,
        weight: DecimalColumn | None = None,
        event_id: OptionalTextColumn | None = None,
        revision: Int64Column | None = None,
        retract: FlagColumn | None = None,
    ) -> int:
        """Record columns, all rows or none; returns how many.

        `token_id` and `holder_id` are lists of text, `start_us` and `end_us` int64 buffers of microseconds
        (-2**63 if absent). Native code also takes Arrow columns, or one Arrow table alone as `token_id`.
        Raises `ValueError` naming the column, or the row as `row 17: ...`.
        """
        return self._engine.record_batch(
            token_id, holder_id, start_us, end_us, weight, event_id, revision, retract
        )

    async def record_start(
        self,
        token_id: str,
        holder_id: str,
        at: Instant | None = None,
        *,
        weight: Decimal | float | str = 1,
        event_id: str | None = None,
        revision: int = 0,
    ) -> HoldEvent:
        """Record a start mark: from `at` (default: now) on, the holder holds the token at `weight`."""
        return await self._mark(
            token_id=token_id,
            holder_id=holder_id,
            start=self._clock() if at is None else at,
            weight=weight,
            event_id=event_id,
            revision=revision,
        )

    async def record_stop(
        self,
        token_id: str,
        holder_id: str,
        at: Instant | None = None,
        *,
        event_id: str | None = None,
        revision: int = 0,
    ) -> HoldEvent:
        """Record a stop mark: from `at` (default: now) on, the holder no longer holds the token."""
        return await self._mark(
            token_id=token_id,
            holder_id=holder_id,
            end=self._clock() if at is None else at,
            event_id=event_id,
            revision=revision,
        )

    async def snapshot(
        self,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool | None = None,
    ) -> HoldSnapshot:
        """The scores of all holders over [from_, as_of).

        Without `as_of` closed holds alone count, as published. Raises `Refused` naming a bad argument.
        """
        window = Window.of(as_of, from_, closed_only=closed_only)
        return HoldSnapshot(await self._asked(partial(self._engine.snapshot, *window)))

    async def leaderboard(
        self,
        n: int,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool | None = None,
    ) -> list[HoldStat]:
        """The first `n` holders by score; arguments as for `snapshot`."""
        if n < 0:
            raise Refused("n", f"0 or more is wanted, not {n}")
        window = Window.of(as_of, from_, closed_only=closed_only)
        rows = await self._asked(partial(self._engine.leaderboard, n, *window))
        return [HoldStat.from_row(row) for row in rows]

    async def holder(
        self,
        holder_id: str,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool | None = None,
    ) -> HoldStat | None:
        """One holder with its true rank, or None where it has no event; arguments as for `snapshot`."""
        window = Window.of(as_of, from_, closed_only=closed_only)
        row = await self._asked(partial(self._engine.holder, holder_id, *window))
        return None if row is None else HoldStat.from_row(row)

    async def _mark(self, **fields: object) -> HoldEvent:
        event = HoldEvent.model_validate(fields)
        await self.record(event)
        return event

    async def _asked(self, question: Callable[[], _Answer]) -> _Answer:
        # The native engine locks for itself and lets other threads run; the pure one does neither.
        return await asyncio.to_thread(question) if self._is_native else question()

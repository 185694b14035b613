"""The place in which pipelines run in plain Python: a tracker, whose feed is what is recorded in it.

Positions and state are kept for as long as the `LocalHost` exists, so that a runtime can be stopped and
another one goes on where it was; nothing is on disk. The feed begins when the host is made: what the tracker
already holds counts in its answers, and is not delivered. For one event loop.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from poh_holdmetrics import instants, native
from poh_holdmetrics.airdrop.rounds import RoundPlan, SealedRound, seal_plan
from poh_holdmetrics.clock import Clock, LoopClock
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.pipeline.batch import ColumnBatch
from poh_holdmetrics.pipeline.listed_rows import ListedRows
from poh_holdmetrics.pipeline.running.acceptance import Refusal, checked
from poh_holdmetrics.tracker import HoldSnapshot

if TYPE_CHECKING:
    from poh_holdmetrics.data_models import HoldEvent, Transfer
    from poh_holdmetrics.pipeline.port import (
        Counted,
        Gate,
        HandlerState,
        MetricKind,
        PublishedPolicy,
        Start,
        WhenFull,
    )
    from poh_holdmetrics.tracker import AsyncTracker
    from poh_holdmetrics.validation import Record

#: What an event is taken to need when a batch is bounded in bytes.
_EVENT_BYTES = 100
#: Batches kept for other consumers at the same place.
_SHARED_BATCHES_MAX = 4

_Answer = TypeVar("_Answer")
MetricKey = tuple[str, str, tuple[tuple[str, str], ...]]


def system_now_us() -> int:
    """The time of the system."""
    return instants.us_from_datetime("now", datetime.now(UTC))


@dataclass(kw_only=True, slots=True)
class LocalMeter:
    """The counters of one handler."""

    kind: str
    calls: int = 0
    """Calls that have started."""
    events: int = 0
    """Events handled by calls that ended well."""
    failures: int = 0
    """Calls that raised."""
    running: int = 0
    """Calls in progress."""
    counts: Counter[str] = field(default_factory=Counter)
    """The words of `Counted`."""
    status: str = "running"
    detail: str = ""
    last_traceback: str = ""
    has_failed: asyncio.Event | None = None
    """Set at a failure."""

    def begin(self) -> None:
        """Count a call."""
        self.calls += 1
        self.running += 1

    def end(self, events: int) -> None:
        """Count the events of a call."""
        self.events += events
        self.running -= 1

    def failed(self, traceback: str) -> None:
        """Count a failure."""
        self.failures += 1
        self.running -= 1
        self.last_traceback = traceback
        if self.has_failed is not None:
            self.has_failed.set()

    def count(self, what: Counted, by: int = 1) -> None:
        """Add to a counter."""
        self.counts[what] += by

    def state(self, state: HandlerState, detail: str = "") -> None:
        """Keep the state."""
        self.status, self.detail = state, detail


class LocalConsumer:
    """One place in the feed of a `LocalHost`."""

    def __init__(self, host: LocalHost, name: str, pipeline: str, position: int) -> None:
        self.name = name
        self.position = position
        self._host = host
        self._pipeline = pipeline
        self._read = position

    async def next(self, bytes_max: int = 1 << 20) -> ColumnBatch | None:
        """Wait for the batch after the last one; None if the host is closed."""
        batch = await self._host.read(self._read, max(1, bytes_max // _EVENT_BYTES))
        if batch is not None:
            self._read = batch.last_sequence
        return batch

    async def commit(self, position: int, state: Mapping[str, str | None]) -> None:
        """Keep the position and changes of the state."""
        await self._host.commit(self._pipeline, self.name, position, state)
        self.position = max(self.position, position)

    async def close(self) -> None:
        """Give the name free; a coroutine, as the port asks."""
        self._host.release(self.name)


class LocalHost:
    """A `Host` over an `AsyncTracker`."""

    def __init__(
        self,
        tracker: AsyncTracker,
        *,
        now_us: Callable[[], int] = system_now_us,
        clock: Clock | None = None,
    ) -> None:
        """`now_us` is the time of the context, `clock` times the budgets of gates."""
        self.now_us = now_us
        self.meters: dict[tuple[str, str], LocalMeter] = {}
        """The meters by pipeline and handler."""
        self.metrics: dict[MetricKey, float] = {}
        """Counters and gauges by pipeline, name and labels."""
        self.observations: dict[MetricKey, list[float]] = {}
        """The values of histograms."""
        self.pipelines: dict[str, tuple[str, str]] = {}
        """The state and its detail by pipeline."""
        self.rounds: dict[str, tuple[RoundPlan, SealedRound]] = {}
        """The rounds that were sealed, each with its plan, by id."""
        self.failed = asyncio.Event()
        """Set when a handler has failed."""
        self._tracker = tracker
        self._clock = LoopClock() if clock is None else clock
        self._gates: dict[str, tuple[Gate, ...]] = {}
        self._records: list[Record] = []
        self._waiting: set[asyncio.Future[None]] = set()
        self._open: set[str] = set()
        self._positions: dict[str, int] = {}
        self._states: dict[str, dict[str, str]] = {}
        self._shared: dict[tuple[int, int], ColumnBatch] = {}
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id = 0
        self._counting = threading.Lock()
        tracker.follow(self._recorded)

    @property
    def last_sequence(self) -> int:
        """The sequence of the last recorded event."""
        return len(self._records)

    def close(self) -> None:
        """End the feed: every consumer that waits is told that there is no more."""
        self._is_closed = True
        self._tracker.unfollow(self._recorded)
        self._wake()

    def position(self, pipeline: str, handler: str) -> int | None:
        """The stored position of a consumer; None if it has none."""
        return self._positions.get(f"{pipeline}/{handler}")

    async def read(self, position: int, events_max: int) -> ColumnBatch | None:
        """The events after `position`, when there are any; None if the host is closed."""
        while position >= len(self._records):
            if self._is_closed:
                return None
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)
        last = min(position + events_max, len(self._records))
        batch = self._shared.get((position, last))
        if batch is None:
            batch = ColumnBatch(self._records[position:last], position + 1, last)
            self._shared[position, last] = batch
            if len(self._shared) > _SHARED_BATCHES_MAX:
                del self._shared[next(iter(self._shared))]
        return batch

    async def consumer(
        self, pipeline: str, handler: str, *, start: Start, when_full: WhenFull
    ) -> LocalConsumer:
        """Open a consumer; the feed is whole in memory, so `when_full` makes no difference.

        A coroutine, as the port asks.
        """
        del when_full
        self._loop, self._thread_id = asyncio.get_running_loop(), threading.get_ident()
        name = f"{pipeline}/{handler}"
        if name in self._open:
            raise InputError(name, "the consumer is open already; a name has one at a time")
        self._open.add(name)
        position = self._positions.get(name)
        if position is None:
            position = self._positions[name] = 0 if start == "beginning" else len(self._records)
        return LocalConsumer(self, name, pipeline, position)

    def release(self, name: str) -> None:
        """Let the consumer be opened again."""
        self._open.discard(name)

    async def commit(
        self, pipeline: str, name: str, position: int, changes: Mapping[str, str | None]
    ) -> None:
        """Keep a position and changes of the state together."""
        await self.commit_state(pipeline, changes)
        self._positions[name] = max(position, self._positions[name])

    async def accept(self, events: Sequence[HoldEvent | Transfer]) -> list[Refusal]:
        """Record events of others, as a sender to the service does; returns which ones gates have refused."""
        return await self._accept(events, None)

    async def submit(self, pipeline: str, events: Sequence[HoldEvent | Transfer]) -> list[str]:
        """Record events of a pipeline's own."""
        return [refusal.reason for refusal in await self._accept(events, pipeline)]

    async def _accept(self, events: Sequence[HoldEvent | Transfer], emitted_by: str | None) -> list[Refusal]:
        gates = [(name, gate) for name, gates in self._gates.items() if name != emitted_by for gate in gates]
        found = await checked(events, gates, self._clock)
        await self.record(found.accepted, emitted_by)
        return found.refusals

    async def record(self, events: Sequence[HoldEvent | Transfer], emitted_by: str | None) -> None:
        """Record events that no gate refused, of a pipeline or of others."""
        del emitted_by
        await self._tracker.record_batch(events)

    async def seal_round(self, pipeline: str, request: str) -> str:
        """Seal a round by the scores of the tracker; a coroutine, as the port asks."""
        del pipeline
        asked = json.loads(request)
        for name in ("token_id", "policy"):
            if name in asked:
                raise InputError(name, "only a service seals by it; leave it out here")
        plan = RoundPlan.of(asked)
        known = self.rounds.get(asked["id"])
        if known is not None:
            if known[0] != plan:
                problem = f"{excerpt(asked['id'])} is sealed with other options (choose another id)"
                raise InputError("id", problem)
            return json.dumps(known[1].manifest)
        now_us = self.now_us()
        as_of_us = now_us if plan.as_of_us is None else plan.as_of_us
        columns = self.snapshot(as_of_us, plan.from_us, plan.closed_only)
        sealed = seal_plan(HoldSnapshot(columns), plan, sealed_at_us=now_us)
        self.rounds[asked["id"]] = (plan, sealed)
        return json.dumps(sealed.manifest)

    def set_gates(self, pipeline: str, gates: Sequence[Gate]) -> None:
        """Ask these gates from now on."""
        self._gates[pipeline] = tuple(gates)

    def set_policies(self, pipeline: str, policies: Sequence[PublishedPolicy]) -> None:
        """Nobody asks here: `policies.published` computes a leaderboard of a tracker."""

    async def state(self, pipeline: str) -> dict[str, str]:
        """The stored key-values of a pipeline; a coroutine, as the port asks."""
        return dict(self._states.get(pipeline, {}))

    async def commit_state(self, pipeline: str, changes: Mapping[str, str | None]) -> None:
        """Keep changes of the key-values; a coroutine, as the port asks."""
        stored = self._states.setdefault(pipeline, {})
        for key, text in changes.items():
            if text is None:
                stored.pop(key, None)
            else:
                stored[key] = text

    def snapshot(self, as_of_us: int, from_us: int | None, closed_only: bool) -> native.Snapshot:  # noqa: FBT001
        """The scores of all holders."""
        return self._ask(partial(self._tracker.engine.snapshot, as_of_us, from_us, closed_only))

    def leaderboard(
        self,
        n: int,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001
    ) -> ListedRows:
        """The first `n` holders."""
        snapshot = self.snapshot(as_of_us, from_us, closed_only)
        return ListedRows(
            listed=snapshot.rows(n),
            as_of_us=as_of_us,
            from_us=from_us,
            closed_only=closed_only,
            deficits=snapshot.deficits,
        )

    def holder(
        self,
        holder_id: str,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001
    ) -> native.Row | None:
        """One holder with its rank; None if it has no event."""
        return self._ask(partial(self._tracker.engine.holder, holder_id, as_of_us, from_us, closed_only))

    def meter(self, pipeline: str, handler: str, kind: str) -> LocalMeter:
        """The meter of a handler; its counts go on if the pipeline is started again."""
        return self.meters.setdefault((pipeline, handler), LocalMeter(kind=kind, has_failed=self.failed))

    def pipeline_state(
        self,
        pipeline: str,
        state: str,
        *,
        generation: int,
        detail: str = "",
        file: str = "",
        digest: str = "",
    ) -> None:
        """Keep the state of a pipeline."""
        del generation, file, digest
        self.pipelines[pipeline] = (state, detail)

    def metric(
        self, pipeline: str, kind: MetricKind, name: str, value: float, labels: Mapping[str, str]
    ) -> None:
        """Add to, set or observe a metric."""
        key = (pipeline, name, tuple(sorted(labels.items())))
        with self._counting:
            if kind == "counter":
                self.metrics[key] = self.metrics.get(key, 0.0) + value
            elif kind == "gauge":
                self.metrics[key] = value
            else:
                self.observations.setdefault(key, []).append(value)

    def _ask(self, query: Callable[[], _Answer]) -> _Answer:
        """Ask the tracker on the thread of the loop: blocking handlers have others, and it has no lock."""
        loop = self._loop
        if loop is None or threading.get_ident() == self._thread_id:
            return query()

        async def ask() -> _Answer:
            """A coroutine, as calls from another thread ask."""
            return query()

        return asyncio.run_coroutine_threadsafe(ask(), loop).result()

    def _recorded(self, records: tuple[Record, ...]) -> None:
        self._records += records
        self._wake()

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

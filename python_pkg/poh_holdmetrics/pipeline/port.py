"""What a pipeline's runtime needs of the place it runs in: a feed, durable positions, submission, answers.

Protocols only. `local` is the adapter for plain Python and tests, `embedded` the one inside the service, and
`worker` the one of a process of its own; `runtime` knows none of them, so that it behaves the same in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from poh_holdmetrics import native
    from poh_holdmetrics.data_models import HoldEvent, Transfer
    from poh_holdmetrics.pipeline.verdicts import Verdicts
    from poh_holdmetrics.policies.segments import Segments

#: In the columns of times of a batch: the event has no such time.
ABSENT_US = -(2**63)

Start = Literal["now", "beginning"]
WhenFull = Literal["lag", "shed"]
MetricKind = Literal["counter", "gauge", "histogram"]
Counted = Literal[
    "skipped", "shed", "retried", "dead_lettered", "emitted", "refused", "timed_out", "left_behind"
]
HandlerState = Literal["running", "backing_off", "disabled", "stopped"]
#: A holder under a policy: its id, the microseconds it has held, and its score in steps of 1e-24.
PublishedRow = tuple[str, int, str]


class Batch(Protocol):
    """Acknowledged events as columns, one value a row, in the order of the feed; immutable.

    The columns of times, `sequence`, `revision` and `seq` are memoryviews of int64, that of `retract` one of
    uint8; times are microseconds since 1970, -2**63 if absent. `weight_wads` and `delta_wads` are exact steps
    of 1e-18; a change of balance has no weight and a hold no delta. polars, pyarrow and duckdb read a batch
    by its `__arrow_c_stream__`; outside of the service it is made with pyarrow.
    """

    @property
    def first_sequence(self) -> int:
        """The first number of the feed that this batch covers, rows removed by a filter included."""

    @property
    def last_sequence(self) -> int:
        """The last number of the feed that this batch covers; a cursor is committed at it."""

    @property
    def is_from_facts(self) -> bool:
        """Whether these are the facts of the state, for a consumer that starts again from them.

        The journal no longer has the events; all rows have the sequence at which the copy began.
        """

    def __len__(self) -> int: ...
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...
    @property
    def token_id(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def holder_id(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def event_id(self) -> tuple[str | None, ...]: ...  # noqa: D102
    @property
    def sequence(self) -> memoryview: ...  # noqa: D102
    @property
    def start_us(self) -> memoryview: ...  # noqa: D102
    @property
    def end_us(self) -> memoryview: ...  # noqa: D102
    @property
    def at_us(self) -> memoryview: ...  # noqa: D102
    @property
    def revision(self) -> memoryview: ...  # noqa: D102
    @property
    def seq(self) -> memoryview: ...  # noqa: D102
    @property
    def weight_wads(self) -> tuple[int | None, ...]: ...  # noqa: D102
    @property
    def delta_wads(self) -> tuple[int | None, ...]: ...  # noqa: D102
    @property
    def retract(self) -> memoryview: ...  # noqa: D102

    def events(self) -> Iterator[HoldEvent]:
        """The rows as models, each made when it is reached."""

    def filter(self, token: str | None = None, holder: str | None = None) -> Batch:
        """The rows whose ids match the patterns, in which `*` is any text and `?` any one character."""

    def slice(self, start: int, stop: int) -> Batch:
        """The rows from `start` up to `stop`.

        A slice that does not begin at 0 covers the feed from the row at `start` on, one that does not reach
        the end only what comes before the row at `stop`, so that committing its `last_sequence` passes over
        nothing.
        """

    def joined(self, others: Sequence[Batch]) -> Batch:
        """The rows of this batch and of those that follow it, which are of the same kind."""

    def to_bytes(self) -> bytes:
        """The batch for a file or another process; each kind of batch reads its own bytes."""


class Consumer(Protocol):
    """A durable place in the feed, at which one part of a pipeline reads; each name has one open consumer."""

    @property
    def name(self) -> str:
        """`PIPELINE/HANDLER`, or `PIPELINE/events` for all `on_batch` and `on_event` handlers together."""

    @property
    def position(self) -> int:
        """The last committed sequence; 0 is the beginning."""

    async def next(self, bytes_max: int = 1 << 20) -> Batch | None:
        """Wait for the batch after the last one; None if the process is stopping.

        Runs ahead of `position`. Small pieces are joined up to `bytes_max`; a large one may exceed it.
        """

    async def commit(self, position: int, state: Mapping[str, str | None]) -> None:
        """Store the position and changes of the pipeline's state, together; returns when both are durable.

        The values of `state` are JSON texts, None removes a key.
        """

    async def close(self) -> None:
        """Give the name free; what was not committed is read again by the next consumer of the name."""


class Meter(Protocol):
    """What operators see of one handler. Cheap, and it never blocks."""

    def begin(self) -> None:
        """A call has started; a watchdog counts from here."""

    def end(self, events: int) -> None:
        """The call has ended well and has handled so many events."""

    def failed(self, traceback: str) -> None:
        """The call has ended in an exception."""

    def count(self, what: Counted, by: int = 1) -> None:
        """Add to one of the counters."""

    def state(self, state: HandlerState, detail: str = "") -> None:
        """The state of the handler from now on."""


class Gate(Protocol):
    """A `before_accept` handler, which a host asks about the events of others before it records them."""

    @property
    def name(self) -> str:
        """Its name in the pipeline."""

    @property
    def budget_seconds(self) -> float:
        """How long the host waits for an answer."""

    @property
    def on_timeout(self) -> Literal["accept", "refuse"]:
        """What becomes of the events without one."""

    @property
    def token(self) -> str | None:
        """Which tokens it checks, as a pattern; None means all."""

    @property
    def holder(self) -> str | None:
        """Which holders it checks."""

    async def check(self, batch: Batch) -> Verdicts | None:
        """The verdicts on events that match the patterns, by `sequence`; None if there is no answer.

        The events have no sequence yet: `sequence` is a number of the row by which the host knows it.
        """


class PublishedPolicy(Protocol):
    """A policy of a pipeline, under which a host publishes scores."""

    @property
    def name(self) -> str:
        """Its name in answers."""

    @property
    def version(self) -> str:
        """SHA-256 in hexadecimal digits."""

    @property
    def document(self) -> str | None:
        """The text of a ready policy, which a host computes itself; None for a function."""

    async def scores(self, segments: Segments) -> list[PublishedRow]:
        """The scores of all published holders. Raises `HoldMetricsError` with a `traceback`."""


class Host(Protocol):
    """The place in which pipelines run."""

    def now_us(self) -> int:
        """The time in microseconds since 1970."""

    async def consumer(self, pipeline: str, handler: str, *, start: Start, when_full: WhenFull) -> Consumer:
        """Open the consumer `PIPELINE/HANDLER`; `start` says where it begins without a stored position."""

    async def submit(self, pipeline: str, events: Sequence[HoldEvent | Transfer]) -> list[str]:
        """Record events of a pipeline's own, and return when they are durable.

        Raises `Refused` if an event is invalid, and then none is recorded. Returns why some were refused by
        the gates of other pipelines; its own are not asked.
        """

    async def seal_round(self, pipeline: str, request: str) -> str:
        """Seal a round that is given as JSON, as `POST /rounds` takes it; returns its manifest as JSON.

        The same request may be repeated. Raises `HoldMetricsError` if it cannot be sealed.
        """

    def set_gates(self, pipeline: str, gates: Sequence[Gate]) -> None:
        """From now on ask these gates, in place of those that the pipeline had."""

    def set_policies(self, pipeline: str, policies: Sequence[PublishedPolicy]) -> None:
        """From now on publish scores under these policies, in place of those that the pipeline had."""

    async def state(self, pipeline: str) -> dict[str, str]:
        """The durable key-values of a pipeline, as JSON texts."""

    async def commit_state(self, pipeline: str, changes: Mapping[str, str | None]) -> None:
        """Store changes of the key-values alone; None removes a key."""

    def snapshot(self, as_of_us: int, from_us: int | None, closed_only: bool) -> native.Snapshot:  # noqa: FBT001
        """The scores of all holders."""

    def leaderboard(
        self,
        n: int,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001
    ) -> native.Snapshot:
        """The first `n` holders."""

    def holder(
        self,
        holder_id: str,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001
    ) -> native.Row | None:
        """One holder with its rank among all; None if it has no event."""

    def meter(self, pipeline: str, handler: str, kind: str) -> Meter:
        """The meter of one handler."""

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
        """Say in which state a pipeline is, and of which version of its file it is made."""

    def metric(
        self, pipeline: str, kind: MetricKind, name: str, value: float, labels: Mapping[str, str]
    ) -> None:
        """Add to, set or observe a metric of the pipeline's own."""

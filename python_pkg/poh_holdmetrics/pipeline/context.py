"""`Context`: what a handler is given beside its events, the same in service, tests and plain Python.

Answers come from the host; what a handler emits and changes in `state` is kept in its outbox until the call
has ended well, and dropped if it raised. `runtime` delivers both.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

from poh_holdmetrics import instants
from poh_holdmetrics.airdrop.rounds import Amount, RoundOptions, round_request
from poh_holdmetrics.data_models import HoldEvent, HoldStat, Transfer
from poh_holdmetrics.errors import InputError, Refused, excerpt
from poh_holdmetrics.instants import Instant, us_from_argument
from poh_holdmetrics.pipeline.batch import snapshot_of
from poh_holdmetrics.pipeline.state import SharedState, State
from poh_holdmetrics.tracker import HoldSnapshot

if TYPE_CHECKING:
    from poh_holdmetrics.column_types import ArrowStream
    from poh_holdmetrics.pipeline.port import Batch, Host, MetricKind

_METRIC_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}", re.ASCII)


class Metrics:
    """Metrics of the pipeline's own. In `/metrics` each has the labels `pipeline` and those given here."""

    __slots__ = ("_checked", "_host", "_pipeline")

    def __init__(self, host: Host, pipeline: str) -> None:
        self._host = host
        self._pipeline = pipeline
        self._checked: set[str] = set()

    def counter(self, name: str, by: float = 1, **labels: str) -> None:
        """Add to a number that only grows."""
        if by < 0:
            raise InputError(f"metrics.counter {name}", f"a counter only grows, by {by}; use a gauge")
        self._record("counter", name, by, labels)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a number."""
        self._record("gauge", name, value, labels)

    def histogram(self, name: str, value: float, **labels: str) -> None:
        """Add a value to a distribution, such as a duration in seconds."""
        self._record("histogram", name, value, labels)

    def _record(self, kind: MetricKind, name: str, value: float, labels: Mapping[str, str]) -> None:
        for each in (name, *labels):
            if each not in self._checked:
                if not _METRIC_NAME.fullmatch(each):
                    raise InputError(
                        f"metrics.{kind}",
                        f"not a name: {excerpt(each)}; use a-z, 0-9 and '_', like rows_seen",
                    )
                self._checked.add(each)
        self._host.metric(self._pipeline, kind, name, float(value), labels)


class Context:
    """The surroundings of a call. Times without an argument are `now`."""

    def __init__(
        self,
        host: Host,
        shared: SharedState,
        *,
        pipeline: str,
        handler: str,
        arguments: Mapping[str, str],
        generation: int = 1,
    ) -> None:
        self.pipeline = pipeline
        """The name of the pipeline."""
        self.handler = handler
        """The name of the handler."""
        self.arguments = arguments
        """The arguments of the pipeline that were given, and the defaults of the others."""
        self.generation = generation
        """How many times the pipeline has been loaded; 1 for the first."""
        self.state = State(shared)
        """Small durable values of the pipeline, committed together with the cursor of the call."""
        self.metrics = Metrics(host, pipeline)
        """Metrics that appear in `/metrics` of the service."""
        self.log = logging.getLogger(f"pipeline.{pipeline}.{handler}")
        """A logger of the handler's own."""
        self.outbox: list[HoldEvent | Transfer] = []
        """What the call has emitted so far."""
        self._host = host
        self._is_misuse_noted = False

    @property
    def now(self) -> datetime:
        """The time, in UTC. In a test it is that of a clock moved by hand."""
        return instants.datetime_from_us(self._host.now_us())

    def emit(self, *events: HoldEvent | Transfer) -> None:
        """Record events of the pipeline's own when this call has ended well.

        Each needs an `event_id`: if the call is repeated, the event is the same and counts once.
        """
        for event in events:
            if not isinstance(event, HoldEvent | Transfer):
                raise InputError("emit", f"expected HoldEvent or Transfer, not {excerpt(event)}")
            if event.event_id is None:
                raise Refused(
                    "event_id", "missing (an emitted event needs one, so that a repeated call counts once)"
                )
        self.outbox += events

    def leaderboard(
        self,
        n: int,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool = False,
    ) -> HoldSnapshot:
        """The first `n` holders by score over [from_, as_of).

        A native one is read by polars, pyarrow and duckdb without a copy.
        """
        if n < 0:
            raise Refused("n", f"expected 0 or more, not {n}")
        return HoldSnapshot(self._host.leaderboard(n, *self._window(as_of, from_), closed_only))

    def snapshot(
        self, as_of: Instant | None = None, from_: Instant | None = None, *, closed_only: bool = False
    ) -> HoldSnapshot:
        """The scores of all holders over [from_, as_of)."""
        return HoldSnapshot(self._host.snapshot(*self._window(as_of, from_), closed_only))

    def holder(
        self,
        holder_id: str,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool = False,
    ) -> HoldStat | None:
        """One holder with its rank among all, or None if it has no event."""
        row = self._host.holder(holder_id, *self._window(as_of, from_), closed_only)
        return None if row is None else HoldStat.from_row(row)

    def aggregate(
        self,
        events: Batch | ArrowStream | Iterable[HoldEvent | Transfer],
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool = False,
    ) -> HoldSnapshot:
        """The scores that these events alone give, whatever else is known: a batch, or events.

        With native code also an Arrow table that has the columns of a Parquet file of events.
        """
        return HoldSnapshot(snapshot_of(events, *self._window(as_of, from_), closed_only=closed_only))

    async def seal_round(
        self,
        id: str,  # noqa: A002 - the name of the field
        *,
        pool: Amount,
        decimals: int,
        **options: Unpack[RoundOptions],
    ) -> dict[str, Any]:
        """Seal a round of an airdrop by the scores as they are, and return its manifest when it is durable.

        The same round may be sealed again, as when a call is repeated: that changes nothing. Raises
        `HoldMetricsError` if another round has the id, or the scores cannot be shared so.
        """
        request = round_request(id, pool=pool, decimals=decimals, **options)
        manifest: dict[str, Any] = json.loads(await self._host.seal_round(self.pipeline, json.dumps(request)))
        return manifest

    def begin(self) -> None:
        """Forget what was emitted and changed while no call ran, and say so once; the runtime calls this."""
        if (self.outbox or self.state.is_changed) and not self._is_misuse_noted:
            self._is_misuse_noted = True
            self.log.warning(
                "has emitted or changed its state after its call had ended, which is dropped; "
                "use ctx only inside of the call that was given it"
            )
        self.drop()

    def drop(self) -> None:
        """Forget what the call has emitted and changed, because it failed; the runtime calls this."""
        if self.outbox:
            self.outbox = []
        self.state.drop()

    def _window(self, as_of: Instant | None, from_: Instant | None) -> tuple[int, int | None]:
        return (
            self._host.now_us() if as_of is None else us_from_argument("as_of", as_of),
            None if from_ is None else us_from_argument("from", from_),
        )

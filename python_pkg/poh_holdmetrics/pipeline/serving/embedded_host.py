"""The `Host` inside the service: the feed, the store and the metrics of Rust, over a bridge.

The bridge begins what takes time and gives it a number; its outcome arrives as a message of that number, and
`Requests` completes the future that waits for it. Nothing here blocks the loop but questions to the store,
which are computed on other threads. Runs pipelines nowhere; see `embedded`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from poh_holdmetrics.errors import Refused, ServiceError
from poh_holdmetrics.pipeline.running.publishing import PolicyBridge, Publisher

if TYPE_CHECKING:
    from poh_holdmetrics import native
    from poh_holdmetrics.data_models import HoldEvent, Transfer
    from poh_holdmetrics.pipeline.port import Batch, Gate, Meter, MetricKind, PublishedPolicy, Start, WhenFull
    from poh_holdmetrics.pipeline.verdicts import Verdicts

#: The number of a request, a kind and a payload.
Message = tuple[int, str, Any]
#: Keys and JSON texts, None for a key that is removed.
Changes = list[tuple[str, str | None]]


#: Name, budget in seconds, `on_timeout`, and the patterns of tokens and holders.
DescribedGate = tuple[str, float, str, str | None, str | None]


class NativeConsumer(Protocol):
    """A consumer as Rust offers it."""

    name: str
    position: int

    def take(self) -> Batch | int | None: ...  # noqa: D102
    def commit(self, position: int, pipeline: str, changes: Changes) -> int: ...  # noqa: D102
    def close(self) -> int: ...  # noqa: D102


class Bridge(PolicyBridge, Protocol):
    """The end of the bridge that Python holds; methods that return a number have begun something."""

    fd: int
    settings: str

    def drain(self) -> list[Message]: ...  # noqa: D102
    def beat(self, late: float) -> None: ...  # noqa: D102
    def loaded(self) -> None: ...  # noqa: D102
    def collected(self, seconds: float) -> None: ...  # noqa: D102
    def reply(self, request: int, text: str) -> None: ...  # noqa: D102
    def now_us(self) -> int: ...  # noqa: D102
    def open(self, name: str, start: str, when_full: str) -> int: ...  # noqa: D102
    def submit(self, pipeline: str, events: Sequence[HoldEvent | Transfer]) -> int: ...  # noqa: D102
    def seal_round(self, pipeline: str, request: str) -> int: ...  # noqa: D102
    def set_gates(self, pipeline: str, gates: list[DescribedGate]) -> None: ...  # noqa: D102
    def verdicts(  # noqa: D102
        self, request: int, verdicts: list[tuple[int, str | HoldEvent]] | None
    ) -> None: ...
    def state(self, pipeline: str) -> int: ...  # noqa: D102
    def commit_state(self, pipeline: str, changes: Changes) -> int: ...  # noqa: D102
    def leaderboard(  # noqa: D102
        self,
        n: int | None,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001
    ) -> native.Snapshot: ...
    def holder(  # noqa: D102
        self,
        holder_id: str,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001
    ) -> native.Row | None: ...
    def meter(self, pipeline: str, handler: str, kind: str) -> Meter: ...  # noqa: D102
    def pipeline_state(  # noqa: D102
        self, pipeline: str, state: str, *, generation: int, detail: str, file: str, digest: str
    ) -> None: ...
    def metric(  # noqa: D102
        self, pipeline: str, kind: str, name: str, value: float, labels: list[tuple[str, str]]
    ) -> None: ...


class Requests:
    """What Python has begun over the bridge and waits for."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def outcome(self, request: int) -> Any:
        """Wait for the outcome. Raises `ServiceError` if it is an error."""
        future = asyncio.get_running_loop().create_future()
        self._waiting[request] = future
        try:
            return await future
        finally:
            self._waiting.pop(request, None)

    def done(self, request: int, payload: object) -> None:
        """The request has ended; ignored if nobody waits any more."""
        future = self._waiting.get(request)
        if future is not None and not future.done():
            future.set_result(payload)

    def failed(self, request: int, reason: str) -> None:
        """The request has failed."""
        future = self._waiting.get(request)
        if future is not None and not future.done():
            future.set_exception(ServiceError(reason))


class EmbeddedConsumer:
    """A consumer of the feed of the service."""

    def __init__(self, native_consumer: NativeConsumer, pipeline: str, requests: Requests) -> None:
        """`native_consumer` is open, and this object closes it."""
        self._native = native_consumer
        self._pipeline = pipeline
        self._requests = requests

    @property
    def name(self) -> str:
        """`PIPELINE/HANDLER`."""
        return self._native.name

    @property
    def position(self) -> int:
        """The last committed sequence."""
        return self._native.position

    async def next(self, bytes_max: int = 1 << 20) -> Batch | None:  # noqa: ARG002 - Rust reads ahead
        """The batch after the last one; None if the process is stopping.

        A batch is taken only when nothing can cancel this call any more, so none is lost.
        """
        # A consumer that always finds a batch must not keep the loop from everything else.
        await asyncio.sleep(0)
        while True:
            found = self._native.take()
            if not isinstance(found, int):
                return found
            await self._requests.outcome(found)

    async def commit(self, position: int, state: Mapping[str, str | None]) -> None:
        """Store the position and changes of the state together; returns when they are durable."""
        await self._requests.outcome(self._native.commit(position, self._pipeline, list(state.items())))

    async def close(self) -> None:
        """Give the name free."""
        await self._requests.outcome(self._native.close())


class EmbeddedHost:
    """The service as the runtime of pipelines sees it."""

    def __init__(self, bridge: Bridge, requests: Requests) -> None:
        """The caller reads the messages of the bridge, and completes `requests` with them."""
        self._bridge = bridge
        self._requests = requests
        #: By pipeline and name: a check that was asked before a reload is answered by the new generation.
        self._gates: dict[str, dict[str, Gate]] = {}
        self.publisher = Publisher(bridge)
        self._checks: set[asyncio.Task[None]] = set()

    def now_us(self) -> int:
        """The time of the service in microseconds since 1970."""
        return self._bridge.now_us()

    async def consumer(
        self, pipeline: str, handler: str, *, start: Start, when_full: WhenFull
    ) -> EmbeddedConsumer:
        """Open the consumer `PIPELINE/HANDLER`. Raises `ServiceError`, as if it is open already."""
        request = self._bridge.open(f"{pipeline}/{handler}", start, when_full)
        opened = cast("NativeConsumer", await self._requests.outcome(request))
        return EmbeddedConsumer(opened, pipeline, self._requests)

    async def submit(self, pipeline: str, events: Sequence[HoldEvent | Transfer]) -> list[str]:
        """Record events of a pipeline's own; returns why gates of other pipelines have refused some.

        Raises `Refused` at an invalid event, and `ServiceError` if the store accepts nothing.
        """
        try:
            request = self._bridge.submit(pipeline, events)
        except ValueError as refusal:
            raise Refused("", str(refusal)) from refusal
        return cast("list[str]", await self._requests.outcome(request))

    async def seal_round(self, pipeline: str, request: str) -> str:
        """Seal a round; returns its manifest when it is durable. Raises `ServiceError` if it is refused."""
        (manifest,) = await self._requests.outcome(self._bridge.seal_round(pipeline, request))
        return cast("str", manifest)

    @property
    def has_gates(self) -> bool:
        """Whether a pipeline checks events before they are recorded."""
        return any(self._gates.values())

    def set_gates(self, pipeline: str, gates: Sequence[Gate]) -> None:
        """Ask these gates from now on."""
        self._gates[pipeline] = {gate.name: gate for gate in gates}
        self._bridge.set_gates(
            pipeline,
            [(each.name, each.budget_seconds, each.on_timeout, each.token, each.holder) for each in gates],
        )

    def check(self, request: int, gate: str, batch: Batch) -> None:
        """Let `PIPELINE/HANDLER` check a batch; its verdicts are the reply to the request."""
        task = asyncio.get_running_loop().create_task(
            self._checked(request, gate, batch), name=f"check {request}"
        )
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def _checked(self, request: int, name: str, batch: Batch) -> None:
        pipeline, _, handler = name.partition("/")
        gate = self._gates[pipeline].get(handler)
        # A handler that is gone since it was asked accepts everything.
        verdicts: Verdicts | None = {}
        is_late = False
        try:
            if gate is not None:
                verdicts = None
                async with asyncio.timeout(gate.budget_seconds):
                    verdicts = await gate.check(batch)
        except TimeoutError:
            is_late = True
        finally:
            # The timer of the service has decided what becomes of a late one, or is about to.
            if not is_late:
                self._bridge.verdicts(request, None if verdicts is None else list(verdicts.items()))

    def set_policies(self, pipeline: str, policies: Sequence[PublishedPolicy]) -> None:
        """Publish scores under these policies from now on."""
        self.publisher.set_policies(pipeline, policies)

    async def state(self, pipeline: str) -> dict[str, str]:
        """The durable key-values of a pipeline, as JSON texts."""
        return dict(await self._requests.outcome(self._bridge.state(pipeline)))

    async def commit_state(self, pipeline: str, changes: Mapping[str, str | None]) -> None:
        """Store changes of the key-values alone; None removes a key."""
        await self._requests.outcome(self._bridge.commit_state(pipeline, list(changes.items())))

    def snapshot(self, as_of_us: int, from_us: int | None, closed_only: bool) -> native.Snapshot:  # noqa: FBT001
        """The scores of all holders."""
        return self._bridge.leaderboard(None, as_of_us, from_us, closed_only)

    def leaderboard(
        self,
        n: int,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001
    ) -> native.Snapshot:
        """The first `n` holders."""
        return self._bridge.leaderboard(n, as_of_us, from_us, closed_only)

    def holder(
        self,
        holder_id: str,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001
    ) -> native.Row | None:
        """One holder with its rank among all; None if it has no event."""
        return self._bridge.holder(holder_id, as_of_us, from_us, closed_only)

    def meter(self, pipeline: str, handler: str, kind: str) -> Meter:
        """The meter of one handler."""
        return self._bridge.meter(pipeline, handler, kind)

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
        self._bridge.pipeline_state(
            pipeline, state, generation=generation, detail=detail, file=file, digest=digest
        )

    def metric(
        self, pipeline: str, kind: MetricKind, name: str, value: float, labels: Mapping[str, str]
    ) -> None:
        """Add to, set or observe a metric of the pipeline's own. Raises `Refused` if it cannot be used."""
        try:
            self._bridge.metric(pipeline, kind, name, value, list(labels.items()))
        except ValueError as refusal:
            raise Refused("", str(refusal)) from refusal

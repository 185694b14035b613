"""The functions of a worker process that its parent calls: `before_accept` handlers and policies.

`Functions` has the real ones, in the worker. `WorkerGate` and `WorkerPolicy` are what the parent's host is
given in their place, and ask over the link. A worker that is dead, or that does not answer, gives no
verdicts and no scores; what follows from that is decided where the parent's host keeps the time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import HoldMetricsError, InputError, excerpt
from poh_holdmetrics.pipeline.handlers import OnTimeout
from poh_holdmetrics.pipeline.worker.batch_frames import FrameBatch, frame_from_batch
from poh_holdmetrics.pipeline.worker.link import Answer, Arguments, LinkClosed
from poh_holdmetrics.pipeline.worker.segment_frames import (
    body_from_scores,
    frame_from_segments,
    scores_from_body,
    segments_from_frame,
)

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.port import Batch, Gate, PublishedPolicy, PublishedRow
    from poh_holdmetrics.pipeline.verdicts import Verdicts
    from poh_holdmetrics.policies.segments import Segments

#: Asks the worker: method, arguments and bytes.
Ask = Callable[[str, Arguments, bytes], Awaitable[Answer]]

#: How much longer than its budget a gate works on a check; the parent's timer decides what is late.
_LATE_SECONDS = 0.1


class Functions:
    """The gates and policies of a worker, by pipeline and name."""

    def __init__(self) -> None:
        self._gates: dict[tuple[str, str], Gate] = {}
        self._policies: dict[tuple[str, str], PublishedPolicy] = {}

    def set_gates(self, pipeline: str, gates: Sequence[Gate]) -> list[list[Any]]:
        """Let the parent ask these gates; returns what it has to know of them."""
        self._gates |= {(pipeline, gate.name): gate for gate in gates}
        return [[gate.name, gate.budget_seconds, gate.on_timeout, gate.token, gate.holder] for gate in gates]

    def set_policies(self, pipeline: str, policies: Sequence[PublishedPolicy]) -> list[list[Any]]:
        """Let the parent publish under these policies; returns what it has to know of them."""
        self._policies |= {(pipeline, policy.name): policy for policy in policies}
        return [[policy.name, policy.version, policy.document] for policy in policies]

    async def check(self, arguments: Arguments, body: bytes) -> Any:
        """The verdicts of a gate by row; None if it has failed, or is not done when nobody waits any more."""
        gate = self._gates[arguments["pipeline"], arguments["gate"]]
        verdicts: Verdicts | None = None
        try:
            # Both processes have one clock, so a check that has waited for too long is not begun.
            async with asyncio.timeout(arguments["ends_at"] - time.monotonic()):
                verdicts = await gate.check(FrameBatch(arguments["batch"], body))
        except TimeoutError:
            return None
        if verdicts is None:
            return None
        return [
            [row, verdict] if isinstance(verdict, str) else [row, None, verdict.model_dump_json()]
            for row, verdict in verdicts.items()
        ]

    async def scores(self, arguments: Arguments, body: bytes) -> bytes:
        """The scores under a policy."""
        policy = self._policies[arguments["pipeline"], arguments["policy"]]
        segments = await asyncio.to_thread(segments_from_frame, arguments["segments"], body)
        return await asyncio.to_thread(body_from_scores, await policy.scores(segments))


class WorkerGate:
    """A `before_accept` handler of a worker. A `Gate`."""

    def __init__(self, pipeline: str, described: Sequence[Any], ask: Ask) -> None:
        """`described` is what the worker says of it."""
        name, budget_seconds, on_timeout, token, holder = described
        self.name = str(name)
        self.budget_seconds = float(budget_seconds)
        self.on_timeout: OnTimeout = "refuse" if on_timeout == "refuse" else "accept"
        self.token = None if token is None else str(token)
        self.holder = None if holder is None else str(holder)
        self._pipeline = pipeline
        self._ask = ask

    async def check(self, batch: Batch) -> Verdicts | None:
        """The verdicts by `sequence`; None if the handler has failed, or its process has ended."""
        about, body = frame_from_batch(batch)
        arguments = {
            "pipeline": self._pipeline,
            "gate": self.name,
            "batch": about,
            "ends_at": time.monotonic() + self.budget_seconds + _LATE_SECONDS,
        }
        try:
            verdicts, _ = await self._ask("check", arguments, body)
        except HoldMetricsError:
            return None
        return None if verdicts is None else {int(row): _verdict(*verdict) for row, *verdict in verdicts}


class WorkerPolicy:
    """A policy of a worker. A `PublishedPolicy`."""

    def __init__(self, pipeline: str, described: Sequence[Any], ask: Ask) -> None:
        """`described` is what the worker says of it."""
        name, version, document = described
        self.name = str(name)
        self.version = str(version)
        self.document = None if document is None else str(document)
        self._pipeline = pipeline
        self._ask = ask

    async def scores(self, segments: Segments) -> list[PublishedRow]:
        """The scores of all published holders. Raises `HoldMetricsError`."""
        about, body = await asyncio.to_thread(frame_from_segments, segments)
        arguments = {"pipeline": self._pipeline, "policy": self.name, "segments": about}
        try:
            _, answer = await self._ask("publish", arguments, body)
        except LinkClosed as closed:
            problem = f"the worker process of {self._pipeline} has ended; ask again when another one runs"
            raise LinkClosed(problem) from closed
        return await asyncio.to_thread(scores_from_body, answer)


def _verdict(reason: object, changed: object = None) -> str | HoldEvent:
    if isinstance(reason, str):
        return reason
    if isinstance(changed, str):
        return HoldEvent.model_validate_json(changed)
    raise InputError("verdict", f"expected a reason or an event, not {excerpt(reason)}")

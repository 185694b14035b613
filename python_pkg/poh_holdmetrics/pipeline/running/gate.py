"""A `before_accept` handler at work: called with the events of others, its answer read as verdicts.

The host asks it before it records events and keeps the time (`acceptance` in plain Python, Rust in the
service). What a call emits and changes in the state is recorded after the answer: no sender waits for it.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, cast

from poh_holdmetrics.pipeline.calling.called import Outcome
from poh_holdmetrics.pipeline.running.commits import Commits
from poh_holdmetrics.pipeline.verdicts import Verdicts, verdicts_from

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.handlers import GateOptions, Handler
    from poh_holdmetrics.pipeline.port import Batch, Host
    from poh_holdmetrics.pipeline.running.running_handler import RunningHandler


def judging(handler: Handler) -> Handler:
    """The handler with verdicts as its value, so that nonsense is a failure of its code."""
    function = handler.function

    def judge(batch: Batch, ctx: object) -> object:
        returned = function(batch, ctx)
        return awaited(returned, batch) if inspect.isawaitable(returned) else verdicts(returned, batch)

    async def judge_later(batch: Batch, ctx: object) -> Verdicts:
        return verdicts(await function(batch, ctx), batch)

    async def awaited(returned: Any, batch: Batch) -> Verdicts:
        return verdicts(await returned, batch)

    def verdicts(returned: object, batch: Batch) -> Verdicts:
        return verdicts_from(returned, len(batch))

    is_async = inspect.iscoroutinefunction(function)
    return dataclasses.replace(handler, function=judge_later if is_async else judge)


class RunningGate:
    """One `before_accept` handler of a running pipeline."""

    def __init__(
        self,
        host: Host,
        pipeline: str,
        running: RunningHandler,
        another: Callable[[RunningHandler], RunningHandler],
        clock: Clock,
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        """`another` makes the same handler with a context of its own; `start` runs what follows an answer."""
        options = cast("GateOptions", running.handler.options)
        self.name = running.name
        self.budget_seconds = options.budget_seconds
        self.on_timeout = options.on_timeout
        self.token = options.token
        self.holder = options.holder
        self._running = running
        self._another = another
        self._start = start

        async def write(_position: int, changes: Mapping[str, str | None]) -> None:
            await host.commit_state(pipeline, changes)

        self._commits = Commits(f"{pipeline}/{running.name}", 0, write, clock)

    async def check(self, batch: Batch) -> Verdicts | None:
        """The verdicts on the rows of a batch, by `sequence`; None if the handler has failed."""
        # Checks of several senders may overlap.
        running = self._another(self._running)
        called = await running.call(batch, events=len(batch))
        if called.outcome is not Outcome.DONE:
            return None
        if running.emitted or running.changes:
            self._start(self._settle(running))
        verdicts = cast("Verdicts", called.value)
        refused = sum(isinstance(verdict, str) for verdict in verdicts.values())
        if refused:
            running.meter.count("refused", refused)
        rows = batch.sequence
        return {rows[row]: verdict for row, verdict in verdicts.items()}

    async def _settle(self, running: RunningHandler) -> None:
        self._commits.advance(0, await running.record())
        await self._commits.finish()

"""Runs one `every` handler: calls it, records what it emitted, commits what it changed.

When it runs is the scheduler's part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from poh_holdmetrics.pipeline.running.commits import Commits

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.calling.called import Called
    from poh_holdmetrics.pipeline.handlers import JobOptions
    from poh_holdmetrics.pipeline.port import Host
    from poh_holdmetrics.pipeline.running.running_handler import RunningHandler


class JobRunner:
    """The runs of one handler."""

    def __init__(
        self,
        host: Host,
        pipeline: str,
        running: RunningHandler,
        another: Callable[[RunningHandler], RunningHandler],
        clock: Clock,
    ) -> None:
        """`another` makes the same handler with a context of its own, for runs that may overlap."""
        self.running = running
        self.options = cast("JobOptions", running.handler.options)
        self._another = another

        async def write(_position: int, changes: Mapping[str, str | None]) -> None:
            await host.commit_state(pipeline, changes)

        self.commits = Commits(f"{pipeline}/{running.name}", 0, write, clock)

    async def run(self) -> Called:
        """Run it once."""
        running = self._another(self.running) if self.options.overlap == "allow" else self.running
        called = await running.call()
        self.commits.advance(0, await running.record())
        await self.commits.finish()
        return called

    def cancel(self) -> None:
        """Give up what is not durable."""
        self.commits.cancel()

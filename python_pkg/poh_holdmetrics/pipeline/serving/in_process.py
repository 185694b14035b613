"""Runs the pipelines of a file in this process: `stage` loads and checks a generation, its `Runner` runs it.

The file is executed in a worker thread and within a limit, so that one that never ends does not stop the
loop. A file with a defect that would make handlers fail at every call is refused; other defects are logged.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline.calling.slots import HardLimitExceeded
from poh_holdmetrics.pipeline.calling.worker_threads import StuckCall
from poh_holdmetrics.pipeline.handlers import Definition, Isolation
from poh_holdmetrics.pipeline.loading.checks import ADVICE, defects_of_loaded
from poh_holdmetrics.pipeline.loading.loader import Arguments, Loaded, LoadError, load
from poh_holdmetrics.pipeline.running.policy import RunningPolicy
from poh_holdmetrics.pipeline.running.runtime import Runtime
from poh_holdmetrics.policy_files import policies_of

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.calling.guard import Guard
    from poh_holdmetrics.pipeline.loading.specs import Spec
    from poh_holdmetrics.pipeline.port import Host, WhenFull
    from poh_holdmetrics.pipeline.running.delivery import Replayed
    from poh_holdmetrics.scheduler import AsyncScheduler

_log = logging.getLogger(__name__)

#: The sinks of a pipeline are the handlers that have dead letters.
_SINK = "sink"


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What the pipelines of a process share."""

    host: Host
    guard: Guard
    clock: Clock
    scheduler: AsyncScheduler
    arguments: Arguments = field(default_factory=dict)
    """Texts by name of the argument, by name of the pipeline."""
    dead_letters: Path | None = None
    """The folder for what sinks cannot deliver."""
    when_full: WhenFull = "lag"
    """What `on_batch` and `on_event` do with events that they are too slow for."""
    load_seconds: float = 30.0
    """How long executing a file may take."""
    isolation: Isolation = "none"
    """Which pipelines this process is for."""


class InProcessRunner:
    """The pipelines of one generation of a file."""

    def __init__(self, loaded: Loaded, surroundings: Surroundings) -> None:
        self._loaded = loaded
        self._surroundings = surroundings
        self._runtimes: dict[str, Runtime] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The pipelines of the file."""
        return tuple(each.name for each in self._loaded.pipelines)

    @property
    def digest(self) -> str:
        """SHA-256 of the file and its helpers."""
        return self._loaded.digest

    @property
    def jobs(self) -> None:
        """None: the service's scheduler has the jobs."""

    async def start(self) -> None:
        """Run all pipelines, or none if one of them does not start."""
        for pipeline in self._loaded.pipelines:
            runtime = self._runtime(pipeline)
            try:
                await runtime.start()
            except BaseException:
                await self.stop(0)
                raise
            self._runtimes[pipeline.name] = runtime
            around = self._surroundings
            policies = policies_of(pipeline, self._loaded.digest).values()
            running = [RunningPolicy(pipeline.name, policy, around.guard) for policy in policies]
            around.host.set_policies(pipeline.name, running)

    async def stop(self, drain_seconds: float) -> None:
        """Finish current calls, commit and close the consumers."""
        runtimes, self._runtimes = self._runtimes, {}
        await asyncio.gather(*(runtime.stop(drain_seconds) for runtime in runtimes.values()))

    async def drop(self) -> None:
        """Release the modules; a coroutine, as that of every runner is."""
        self._loaded.drop()

    async def replay(self, pipeline: str, handler: str | None) -> dict[str, Replayed]:
        """Deliver the dead letters of one sink again, or of all."""
        runtime = self._runtimes[pipeline]
        sinks = [each.name for each in runtime.pipeline.handlers if each.kind == _SINK]
        if handler is not None:
            sinks = [handler]
        elif not sinks:
            raise InputError("handler", f"{pipeline} has no sink, and only sinks have dead letters")
        return {sink: await runtime.replay(sink) for sink in sinks}

    async def enable(self, pipeline: str) -> None:
        """Call the disabled handlers of a pipeline again; a coroutine, as that of every runner is."""
        self._runtimes[pipeline].enable()

    def _runtime(self, pipeline: Definition) -> Runtime:
        around = self._surroundings
        return Runtime(
            pipeline,
            around.host,
            clock=around.clock,
            scheduler=around.scheduler,
            guard=around.guard,
            dead_letters=around.dead_letters,
            generation=self._loaded.generation,
            when_full=around.when_full,
        )


async def stage_in_process(spec: Spec, generation: int, surroundings: Surroundings) -> InProcessRunner:
    """Load and check a generation of a file. Raises `LoadError`."""
    guard, seconds = surroundings.guard, surroundings.load_seconds
    work = _Load(spec.file.name)
    problem = (
        f"loading it took longer than {seconds:g} s; let the file define its handlers and do nothing else"
    )
    try:
        loaded: Any = await guard.threads.run(work, seconds, _loaded, spec, surroundings, generation)
    except StuckCall as error:
        raise LoadError(spec.file, None, problem, name="slow", traceback=work.where) from error
    except LoadError as error:
        if not isinstance(error.__cause__, HardLimitExceeded):
            raise
        raise LoadError(error.file, error.line, problem, name="slow", traceback=error.traceback) from error
    return InProcessRunner(loaded, surroundings)


def _loaded(spec: Spec, surroundings: Surroundings, generation: int) -> Loaded:
    loaded = load(spec, surroundings.arguments, generation=generation)
    for pipeline in loaded.pipelines:
        if pipeline.isolation != surroundings.isolation:
            loaded.drop()
            problem = (
                f"the isolation of {pipeline.name} is not that which the file says; "
                f'write Pipeline(..., isolation="{pipeline.isolation}") in this file'
            )
            raise LoadError(spec.file, None, problem, name="isolation-not-literal")
    found = defects_of_loaded(loaded)
    for defect in found:
        if defect.name in ADVICE:
            _log.warning("%s", defect)
    refused = [defect for defect in found if defect.name not in ADVICE]
    if refused:
        loaded.drop()
        problem = "; ".join(f"{each.name}: {each.problem}; {each.cure}" for each in refused)
        raise LoadError(refused[0].file, refused[0].line, problem, name=refused[0].name)
    return loaded


class _Load:
    """The loading of a file, as `limits` watches it."""

    is_closed = False

    def __init__(self, label: str) -> None:
        self.label = label
        self.tasks: set[asyncio.Task[Any]] = set()
        self.where = ""

    def interrupted(self) -> None:
        """Nothing more: the exception says so itself."""

    def stuck(self, seconds: float, where: str) -> None:  # noqa: ARG002 - of the protocol
        """Remember where the file is stuck."""
        self.where = where

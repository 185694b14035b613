"""Keeps a pipeline file running in a worker process, and replaces a process that has died.

A process that dies is started again alone, after a back-off; the new one goes on where the cursors are
committed. All else of the service goes on meanwhile. One process is `worker_process`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.errors import HoldMetricsError
from poh_holdmetrics.pipeline.calling.breaker import Backoff
from poh_holdmetrics.pipeline.running.delivery import Replayed
from poh_holdmetrics.pipeline.worker.process import WorkerFailed, WorkerProcess, WorkerSettings

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.loading.loader import Arguments
    from poh_holdmetrics.pipeline.loading.specs import Spec
    from poh_holdmetrics.pipeline.port import Host

_log = logging.getLogger(__name__)

#: Asks the process: method and arguments.
Ask = Callable[[str, Mapping[str, Any]], Awaitable[Any]]

#: A process that has run for so long is not one that dies at once.
_STEADY_SECONDS = 60.0
#: How much longer than the drain stopping may take.
_STOP_SECONDS = 2.0


class WorkerJobs:
    """The jobs of a worker process. `Jobs` of `served_file`."""

    def __init__(self, ask: Ask) -> None:
        """`ask` sends a request to the process."""
        self._ask = ask

    async def report(self, now_us: int) -> list[dict[str, object]]:
        """The jobs as plain values; none if the process is being started again."""
        try:
            return list(await self._ask("jobs", {"now_us": now_us}))
        except WorkerFailed:
            return []

    async def pause(self, name: str) -> None:
        """Start no run of a job at its due times until it is resumed."""
        await self._ask("job_pause", {"name": name})

    async def resume(self, name: str) -> None:
        """Run a paused job again from its next due time on."""
        await self._ask("job_resume", {"name": name})

    async def run_now(self, name: str) -> bool:
        """Start a run of a job at once; False if its last one has not ended."""
        return bool(await self._ask("job_run", {"name": name}))


class WorkerRunner:
    """One generation of a pipeline file, in a process of its own. A `Runner` of `served_file`."""

    def __init__(
        self,
        spec: Spec,
        generation: int,
        *,
        host: Host,
        clock: Clock,
        arguments: Arguments | None = None,
        settings: WorkerSettings | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """`clock` times back-offs."""
        random = Random(str(spec))  # noqa: S311 - spreads restarts, guards no secret
        self._spec = spec
        self._generation = generation
        self._host = host
        self._clock = clock
        self._arguments = {name: dict(given) for name, given in (arguments or {}).items()}
        self._settings = settings or WorkerSettings()
        self._backoff = backoff or Backoff(random=random)
        self._process: WorkerProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._names: tuple[str, ...] = ()
        self._digest = ""
        self._jobs = WorkerJobs(self._request)

    @property
    def names(self) -> tuple[str, ...]:
        """The pipelines of the file."""
        return self._names

    @property
    def digest(self) -> str:
        """SHA-256 of the file and its helpers."""
        return self._digest

    @property
    def jobs(self) -> WorkerJobs:
        """The jobs of the process."""
        return self._jobs

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return None if self._process is None else self._process.pid

    async def stage(self) -> WorkerProcess:
        """Start a process that loads the file and opens no consumer. Raises `HoldMetricsError`."""
        process = WorkerProcess(self._host, str(self._spec.file.name), self._settings)
        load: Mapping[str, Any] = {
            "file": str(self._spec.file),
            "name": self._spec.name,
            "arguments": self._arguments,
            "generation": self._generation,
        }
        try:
            loaded = await process.start(load)
        except BaseException:
            await process.close()
            raise
        self._process = process
        self._names, self._digest = process.names, str(loaded["digest"])
        return process

    async def start(self) -> None:
        """Run the pipelines from where they have committed, and keep them running."""
        if self._process is None or self._process.ended.done():
            await self.stage()
        await self._request("start", {})
        self._keeper = asyncio.create_task(self._keep(), name=f"keeper of {self._spec.file.name}")

    async def stop(self, drain_seconds: float) -> None:
        """Finish current calls, commit and close the consumers; a process that does not is killed."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        keeper.cancel()
        await asyncio.wait([keeper])
        try:
            await self._request("stop", {"drain_seconds": drain_seconds}, drain_seconds + _STOP_SECONDS)
        except HoldMetricsError as error:
            _log.warning("%s: %s", self._spec.file.name, error)

    async def drop(self) -> None:
        """End the process."""
        await self.stop(0)
        await self._end_process()

    async def replay(self, pipeline: str, handler: str | None) -> dict[str, Replayed]:
        """Deliver the dead letters of one sink of a pipeline again, or of all; by name of the sink."""
        answer = await self._request("replay", {"pipeline": pipeline, "handler": handler})
        return {sink: Replayed(**replayed) for sink, replayed in answer.items()}

    async def enable(self, pipeline: str) -> None:
        """Call the disabled handlers of a pipeline again."""
        await self._request("enable", {"pipeline": pipeline})

    async def _request(self, method: str, arguments: Mapping[str, Any], seconds: float | None = None) -> Any:
        if self._process is None:
            raise WorkerFailed("is being started again; ask later")
        return await self._process.request(method, arguments, seconds)

    async def _keep(self) -> None:
        """Start another process whenever one has died."""
        died = 0
        while True:
            began = self._clock.now()
            failed = await self._ended()
            if self._clock.now() - began >= _STEADY_SECONDS:
                died = 0
            died += 1
            seconds = self._backoff.seconds(died)
            self._report("failed", f"{failed}; another one starts in {seconds:.1f} s", failed)
            await self._clock.sleep_until(self._clock.now() + seconds)

    async def _ended(self) -> HoldMetricsError:
        """Start a process if there is none, and wait for its end; returns why it has ended."""
        process = self._process
        if process is None:
            try:
                process = await self.stage()
                await process.request("start", {})
            except HoldMetricsError as error:
                await self._end_process()
                return error
            self._report("running", "")
        failed: HoldMetricsError = await asyncio.shield(process.ended)
        self._process = None
        return failed

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.close()

    def _report(self, state: str, detail: str, error: HoldMetricsError | None = None) -> None:
        text = getattr(error, "traceback", "")
        if error is not None:
            _log.error("%s: %s\n%s", self._spec.file.name, detail, text)
        for name in self._names:
            self._host.pipeline_state(
                name,
                state,
                generation=self._generation,
                detail=f"{detail}\n{text}".rstrip(),
                file=str(self._spec.file),
                digest=self._digest,
            )


async def stage_worker(
    spec: Spec,
    generation: int,
    *,
    host: Host,
    clock: Clock,
    arguments: Arguments | None = None,
    settings: WorkerSettings | None = None,
) -> WorkerRunner:
    """A runner whose process has loaded the file. Raises `HoldMetricsError`, with its traceback."""
    runner = WorkerRunner(spec, generation, host=host, clock=clock, arguments=arguments, settings=settings)
    await runner.stage()
    return runner

"""One worker process: started, watched, and killed if it hangs or uses too much. It is never started again.

All that it has started ends with it: see `unix_child` and `windows_child`, which know how the system does
that. What it prints goes to the log under the name of its pipelines. When to start another one is decided
in `worker_runner`; what the process does is in `worker`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from poh_holdmetrics.errors import HoldMetricsError
from poh_holdmetrics.pipeline.worker.host_server import HostServer
from poh_holdmetrics.pipeline.worker.link import Answer, Arguments, Link, LinkClosed
from poh_holdmetrics.pipeline.worker.page import WorkerPage
from poh_holdmetrics.pipeline.worker.process_output import Printed, ProcessOutput

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.port import Host, WhenFull

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1
#: A worker hangs if its loop does not run for so much longer than the hard limit.
_HANG_SECONDS = 2.0
#: How long a killed worker may take to write the stacks of its threads.
_STACKS_SECONDS = 0.3
_CLOSE_SECONDS = 1.0
#: How long the interpreter of a worker may take to run its first line: that depends on the other work of the
#: machine, and on virus scanners, but not on the file.
_BEGIN_SECONDS = 120.0
_MODULE = "poh_holdmetrics.pipeline.worker"
#: Of the time for starting, that for executing the file; the rest is for what the runtime imports.
_LOAD_PART = 0.7


class WorkerFailed(HoldMetricsError):  # noqa: N818 - named by what happened
    """A worker process could not be started, or has ended."""

    def __init__(self, problem: str, traceback: str = "") -> None:
        """`traceback` is what the process has written last."""
        super().__init__(f"worker process: {problem}")
        self.traceback = traceback


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSettings:
    """What a worker process may use, and what its runtime is told."""

    memory_bytes_max: int = 512 << 20
    processor_seconds_max: float = 0.0
    """Of the whole life of the process, which is then replaced; 0 means no limit."""
    processes_max: int = 32
    soft_seconds: float = 10.0
    hard_seconds: float = 30.0
    start_seconds: float = 30.0
    """How long loading the file may take, once the interpreter runs."""
    dead_letters: Path | None = None
    when_full: WhenFull = "lag"

    @property
    def hang_seconds(self) -> float:
        """How long the loop of a worker may stand still before it is killed."""
        return self.hard_seconds + _HANG_SECONDS


class Child(Protocol):
    """A process as the system runs it, and the page that it shares with us."""

    page: WorkerPage

    async def start(
        self, module: str, environment: Mapping[str, str]
    ) -> tuple[list[socket.socket], Printed, Printed]:
        """Run a module in it; returns our ends of its sockets, and what it prints. Raises `OSError`."""

    async def wait(self) -> int:
        """Wait for its end, and end what it has started; returns its exit code, negative for a signal."""

    def ask_for_stacks(self) -> None:
        """Let it write the stacks of its threads."""

    def end(self) -> None:
        """End it and all that it has started, at once."""

    def resident_bytes(self) -> int:
        """How much memory it uses; 0 if the system does not tell or watches it itself."""

    async def processes(self) -> int:
        """How many processes it has started; 0 if the system does not tell or watches them itself."""

    def close(self) -> None:
        """Release what the two processes shared."""


class WorkerProcess:
    """A running process and the ends of its sockets that belong to the parent."""

    def __init__(self, host: Host, label: str, settings: WorkerSettings) -> None:
        """`label` names the process in the log."""
        self._settings = settings
        self._output = ProcessOutput(label)
        self._server = HostServer(host, self._output.record, self.call)
        self._child = _child(settings)
        self._page = self._child.page
        self._reason = ""
        self._links: list[Link] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._is_started = False
        self.ended: asyncio.Future[WorkerFailed] = asyncio.get_running_loop().create_future()
        """Why the process has ended, once it has."""

    @property
    def pid(self) -> int | None:
        """The id of the process that runs the file, once it has begun."""
        return None if not self._is_started or self.ended.done() else self._page.pid or None

    @property
    def names(self) -> tuple[str, ...]:
        """The pipelines of the file, once it is loaded."""
        return self._server.names

    async def start(self, load: Mapping[str, Any]) -> dict[str, Any]:
        """Start the process and let it load a file; returns names and digest. Raises `HoldMetricsError`."""
        try:
            ends, output, errors = await self._child.start(_MODULE, _environment())
        except OSError as error:
            raise WorkerFailed(f"cannot be started: {error}") from error
        self._is_started = True
        self._links = [await Link.over(end, self._server) for end in ends]
        reading = [
            asyncio.create_task(self._output.read(output, logging.INFO)),
            asyncio.create_task(self._output.read(errors, logging.WARNING)),
        ]
        self._tasks = [asyncio.create_task(self._serve(link)) for link in self._links]
        self._tasks.append(asyncio.create_task(self._watch(), name="watch of a worker"))
        self._end = asyncio.create_task(self._wait(reading), name="end of a worker")
        settings = self._settings
        limits = {
            "memory_bytes_max": settings.memory_bytes_max,
            "processor_seconds_max": settings.processor_seconds_max,
            "processes_max": settings.processes_max,
            "soft_seconds": settings.soft_seconds,
            "hard_seconds": settings.hard_seconds,
            "hang_seconds": settings.hang_seconds,
            "dead_letters": None if settings.dead_letters is None else str(settings.dead_letters),
            "when_full": settings.when_full,
            "load_seconds": settings.start_seconds * _LOAD_PART,
            "log_level": logging.getLogger("poh_holdmetrics").getEffectiveLevel(),
        }
        loaded = await self.request("load", {**load, **limits}, _BEGIN_SECONDS + settings.start_seconds)
        self._server.names = tuple(map(str, loaded["names"]))
        return dict(loaded)

    async def request(self, method: str, arguments: Mapping[str, Any], seconds: float | None = None) -> Any:
        """Ask the worker; one that does not answer in time is killed. Raises `HoldMetricsError`."""
        try:
            async with asyncio.timeout(seconds):
                value, _ = await self._links[0].request(method, arguments)
        except TimeoutError:
            await self.kill(f"has not answered {method} for {seconds:g} s")
            raise await self.ended from None
        except LinkClosed as closed:
            raise await self.ended from closed
        return value

    async def call(self, method: str, arguments: Arguments, body: bytes) -> Answer:
        """Call a function of the worker; how long that may take is decided by the caller."""
        return await self._links[0].request(method, arguments, body)

    async def close(self) -> None:
        """Let the process end, or kill it."""
        for link in self._links:
            link.close()
        self._reason = self._reason or "closed"
        if self._is_started:
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await asyncio.shield(self.ended)
            except TimeoutError:
                await self.kill("does not end")
            await self.ended

    async def kill(self, reason: str) -> None:
        """Kill a process that does not answer, and all that it has started.

        It first writes the stacks of its threads.
        """
        if not self.ended.done() and self._is_started:
            self._child.ask_for_stacks()
            await asyncio.sleep(_STACKS_SECONDS)
            self.kill_now(reason)

    def kill_now(self, reason: str) -> None:
        """Kill the process and all that it has started."""
        if not self.ended.done() and self._is_started:
            self._reason = reason
            self._child.end()

    async def _serve(self, link: Link) -> None:
        try:
            await link.run()
        except LinkClosed as error:
            self.kill_now(str(error))

    async def _wait(self, reading: list[asyncio.Task[None]]) -> None:
        """Wait for the end of the process and clean up after it."""
        code = await self._child.wait()
        await asyncio.wait(reading, timeout=_CLOSE_SECONDS)
        for task in (*reading, *self._tasks):
            task.cancel()
        for link in self._links:
            link.close()
        ending = _ending(code)
        problem = f"{self._reason}; {ending}" if self._reason else f"has ended: {ending}"
        failed = WorkerFailed(problem, self._output.last)
        if self._reason != "closed":
            label = self._server.died(self._page.handler, f"{failed}\n{self._output.last}".rstrip())
            if label:
                failed = WorkerFailed(f"{problem}, in {label}", self._output.last)
        try:
            await self._server.close()
        finally:
            self._child.close()
            self.ended.set_result(failed)

    async def _watch(self) -> None:
        """Kill the process if it hangs, or uses more memory or processes than it may."""
        settings = self._settings
        beat, silent, looked_at = self._page.heartbeat, 0.0, time.monotonic()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            # If this loop was held up itself, the worker may only have waited for an answer.
            silent += min(now - looked_at, 3 * _LOOK_SECONDS)
            looked_at = now
            if self._page.heartbeat != beat:
                beat, silent = self._page.heartbeat, 0.0
            if self.names:
                allowed = settings.hang_seconds
            else:
                allowed = settings.start_seconds if self._page.pid else _BEGIN_SECONDS
            if silent > allowed:
                await self.kill(f"hangs: its loop has not run for {silent:.1f} s")
                return
            memory = self._child.resident_bytes()
            if memory > settings.memory_bytes_max:
                most = settings.memory_bytes_max >> 20
                self.kill_now(f"uses {memory >> 20} MiB of at most {most} MiB of memory")
                return
            processes = await self._child.processes()
            if processes > settings.processes_max:
                self.kill_now(f"has {processes} of at most {settings.processes_max} processes")
                return


def _child(settings: WorkerSettings) -> Child:
    # Each of them imports what the other systems lack.
    if sys.platform == "win32":
        from poh_holdmetrics.pipeline.worker.windows_child import WindowsChild  # noqa: PLC0415

        return WindowsChild(settings.memory_bytes_max, settings.processor_seconds_max, settings.processes_max)
    from poh_holdmetrics.pipeline.worker.unix_child import UnixChild  # noqa: PLC0415

    return UnixChild()


def _environment() -> dict[str, str]:
    """Ours, with this package found where it was found here; the host ignores the variable."""
    folder = str(Path(__file__).parents[2])
    paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"

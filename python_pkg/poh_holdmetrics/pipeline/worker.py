"""The worker process of a file with `isolation="process"`: `python -m poh_holdmetrics.pipeline.worker`.

Started by `worker_process` with the descriptors of two sockets and a shared page. It limits itself, loads
the file, and runs the same `Runtime` as the service does, over a host whose calls go to the parent. Ends
when the parent closes the socket. Everything that a script does to the process ends this one alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.pipeline import worker_limits
from poh_holdmetrics.pipeline.guard import Guard
from poh_holdmetrics.pipeline.link import Answer, Arguments, BlockingLink, Link
from poh_holdmetrics.pipeline.loader import Loaded, load
from poh_holdmetrics.pipeline.remote_host import NotesHandler, RemoteHost
from poh_holdmetrics.pipeline.runtime import Runtime
from poh_holdmetrics.pipeline.specs import Spec
from poh_holdmetrics.pipeline.worker_page import WorkerPage
from poh_holdmetrics.scheduler import AsyncScheduler

_BEAT_SECONDS = 0.1


class Worker:
    """Answers the parent. A `Peer` of `link`."""

    def __init__(self, page: WorkerPage, blocking: BlockingLink) -> None:
        self._page = page
        self._blocking = blocking
        self._clock = LoopClock()
        self._scheduler = AsyncScheduler(handle_signals=False)
        self._host: RemoteHost | None = None
        self._guard: Guard | None = None
        self._loaded: Loaded | None = None
        self._dead_letters: Path | None = None
        self._when_full: Any = "lag"
        self._runtimes: dict[str, Runtime] = {}

    async def run(self, end: socket.socket) -> None:
        """Answer until the parent closes the socket."""
        link = await Link.over(end, self)
        self._host = RemoteHost(link, self._blocking, self._page)
        root = logging.getLogger()
        root.handlers = [NotesHandler(self._host.notes)]
        tasks = [
            asyncio.create_task(self._beat(), name="heartbeat"),
            asyncio.create_task(self._scheduler.run_forever(), name="jobs"),
        ]
        try:
            await link.run()
        finally:
            for task in tasks:
                task.cancel()

    async def answer(self, method: str, arguments: Arguments, body: bytes) -> Answer:
        """The answer to a request of the parent."""
        del body
        match method:
            case "load":
                return self._load(arguments), b""
            case "start":
                await self._start()
            case "stop":
                await self._stop(float(arguments["drain_seconds"]))
            case "replay":
                return await self._replay(self._runtime(arguments), arguments["handler"]), b""
            case "enable":
                self._runtime(arguments).enable()
            case _:
                raise InputError("method", f"unknown request {excerpt(method)}")
        self._notes_sent()
        return None, b""

    def noted(self, method: str, arguments: Arguments) -> None:
        """Nothing: the parent sends no notes."""

    def _load(self, arguments: Arguments) -> dict[str, Any]:
        logging.getLogger().setLevel(arguments["log_level"])
        worker_limits.apply(
            memory_bytes_max=arguments["memory_bytes_max"],
            processor_seconds_max=arguments["processor_seconds_max"],
            processes_max=arguments["processes_max"],
        )
        self._guard = Guard(soft_seconds=arguments["soft_seconds"], hard_seconds=arguments["hard_seconds"])
        folder = arguments["dead_letters"]
        self._dead_letters = None if folder is None else Path(folder)
        self._when_full = arguments["when_full"]
        spec = Spec(file=Path(arguments["file"]), name=arguments["name"])
        self._loaded = load(spec, arguments["arguments"], generation=arguments["generation"])
        return {"names": [each.name for each in self._loaded.pipelines], "digest": self._loaded.digest}

    async def _start(self) -> None:
        loaded, host, guard = self._loaded, self._host, self._guard
        if loaded is None or host is None or guard is None:
            raise InputError("start", "no file is loaded")
        for pipeline in loaded.pipelines:
            runtime = Runtime(
                pipeline,
                host,
                clock=self._clock,
                scheduler=self._scheduler,
                guard=guard,
                dead_letters=self._dead_letters,
                generation=loaded.generation,
                when_full=self._when_full,
            )
            self._runtimes[pipeline.name] = runtime
            await runtime.start()

    async def _stop(self, drain_seconds: float) -> None:
        runtimes, self._runtimes = self._runtimes, {}
        await asyncio.gather(*(runtime.stop(drain_seconds) for runtime in runtimes.values()))

    async def _replay(self, runtime: Runtime, handler: str | None) -> int:
        sinks = [each.name for each in runtime.pipeline.handlers if each.kind == "sink"]
        replayed = [await runtime.replay(name) for name in (sinks if handler is None else [handler])]
        return sum(each.events for each in replayed)

    def _runtime(self, arguments: Arguments) -> Runtime:
        found = self._runtimes.get(arguments["pipeline"])
        if found is None:
            raise InputError("name", f"no pipeline {excerpt(arguments['pipeline'])} runs in this process")
        return found

    def _notes_sent(self) -> None:
        if self._host is not None:
            self._host.notes.send()

    async def _beat(self) -> None:
        while True:
            self._page.beat()
            self._notes_sent()
            await asyncio.sleep(_BEAT_SECONDS)


def main(arguments: list[str]) -> None:
    """Run the worker of the parent that gave these descriptors; returns never."""
    parent, link, blocking, page = map(int, arguments)
    worker_limits.die_with_parent(parent)
    faulthandler.enable()
    # The parent asks for the stacks before it kills a worker that hangs.
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    worker = Worker(WorkerPage(page), BlockingLink(socket.socket(fileno=blocking)))
    with contextlib.suppress(BaseException):
        asyncio.run(worker.run(socket.socket(fileno=link)))
    # Threads that a script has left behind must not keep the process.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The worker process of a file with `isolation="process"`: `python -m poh_holdmetrics.pipeline.worker`.

Started by `worker_process` with two sockets and a shared page. It limits itself, except on Windows, loads
the file, and runs the same `Runtime` as the service does, over a host whose calls go to the parent. Ends
when the parent closes the socket. Everything that a script does to the process ends this one alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import io
import itertools
import logging
import os
import signal
import socket
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.loading.specs import Spec
from poh_holdmetrics.pipeline.serving.in_process import InProcessRunner, Surroundings, stage_in_process
from poh_holdmetrics.pipeline.worker.functions import Functions
from poh_holdmetrics.pipeline.worker.link import Answer, Arguments, BlockingLink, Link
from poh_holdmetrics.pipeline.worker.page import WorkerPage
from poh_holdmetrics.pipeline.worker.remote_host import Notes, NotesHandler, RemoteHost
from poh_holdmetrics.scheduler import AsyncScheduler

if sys.platform == "win32":
    from poh_holdmetrics.pipeline.worker.windows_child import SHARED_LENGTH
else:
    from poh_holdmetrics.pipeline.worker import guardian
    from poh_holdmetrics.pipeline.worker import limits as worker_limits

_BEAT_SECONDS = 0.1
#: On Windows: how long before a worker that hangs is killed it writes the stacks of its threads, and how many
#: beats pass until that is put off again.
_STACKS_BEFORE_SECONDS = 1.5
_STACKS_BEATS = 10


class Worker:
    """Answers the parent. A `Peer` of `link`."""

    def __init__(self, page: WorkerPage, blocking: BlockingLink) -> None:
        self._page = page
        self._blocking = blocking
        self._scheduler = AsyncScheduler(handle_signals=False)
        self._link: Link | None = None
        self._notes: Notes | None = None
        self._host: RemoteHost | None = None
        self._runner: InProcessRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stacks_seconds = 0.0

    async def run(self, end: socket.socket) -> NoReturn:
        """Answer until the parent closes the socket, then end the process."""
        self._link = link = await Link.over(end, self)
        self._notes = notes = Notes(link)
        logging.getLogger().handlers = [NotesHandler(notes)]
        self._tasks = [
            asyncio.create_task(self._beat(notes), name="heartbeat"),
            asyncio.create_task(self._scheduler.run_forever(), name="jobs"),
        ]
        await link.run()
        # Neither threads nor tasks that a script has left behind may keep the process.
        _leave(0)

    async def answer(self, method: str, arguments: Arguments, body: bytes) -> Answer:
        """The answer to a request of the parent."""
        value: Any = None
        match method:
            case "check":
                value = await self._functions().check(arguments, body)
            case "publish":
                return None, await self._functions().scores(arguments, body)
            case "load":
                value = await self._load(arguments)
            case "start":
                await self._loaded().start()
            case "stop":
                await self._loaded().stop(float(arguments["drain_seconds"]))
            case "replay":
                replayed = await self._loaded().replay(arguments["pipeline"], arguments["handler"])
                value = {sink: asdict(each) for sink, each in replayed.items()}
            case "enable":
                await self._loaded().enable(arguments["pipeline"])
            case "jobs":
                value = self._scheduler.report(int(arguments["now_us"]))
            case "job_pause" | "job_resume" | "job_run":
                value = self._steered(method, arguments["name"])
            case _:
                raise InputError("method", f"unknown request {excerpt(method)}")
        if self._notes is not None:
            self._notes.send()
        return value, b""

    def noted(self, method: str, arguments: Arguments) -> None:
        """Nothing: the parent sends no notes."""

    def _steered(self, method: str, job: str) -> bool:
        """Pause or resume a job, or run it now; False if its last run has not ended."""
        match method:
            case "job_pause":
                self._scheduler.pause(job)
            case "job_resume":
                self._scheduler.resume(job)
            case _:
                return self._scheduler.run_now(job)
        return True

    async def _load(self, arguments: Arguments) -> dict[str, Any]:
        link, notes = self._link, self._notes
        if link is None or notes is None:
            raise InputError("load", "the link is closed")
        logging.getLogger().setLevel(arguments["log_level"])
        if sys.platform == "win32":
            self._stacks_seconds = arguments["hang_seconds"] - _STACKS_BEFORE_SECONDS
        else:
            worker_limits.apply(
                memory_bytes_max=arguments["memory_bytes_max"],
                processor_seconds_max=arguments["processor_seconds_max"],
                processes_max=arguments["processes_max"],
            )
        folder = arguments["dead_letters"]
        self._host = RemoteHost(link, self._blocking, notes, self._page)
        surroundings = Surroundings(
            host=self._host,
            guard=Guard(soft_seconds=arguments["soft_seconds"], hard_seconds=arguments["hard_seconds"]),
            clock=LoopClock(),
            scheduler=self._scheduler,
            arguments=arguments["arguments"],
            dead_letters=None if folder is None else Path(folder),
            when_full=arguments["when_full"],
            load_seconds=arguments["load_seconds"],
            isolation="process",
        )
        spec = Spec(file=Path(arguments["file"]), name=arguments["name"])
        self._runner = await stage_in_process(spec, arguments["generation"], surroundings)
        return {"names": self._runner.names, "digest": self._runner.digest}

    def _loaded(self) -> InProcessRunner:
        if self._runner is None:
            raise InputError("file", "none is loaded")
        return self._runner

    def _functions(self) -> Functions:
        if self._host is None:
            raise InputError("file", "none is loaded")
        return self._host.functions

    async def _beat(self, notes: Notes) -> None:
        for beat in itertools.count():
            self._page.beat()
            notes.send()
            if self._stacks_seconds and beat % _STACKS_BEATS == 0:
                faulthandler.dump_traceback_later(self._stacks_seconds)
            await asyncio.sleep(_BEAT_SECONDS)


def main(arguments: list[str]) -> NoReturn:
    """Run the worker of the parent that gave these names of what they share."""
    page: int | str
    if sys.platform == "win32":
        page = arguments[1]
        link, blocking = (_shared_socket() for _ in range(2))
    else:
        parent, *descriptors, page = map(int, arguments)
        guardian.divide(parent, descriptors)
        link, blocking = (socket.socket(fileno=each) for each in descriptors)
        # The parent asks for the stacks before it kills a worker that hangs.
        faulthandler.register(signal.SIGUSR1, all_threads=True)
    faulthandler.enable()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a script prints is in the log when it is printed, and before the process dies.
        sys.stdout.reconfigure(line_buffering=True)
    shared = WorkerPage(page)
    shared.pid = os.getpid()
    worker = Worker(shared, BlockingLink(blocking))
    try:
        asyncio.run(worker.run(link))
    except BaseException:  # noqa: BLE001 - a callback of a script may raise anything into the loop
        traceback.print_exc()
    _leave(1)


if sys.platform == "win32":

    def _shared_socket() -> socket.socket:
        """The next socket that the parent has duplicated for this process."""
        (length,) = SHARED_LENGTH.unpack(sys.stdin.buffer.read(SHARED_LENGTH.size))
        return socket.fromshare(sys.stdin.buffer.read(length))


def _leave(code: int) -> NoReturn:
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The event loop of the service's pipelines: runs `Service` over the bridge until the service stops.

Rust calls `main` on the thread that owns the interpreter. The loop watches one descriptor; whatever waits for
Python is taken in one call. The loop is not left by `asyncio.run`, which would wait for threads of handlers
that never end: the process ends right after `main`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.serving.embedded_host import EmbeddedHost, Requests
from poh_holdmetrics.pipeline.serving.in_process import Surroundings
from poh_holdmetrics.pipeline.serving.service import Service, ServiceSettings
from poh_holdmetrics.pipeline.serving.staging import stage_for
from poh_holdmetrics.pipeline.serving.stores import specs_from_addresses
from poh_holdmetrics.pipeline.worker.process import WorkerSettings
from poh_holdmetrics.scheduler import AsyncScheduler

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.serving.embedded_host import Bridge

_log = logging.getLogger(__name__)

#: How often the loop says that it runs.
_BEAT_SECONDS = 0.1
#: How often files are looked at, if they are watched.
_WATCH_SECONDS = 1.0
#: How long tasks may take to end after they were cancelled.
_CANCEL_SECONDS = 0.5
#: How long calls of an old generation may take to end at a reload.
_DRAIN_SECONDS = 5.0
#: The priority of the thread of Python where cores are scarce, as `nice` counts it: a tenth of the ordinary.
_NICE = 10


def main(bridge: Bridge) -> None:
    """Run the pipelines until the service stops."""
    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    work = loop.create_task(EmbeddedLoop(bridge).run(), name="pipelines")
    with watched_collections(bridge.collected):
        while not work.done():
            try:
                loop.run_until_complete(work)
            except (SystemExit, KeyboardInterrupt) as error:
                # asyncio lets these through if a callback of a script raises them; they end no service.
                _log.exception("A script has raised %s in a callback of the loop.", type(error).__name__)
    # Leaves threads that still run alone.
    loop.close()


def give_way() -> None:
    """Let the threads of the service go first where cores are scarce: pipelines may lag, senders wait.

    Concerns this thread and those that it starts, which only Linux can tell apart, and cannot be undone.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, max(_NICE, os.getpriority(os.PRIO_PROCESS, thread)))


class EmbeddedLoop:
    """The messages of one bridge, and the pipelines behind it."""

    def __init__(self, bridge: Bridge) -> None:
        """Makes nothing but values; `run` begins."""
        self._bridge = bridge
        self._requests = Requests()
        self._host = EmbeddedHost(bridge, self._requests)
        self._stopped = asyncio.Event()
        self._drain_seconds = _DRAIN_SECONDS
        self._answers: set[asyncio.Task[None]] = set()
        self._service: Service | None = None

    async def run(self) -> None:
        """Load the pipelines and run them until the message "stop"."""
        loop = asyncio.get_running_loop()
        beat = loop.create_task(self._beat(), name="beat")
        loop.add_reader(self._bridge.fd, self._receive)
        settings = json.loads(self._bridge.settings)
        guard = Guard(
            soft_seconds=settings["soft_limit_seconds"], hard_seconds=settings["hard_limit_seconds"]
        )
        scheduler = AsyncScheduler(handle_signals=False)
        self._service = service = service_over(self._host, settings, guard, scheduler)
        jobs = loop.create_task(scheduler.run_forever(), name="jobs of pipelines")
        starting = loop.create_task(self._start(service), name="start of pipelines")
        await self._stopped.wait()
        _log.info("Stopping the pipelines, at most %.1f s.", self._drain_seconds)
        starting.cancel()
        try:
            async with asyncio.timeout(self._drain_seconds):
                await service.stop()
        except TimeoutError:
            _log.warning("Some handlers have not ended in time.")
        guard.close()
        scheduler.stop()
        with suppress(asyncio.CancelledError):
            jobs.cancel()
            await asyncio.wait([jobs], timeout=_CANCEL_SECONDS)
        beat.cancel()
        await _cancelled(asyncio.all_tasks() - {asyncio.current_task()})
        loop.remove_reader(self._bridge.fd)

    async def _start(self, service: Service) -> None:
        try:
            await service.start()
            # Senders wait for gates.
            if not self._host.has_gates:
                give_way()
            for name in arguments_by_pipeline(json.loads(self._bridge.settings)["arguments"]):
                if name not in service.names:
                    message = "No pipeline is named %s, which has arguments in the settings; known are %s."
                    _log.warning(message, name, ", ".join(service.names) or "none")
        except Exception:  # noqa: BLE001 - a pipeline must not end the others
            _log.exception("The pipelines could not be started.")
        finally:
            self._bridge.loaded()

    async def _beat(self) -> None:
        clock = asyncio.get_running_loop().time
        late = 0.0
        while True:
            self._bridge.beat(late)
            due = clock() + _BEAT_SECONDS
            await asyncio.sleep(_BEAT_SECONDS)
            late = max(0.0, clock() - due)

    def _receive(self) -> None:
        for request, kind, payload in self._bridge.drain():
            match kind:
                case "done":
                    self._requests.done(request, payload)
                case "failed":
                    self._requests.failed(request, payload)
                case "asked":
                    verb, arguments = payload
                    self._answer(request, verb, json.loads(arguments))
                case "check":
                    gate, batch = payload
                    self._host.check(request, gate, batch)
                case "stop":
                    self._drain_seconds = payload
                    self._stopped.set()
                case _:
                    _log.error("The service has sent a message of the unknown kind %s.", kind)

    def _answer(self, request: int, verb: str, arguments: Mapping[str, str]) -> None:
        task = asyncio.get_running_loop().create_task(
            self._answered(request, verb, arguments), name=f"answer to {verb}"
        )
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answered(self, request: int, verb: str, arguments: Mapping[str, str]) -> None:
        if self._service is None:
            raise RuntimeError("a request has arrived before the service was made")
        if verb == "publish":
            answer = await self._host.publisher.answer(request, arguments)
        else:
            answer = await self._service.handle(verb, arguments)
        self._bridge.reply(request, json.dumps(answer, default=str))


def service_over(
    host: EmbeddedHost, settings: Mapping[str, Any], guard: Guard, scheduler: AsyncScheduler
) -> Service:
    """The service that the settings of Rust describe."""
    clock = LoopClock()
    folder = settings["data_folder"]
    dead_letters = None if folder is None else Path(folder) / "dead_letters"
    surroundings = Surroundings(
        host=host,
        guard=guard,
        clock=clock,
        scheduler=scheduler,
        arguments=arguments_by_pipeline(settings["arguments"]),
        dead_letters=dead_letters,
        when_full=settings["events_full"],
    )
    workers = WorkerSettings(
        memory_bytes_max=settings["memory_bytes_max"],
        processor_seconds_max=settings["processor_seconds_max"],
        soft_seconds=settings["soft_limit_seconds"],
        hard_seconds=settings["hard_limit_seconds"],
        dead_letters=dead_letters,
        when_full=settings["events_full"],
    )
    return Service(
        host,
        ServiceSettings(
            files=tuple(settings["files"]),
            stores=specs_from_addresses(settings["stores"]),
            watch_seconds=_WATCH_SECONDS if settings["watch"] else None,
            drain_seconds=_DRAIN_SECONDS,
        ),
        stage=stage_for(surroundings, workers),
        scheduler=scheduler,
        clock=clock,
        quarantined={name: reason["file"] for name, reason in settings["quarantined"].items()},
    )


def arguments_by_pipeline(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """`NAME.KEY=VALUE` by name of the pipeline and name of the argument; the last of two values counts."""
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        name, _, value = text.partition("=")
        pipeline, _, argument = name.partition(".")
        found.setdefault(pipeline, {})[argument] = value
    return found


@contextmanager
def watched_collections(report: Callable[[float], None]) -> Iterator[None]:
    """Report the duration of each garbage collection meanwhile."""
    began = 0.0

    def watch(phase: str, _info: object) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            report(time.perf_counter() - began)

    gc.callbacks.append(watch)
    try:
        yield
    finally:
        gc.callbacks.remove(watch)


async def _cancelled(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait a moment for them; what does not end then ends with the process."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)

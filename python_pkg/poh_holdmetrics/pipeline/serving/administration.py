"""What operators may ask of a running service, by a verb and its arguments, with plain values as the answer.

The routes under `/admin` pass their requests on to `Administration.handle`. An error is an answer as well:
`{"error": {"kind": ..., "detail": ...}}`, whose kinds are `not_found`, `invalid`, `conflict` and `defect`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal, Protocol

from poh_holdmetrics.errors import HoldMetricsError, InputError
from poh_holdmetrics.pipeline.loading.inspection import inspected
from poh_holdmetrics.pipeline.loading.loader import text_of_traceback

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.port import Host
    from poh_holdmetrics.pipeline.serving.served_file import Jobs, Runner, ServedFile
    from poh_holdmetrics.scheduler import AsyncScheduler

_log = logging.getLogger(__name__)

Answer = dict[str, object]
ErrorKind = Literal["not_found", "invalid", "conflict", "defect"]


class Files(Protocol):
    """The files of a service."""

    @property
    def files(self) -> tuple[ServedFile, ...]:
        """The files that should run."""

    async def reload(self, name: str | None = None) -> list[ServedFile]:
        """Load the file of a pipeline again, or all files."""

    def file_of(self, name: str) -> ServedFile:
        """The file of a pipeline. Raises `InputError` for an unknown name."""


class _AdminError(Exception):
    def __init__(self, kind: ErrorKind, detail: str, traceback: str = "") -> None:
        super().__init__(detail)
        self.kind = kind
        self.traceback = traceback


class Administration:
    """Answers operators about one service and its scheduler."""

    def __init__(self, files: Files, scheduler: AsyncScheduler, host: Host) -> None:
        self._files = files
        self._scheduler = scheduler
        self._host = host
        self._verbs: dict[str, Callable[[Mapping[str, str]], Awaitable[Answer]]] = {
            "reload": self._reload,
            "jobs": self._jobs,
            "job_pause": self._job_pause,
            "job_resume": self._job_resume,
            "job_run": self._job_run,
            "replay": self._replay,
            "enable": self._enable,
            "tasks": self._tasks,
        }

    async def handle(self, verb: str, arguments: Mapping[str, str]) -> Answer:
        """The answer to one request. Raises nothing but a cancellation."""
        action = self._verbs.get(verb)
        if action is None:
            return _error("invalid", f"unknown request {verb!r}; known are {', '.join(self._verbs)}")
        try:
            return await action(arguments)
        except _AdminError as error:
            return _error(error.kind, str(error), error.traceback)
        except InputError as error:
            return _error("not_found" if error.where in ("name", "job", "handler") else "invalid", str(error))
        except HoldMetricsError as error:
            return _error("conflict", str(error))
        except Exception as error:  # noqa: BLE001 - a request must not end the service
            _log.exception("The request %s of an operator failed.", verb)
            return _error("defect", f"{type(error).__name__}: {error}", text_of_traceback(error))

    async def _reload(self, arguments: Mapping[str, str]) -> Answer:
        files = await self._files.reload(arguments.get("name"))
        _raise_problems(files)
        return {"reloaded": [_file(file) for file in files]}

    async def _jobs(self, _arguments: Mapping[str, str]) -> Answer:
        now_us = self._host.now_us()
        found = self._scheduler.report(now_us)
        for file in self._files.files:
            if file.runner is not None and file.runner.jobs is not None:
                found += await file.runner.jobs.report(now_us)
        return {"jobs": found}

    async def _job_pause(self, arguments: Mapping[str, str]) -> Answer:
        name = _name(arguments)
        jobs = self._jobs_elsewhere(name)
        if jobs is None:
            self._scheduler.pause(name)
        else:
            await jobs.pause(name)
        return {"paused": name}

    async def _job_resume(self, arguments: Mapping[str, str]) -> Answer:
        name = _name(arguments)
        jobs = self._jobs_elsewhere(name)
        if jobs is None:
            self._scheduler.resume(name)
        else:
            await jobs.resume(name)
        return {"resumed": name}

    async def _job_run(self, arguments: Mapping[str, str]) -> Answer:
        name = _name(arguments)
        jobs = self._jobs_elsewhere(name)
        has_started = self._scheduler.run_now(name) if jobs is None else await jobs.run_now(name)
        if not has_started:
            raise _AdminError("conflict", f"{name}: its last run has not ended, and runs may not overlap")
        return {"started": name}

    async def _replay(self, arguments: Mapping[str, str]) -> Answer:
        name = _name(arguments)
        replayed = await self._runner(name).replay(name, arguments.get("handler"))
        return {"name": name, "sinks": [{"handler": sink, **asdict(each)} for sink, each in replayed.items()]}

    async def _enable(self, arguments: Mapping[str, str]) -> Answer:
        name = _name(arguments)
        file = self._files.file_of(name)
        if file.is_quarantined:
            await file.release()
            _raise_problems([file])
        else:
            await self._runner(name).enable(name)
        return {"enabled": name}

    async def _tasks(self, _arguments: Mapping[str, str]) -> Answer:
        """A coroutine, as every answer is."""
        return inspected()

    def _jobs_elsewhere(self, name: str) -> Jobs | None:
        """The jobs of the process that `PIPELINE/HANDLER` is in; None if it is not a process of its own."""
        pipeline = name.partition("/")[0]
        for file in self._files.files:
            if pipeline in file.names and file.runner is not None:
                return file.runner.jobs
        return None

    def _runner(self, name: str) -> Runner:
        file = self._files.file_of(name)
        if file.runner is None:
            raise _AdminError("conflict", f"{name} does not run: {file.problem}")
        return file.runner


def _name(arguments: Mapping[str, str]) -> str:
    name = arguments.get("name")
    if not isinstance(name, str) or not name:
        raise _AdminError("invalid", "name: missing; say which one is meant")
    return name


def _raise_problems(files: Sequence[ServedFile]) -> None:
    """Raise a conflict if the newest version of a file does not run."""
    broken = [(file, file.problem) for file in files if file.problem is not None]
    if broken:
        sentences = "; ".join(f"{problem.sentence} ({_instead(file)})" for file, problem in broken)
        tracebacks = "\n".join(problem.traceback for _, problem in broken if problem.traceback)
        raise _AdminError("conflict", sentences, tracebacks)


def _instead(file: ServedFile) -> str:
    return "nothing of it runs" if file.runner is None else f"generation {file.generation} goes on"


def _file(file: ServedFile) -> Answer:
    return {
        "file": file.spec.label,
        "pipelines": list(file.names),
        "generation": file.generation,
        "digest": "" if file.runner is None else file.runner.digest,
    }


def _error(kind: ErrorKind, detail: str, traceback: str = "") -> Answer:
    error = {"kind": kind, "detail": detail}
    return {"error": {**error, "traceback": traceback} if traceback else error}

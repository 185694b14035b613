"""Serves the calls of one worker process from the parent's own `Host`.

A worker may only name its own pipelines; what it sends is checked like any input. When it has ended, its
consumers are closed, so that the next process can open them. The worker's side is `remote_host`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast, get_args

from poh_holdmetrics.data_models import HoldEvent, Transfer
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.pipeline.port import Counted, HandlerState, MetricKind
from poh_holdmetrics.pipeline.worker.batch_frames import frame_from_batch
from poh_holdmetrics.pipeline.worker.functions import Ask, WorkerGate, WorkerPolicy

if TYPE_CHECKING:
    from poh_holdmetrics import native
    from poh_holdmetrics.pipeline.port import Consumer, Host, Meter
    from poh_holdmetrics.pipeline.worker.link import Answer, Arguments

_log = logging.getLogger(__name__)

_LOGGER = "pipeline"
#: Loggers of pipelines and of this package keep their names; the others are put below the first.
_LOGGERS = ("pipeline.", "poh_holdmetrics.")
_METERS_MAX = 10_000
_TEXT_CHARACTERS_MAX = 32_768


class _Opened:
    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.reading: asyncio.Task[Any] | None = None


class HostServer:
    """Answers one worker. A `Peer` of `link`."""

    def __init__(self, host: Host, log_line: Callable[[int, str, str], None], ask: Ask) -> None:
        """`log_line` takes level, logger and text of what the worker logs; `ask` asks the worker."""
        self.names: tuple[str, ...] = ()
        """The pipelines of the worker, once it has loaded its file."""
        self._host = host
        self._log_line = log_line
        self._ask = ask
        self._consumers: dict[int, _Opened] = {}
        self._opened = 0
        self._meters: dict[int, tuple[Meter, str]] = {}
        self._calls: dict[int, int] = {}

    async def close(self) -> None:
        """Close the consumers of a worker that has ended, and end the calls that it was in."""
        for number, calls in self._calls.items():
            for _ in range(calls):
                self._meters[number][0].end(0)
        self._calls.clear()
        consumers, self._consumers = self._consumers, {}
        for opened in consumers.values():
            try:
                await self._close(opened)
            except Exception:  # noqa: BLE001 - the others are closed as well
                _log.exception("The consumer %s cannot be closed.", opened.consumer.name)

    def died(self, handler: int, text: str) -> str:
        """Count the end of the process as a failure of the handler that it was in; returns its label."""
        found = self._meters.get(handler)
        if found is None:
            return ""
        meter, label = found
        if self._calls.get(handler):
            self._calls[handler] -= 1
        else:
            meter.begin()
        meter.failed(text)
        meter.state("backing_off", text.partition("\n")[0])
        return label

    async def answer(self, method: str, arguments: Arguments, body: bytes) -> Answer:
        """The answer to a request of the worker."""
        del body
        host = self._host
        value: Any = None
        match method:
            case "next":
                return await self._next(arguments)
            case "commit":
                position, state = int(arguments["position"]), arguments["state"]
                await self._consumer(arguments).consumer.commit(position, _texts(state))
            case "consumer":
                value = await self._open(arguments)
            case "close":
                await self._close(self._consumers.pop(int(arguments["consumer"])))
            case "submit":
                events = list(_events(arguments["kinds"], arguments["events"]))
                value = await host.submit(self._own(arguments), events)
            case "seal_round":
                value = await host.seal_round(self._own(arguments), str(arguments["request"]))
            case "state":
                value = await host.state(self._own(arguments))
            case "commit_state":
                await host.commit_state(self._own(arguments), _texts(arguments["changes"]))
            case "snapshot":
                value = _rows(host.snapshot(*_window(arguments)))
            case "leaderboard":
                value = _rows(host.leaderboard(int(arguments["n"]), *_window(arguments)))
            case "holder":
                value = host.holder(str(arguments["holder_id"]), *_window(arguments))
            case _:
                raise InputError("method", f"unknown request {excerpt(method)}")
        return value, b""

    def noted(self, method: str, arguments: Arguments) -> None:
        """Take notes of the worker; one that cannot be read is logged and left out."""
        del method
        for note in arguments.get("notes", []):
            try:
                self._note(*note)
            except Exception:  # noqa: BLE001 - a damaged worker may send anything
                self._log_line(logging.WARNING, _LOGGER, f"an unreadable note: {excerpt(note)}")

    def _note(self, what: str, *values: Any) -> None:
        match what:
            case "begin" | "end" | "failed" | "count" | "state":
                self._metered(what, *values)
            case "meter":
                number, pipeline, handler, kind = values
                if len(self._meters) < _METERS_MAX:
                    meter = self._host.meter(self._checked(pipeline), str(handler), str(kind))
                    self._meters[int(number)] = (meter, f"{pipeline}/{handler}")
            case "gates":
                own, described = self._checked(values[0]), values[1]
                self._host.set_gates(own, [WorkerGate(own, each, self._ask) for each in described])
            case "policies":
                own, described = self._checked(values[0]), values[1]
                self._host.set_policies(own, [WorkerPolicy(own, each, self._ask) for each in described])
            case "log":
                name, level, text = values
                own = name if str(name).startswith(_LOGGERS) else f"{_LOGGER}.{name}"
                self._log_line(int(level), str(own)[:200], str(text)[:_TEXT_CHARACTERS_MAX])
            case "metric":
                pipeline, kind, name, value, labels = values
                word: MetricKind = _word(kind, MetricKind)
                own_labels = {str(key): str(text) for key, text in labels.items()}
                self._host.metric(self._checked(pipeline), word, str(name), float(value), own_labels)
            case "pipeline_state":
                pipeline, state, generation, detail, file, digest = values
                self._host.pipeline_state(
                    self._checked(pipeline),
                    str(state),
                    generation=int(generation),
                    detail=str(detail)[:_TEXT_CHARACTERS_MAX],
                    file=str(file),
                    digest=str(digest),
                )
            case _:
                raise InputError("note", f"unknown note {excerpt(what)}")

    def _metered(self, what: str, number: int, *values: Any) -> None:
        meter, _ = self._meters[number]
        match what:
            case "begin":
                self._calls[number] = self._calls.get(number, 0) + 1
                meter.begin()
            case "end":
                self._calls[number] -= 1
                meter.end(int(values[0]))
            case "failed":
                self._calls[number] -= 1
                meter.failed(str(values[0])[:_TEXT_CHARACTERS_MAX])
            case "count":
                counted: Counted = _word(values[0], Counted)
                meter.count(counted, int(values[1]))
            case _:
                state: HandlerState = _word(values[0], HandlerState)
                meter.state(state, str(values[1])[:_TEXT_CHARACTERS_MAX])

    async def _open(self, arguments: Arguments) -> dict[str, int]:
        consumer = await self._host.consumer(
            self._own(arguments),
            str(arguments["handler"]),
            start="now" if arguments["start"] == "now" else "beginning",
            when_full="shed" if arguments["when_full"] == "shed" else "lag",
        )
        self._opened += 1
        self._consumers[self._opened] = _Opened(consumer)
        return {"number": self._opened, "position": consumer.position}

    async def _next(self, arguments: Arguments) -> Answer:
        opened = self._consumer(arguments)
        if opened.reading is not None:
            raise InputError(opened.consumer.name, "a batch is being read; wait for it")
        opened.reading = asyncio.ensure_future(opened.consumer.next(int(arguments["bytes_max"])))
        try:
            batch = await opened.reading
        finally:
            opened.reading.cancel()
            opened.reading = None
        return (None, b"") if batch is None else frame_from_batch(batch)

    async def _close(self, opened: _Opened) -> None:
        if opened.reading is not None:
            opened.reading.cancel()
            await asyncio.wait([opened.reading])
        await opened.consumer.close()

    def _consumer(self, arguments: Arguments) -> _Opened:
        found = self._consumers.get(int(arguments["consumer"]))
        if found is None:
            raise InputError("consumer", "not open")
        return found

    def _own(self, arguments: Arguments) -> str:
        return self._checked(arguments["pipeline"])

    def _checked(self, pipeline: object) -> str:
        if pipeline not in self.names:
            raise InputError("pipeline", f"{excerpt(pipeline)} is not a pipeline of this process")
        return str(pipeline)


def _window(arguments: Arguments) -> tuple[int, int | None, bool]:
    as_of_us, from_us = int(arguments["as_of_us"]), arguments["from_us"]
    return as_of_us, None if from_us is None else int(from_us), bool(arguments["closed_only"])


def _rows(snapshot: native.Snapshot) -> dict[str, Any]:
    return {
        "as_of_us": snapshot.as_of_us,
        "from_us": snapshot.from_us,
        "closed_only": snapshot.closed_only,
        "deficits": snapshot.deficits,
        "rows": snapshot.rows(),
    }


def _events(kinds: Iterable[str], lines: Iterable[str]) -> Iterable[HoldEvent | Transfer]:
    for kind, line in zip(kinds, lines, strict=True):
        model = Transfer if kind == "Transfer" else HoldEvent
        yield model.model_validate_json(line)


def _texts(changes: object) -> dict[str, str | None]:
    if not isinstance(changes, dict) or not all(
        isinstance(text, str | None) for pair in changes.items() for text in pair
    ):
        raise InputError("state", "expected texts by key")
    return cast("dict[str, str | None]", changes)


def _word(word: object, known: Any) -> Any:
    if word not in get_args(known):
        raise InputError("word", f"unknown word {excerpt(word)}")
    return word

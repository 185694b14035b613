"""The host inside the service, tried in plain Python over a bridge that a test plays."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import Refused, ServiceError
from poh_holdmetrics.pipeline.batch import ColumnBatch
from poh_holdmetrics.pipeline.serving.embedded import arguments_by_pipeline, give_way, main
from poh_holdmetrics.pipeline.serving.embedded_host import (
    Bridge,
    EmbeddedConsumer,
    EmbeddedHost,
    Message,
    Requests,
)
from poh_holdmetrics.validation import Record

SETTINGS = {
    "files": [],
    "stores": [],
    "arguments": [],
    "watch": False,
    "events_full": "lag",
    "soft_limit_seconds": 5.0,
    "hard_limit_seconds": 10.0,
    "memory_bytes_max": 512 << 20,
    "processor_seconds_max": 0.0,
    "data_folder": None,
    "quarantined": {},
}


class Meter:
    """Counts nothing."""

    def begin(self) -> None: ...
    def end(self, events: int) -> None: ...
    def failed(self, traceback: str) -> None: ...
    def count(self, what: str, by: int = 1) -> None: ...
    def state(self, state: str, detail: str = "") -> None: ...


class Consumer:
    """A consumer with the batches that a test adds, from another thread than the one that takes them."""

    name = "p/events"
    position = 0

    def __init__(self, bridge: FakeBridge) -> None:
        self.bridge = bridge
        self.batches: list[ColumnBatch] = []
        self.waiting: int | None = None
        self.is_ended = False
        self._lock = threading.Lock()

    def add(self, batch: ColumnBatch) -> None:
        with self._lock:
            self.batches.append(batch)
            waiting, self.waiting = self.waiting, None
        if waiting is not None:
            self.bridge.push(waiting, "done", None)

    def take(self) -> ColumnBatch | int | None:
        with self._lock:
            if self.batches:
                return self.batches.pop(0)
            if self.is_ended:
                return None
            self.waiting = self.bridge.number()
            return self.waiting

    def commit(self, position: int, pipeline: str, changes: list[tuple[str, str | None]]) -> int:
        self.position = position
        return self.bridge.complete(None, ("commit", position, pipeline, changes))

    def close(self) -> int:
        return self.bridge.complete(None, ("close",))


class FakeBridge:
    """The end of a bridge, played by the test."""

    def __init__(self, **settings: object) -> None:
        self.settings = json.dumps(SETTINGS | settings)
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self.fd = self._reader.fileno()
        self._messages: list[Message] = []
        self._lock = threading.Lock()
        self._numbers = iter(range(1, 1_000_000))
        self.calls: list[tuple[Any, ...]] = []
        self.replies: dict[int, Any] = {}
        self.states: dict[str, str] = {}
        self.beats = 0
        self.is_loaded = threading.Event()
        self.consumer = Consumer(self)

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    def number(self) -> int:
        return next(self._numbers)

    def push(self, request: int, kind: str, payload: object) -> None:
        with self._lock:
            self._messages.append((request, kind, payload))
        self._writer.send(b"1")

    def complete(self, payload: object, call: tuple[Any, ...], kind: str = "done") -> int:
        self.calls.append(call)
        request = self.number()
        self.push(request, kind, payload)
        return request

    def drain(self) -> list[Message]:
        self._reader.recv(4096)
        with self._lock:
            messages, self._messages = self._messages, []
        return messages

    def beat(self, _late: float) -> None:
        self.beats += 1

    def loaded(self) -> None:
        self.is_loaded.set()

    def collected(self, seconds: float) -> None: ...

    def reply(self, request: int, text: str) -> None:
        self.replies[request] = json.loads(text)

    def now_us(self) -> int:
        return 1_700_000_000_000_000

    def open(self, name: str, start: str, when_full: str) -> int:
        return self.complete(self.consumer, ("open", name, start, when_full))

    def submit(self, pipeline: str, events: Sequence[HoldEvent]) -> int:
        if any(event.holder_id == "bad" for event in events):
            raise ValueError("row 0: holder_id: bad")
        if any(event.holder_id == "full" for event in events):
            return self.complete("the disk of the journal is full", ("submit", pipeline), "failed")
        return self.complete(["row 1: no"], ("submit", pipeline, len(events)))

    def set_gates(self, pipeline: str, gates: object) -> None: ...
    def set_policies(self, pipeline: str, policies: object) -> None: ...

    def verdicts(self, request: int, verdicts: object) -> None: ...

    def state(self, pipeline: str) -> int:
        return self.complete([("seen", "3")], ("state", pipeline))

    def commit_state(self, pipeline: str, changes: object) -> int:
        return self.complete(None, ("commit_state", pipeline, changes))

    def meter(self, *_names: str) -> Meter:
        return Meter()

    def pipeline_state(self, pipeline: str, state: str, **_more: object) -> None:
        self.states[pipeline] = state

    def metric(self, pipeline: str, kind: str, name: str, value: float, labels: object) -> None:
        if name == "bad name":
            raise ValueError("metric: no name")
        self.calls.append((kind, pipeline, name, value, labels))


@pytest.fixture
def bridge() -> Iterator[FakeBridge]:
    made = FakeBridge()
    yield made
    made.close()


def batch(sequence: int) -> ColumnBatch:
    record = Record("t", f"h{sequence}", 1, 2, 10**18, None, 0, False, None, None, 0)
    return ColumnBatch([record], sequence, sequence)


def event(holder: str) -> HoldEvent:
    return HoldEvent(token_id="t", holder_id=holder, start=datetime(2025, 1, 1, tzinfo=UTC))


def over(bridge: FakeBridge) -> tuple[EmbeddedHost, Requests]:
    """A host whose messages the running loop passes on."""
    requests = Requests()

    def receive() -> None:
        for request, kind, payload in bridge.drain():
            {"done": requests.done, "failed": requests.failed}[kind](request, payload)

    asyncio.get_running_loop().add_reader(bridge.fd, receive)
    return EmbeddedHost(cast("Bridge", bridge), requests), requests


def run_main(bridge: FakeBridge, during: Callable[[], None]) -> None:
    """Run `main` on a thread of its own, as Rust does, and stop it after `during`."""
    thread = threading.Thread(target=main, args=(cast("Bridge", bridge),))
    thread.start()
    try:
        assert bridge.is_loaded.wait(20)
        during()
    finally:
        bridge.push(0, "stop", 2.0)
        thread.join(20)
    assert not thread.is_alive()


def test_requests_of_a_host_end_with_the_messages_of_their_numbers(bridge: FakeBridge) -> None:
    async def work() -> None:
        host, _ = over(bridge)
        assert await host.state("p") == {"seen": "3"}
        await host.commit_state("p", {"seen": None})
        assert await host.submit("p", [event("t")]) == ["row 1: no"]
        consumer = await host.consumer("p", "events", start="now", when_full="lag")
        await consumer.commit(7, {"seen": "4"})
        await consumer.close()
        assert (consumer.name, consumer.position) == ("p/events", 7)

    asyncio.run(work())
    assert bridge.calls == [
        ("state", "p"),
        ("commit_state", "p", [("seen", None)]),
        ("submit", "p", 1),
        ("open", "p/events", "now", "lag"),
        ("commit", 7, "p", [("seen", "4")]),
        ("close",),
    ]


def test_refusals_and_failures_are_exceptions_of_the_package(bridge: FakeBridge) -> None:
    async def work() -> None:
        host, _ = over(bridge)
        with pytest.raises(Refused, match="row 0: holder_id: bad"):
            await host.submit("p", [event("bad")])
        with pytest.raises(ServiceError, match="disk of the journal is full"):
            await host.submit("p", [event("full")])
        with pytest.raises(Refused, match="metric: no name"):
            host.metric("p", "gauge", "bad name", 1.0, {})

    asyncio.run(work())


def test_a_wait_that_is_cancelled_loses_no_batch(bridge: FakeBridge) -> None:
    async def work() -> list[int]:
        _, requests = over(bridge)
        consumer = EmbeddedConsumer(cast("Any", bridge.consumer), "p", requests)
        seen: list[int] = []
        for sequence in range(1, 40):
            waiting = asyncio.create_task(consumer.next())
            for _ in range(sequence % 4):
                await asyncio.sleep(0)
            bridge.consumer.add(batch(sequence))
            waiting.cancel()
            try:
                found = await waiting
            except asyncio.CancelledError:
                continue
            assert found is not None
            seen.append(found.last_sequence)
        while bridge.consumer.batches:
            found = await consumer.next()
            assert found is not None
            seen.append(found.last_sequence)
        bridge.consumer.is_ended = True
        assert await consumer.next() is None
        return seen

    assert asyncio.run(work()) == list(range(1, 40))


def test_requests_of_operators_are_answered_and_errors_are_answers(bridge: FakeBridge) -> None:
    def during() -> None:
        bridge.push(70, "asked", ("jobs", "{}"))
        bridge.push(71, "asked", ("reload", json.dumps({"name": "nothing"})))
        while len(bridge.replies) < 2:
            threading.Event().wait(0.01)

    run_main(bridge, during)
    assert bridge.replies[70] == {"jobs": []}
    assert bridge.replies[71]["error"]["kind"] == "not_found"
    assert bridge.beats > 0


def test_the_loop_runs_a_file_and_stops_it_and_survives_a_callback_that_exits(tmp_path: Path) -> None:
    file = tmp_path / "p.py"
    seen = tmp_path / "seen.txt"
    file.write_text(f"""
import asyncio
from pathlib import Path
from poh_holdmetrics import Pipeline

pipeline = Pipeline("p", arguments={{"word": "none"}})


@pipeline.on_batch()
async def follow(batch, ctx):
    with Path({str(seen)!r}).open("a") as file:
        file.write(f"{{ctx.arguments['word']}} {{batch.holder_id[0]}}\\n")
    asyncio.get_running_loop().call_soon(exit, 3)
""")
    bridge = FakeBridge(files=[str(file)], arguments=["p.word=one,two"])

    def lines() -> list[str]:
        return seen.read_text().splitlines() if seen.exists() else []

    def during() -> None:
        for sequence in (1, 2):
            bridge.consumer.add(batch(sequence))
            until = time.monotonic() + 30
            while len(lines()) < sequence:
                assert time.monotonic() < until, (lines(), bridge.states)
                threading.Event().wait(0.01)
        assert bridge.states == {"p": "running"}

    run_main(bridge, during)
    bridge.close()
    assert lines() == ["one,two h1", "one,two h2"]
    assert bridge.states == {"p": "stopped"}
    assert bridge.consumer.position == 2


def test_the_last_of_two_values_of_an_argument_counts() -> None:
    texts = ["a.x=1", "b.url=http://c?d=e", "a.y=", "a.x=2"]
    assert arguments_by_pipeline(texts) == {"a": {"x": "2", "y": ""}, "b": {"url": "http://c?d=e"}}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_the_thread_of_python_gives_way_to_those_of_the_service() -> None:
    found: list[int] = []

    def work() -> None:
        give_way()
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [max(10, before)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before

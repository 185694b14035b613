"""What crosses between a worker process and its parent arrives unchanged, and garbage harms nobody."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poh_holdmetrics import AsyncTracker, HoldEvent
from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.pipeline.batch import ColumnBatch
from poh_holdmetrics.pipeline.offline.local import LocalHost
from poh_holdmetrics.pipeline.worker.batch_frames import FrameBatch, frame_from_batch
from poh_holdmetrics.pipeline.worker.host_server import HostServer
from poh_holdmetrics.pipeline.worker.link import (
    Answer,
    Arguments,
    BlockingLink,
    Link,
    LinkClosed,
    RemoteError,
    packed,
)
from poh_holdmetrics.validation import Record
from poh_holdmetrics.wads import WAD

_US = st.integers(min_value=-62_135_596_800_000_000, max_value=253_402_300_799_999_999)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
_HOLDS = st.builds(
    lambda token, holder, start, end, wad, event, revision, retract, seq: Record(
        token, holder, start, end, wad, event, revision, retract, None, None, seq
    ),
    *(_TEXTS, _TEXTS, st.none() | _US, st.none() | _US, st.integers(0, 10**40), st.none() | _TEXTS),
    *(st.integers(0, 2**60), st.booleans(), st.integers(-(2**60), 2**60)),
)
_CHANGES = st.builds(
    lambda token, holder, event, at, delta: Record(
        token, holder, None, None, WAD, event, 0, False, at, delta, 0
    ),
    *(_TEXTS, _TEXTS, _TEXTS, _US, st.integers(-(10**40), 10**40)),
)


@given(st.lists(_HOLDS | _CHANGES, max_size=20), st.integers(0, 2**60), st.booleans())
def test_a_batch_crosses_unchanged(records: list[Record], first: int, is_from_facts: bool) -> None:
    batch = ColumnBatch(records, first, first + 100, is_from_facts=is_from_facts)
    again = FrameBatch(*frame_from_batch(batch))
    for column in ("token_id", "holder_id", "event_id", "weight_wads", "delta_wads"):
        assert getattr(again, column) == getattr(batch, column)
    for column in ("sequence", "start_us", "end_us", "at_us", "revision", "seq", "retract"):
        assert list(getattr(again, column)) == list(getattr(batch, column))
        assert getattr(again, column).readonly
    assert again.records() == batch.records()
    assert list(again.events()) == list(batch.events())
    assert again.filter(token="a*").records() == batch.filter(token="a*").records()
    assert again.slice(0, 2).to_bytes() == batch.slice(0, 2).to_bytes()
    about = (again.first_sequence, again.last_sequence, again.is_from_facts)
    assert about == (batch.first_sequence, batch.last_sequence, is_from_facts)


class Echo:
    """Answers with what it is asked, or raises."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    async def answer(self, method: str, arguments: Arguments, body: bytes) -> Answer:
        """A coroutine that waits for nothing."""
        match method:
            case "refuse":
                raise Refused("token_id", "not sold here")
            case "misuse":
                raise InputError("handler", "unknown")
            case "fail":
                raise ZeroDivisionError("by hand")
        return dict(arguments), body

    def noted(self, method: str, arguments: Arguments) -> None:
        self.notes.append((method, arguments))


@asynccontextmanager
async def linked(peer: Any) -> AsyncIterator[tuple[socket.socket, asyncio.Task[None]]]:
    """The other end of a link that runs."""
    ours, theirs = socket.socketpair()
    link = await Link.over(ours, peer)
    running = asyncio.create_task(link.run())
    try:
        yield theirs, running
    finally:
        theirs.close()
        await asyncio.wait([running], timeout=5)


def test_requests_are_answered_and_errors_keep_their_kind() -> None:
    async def run() -> None:
        echo = Echo()
        async with linked(echo) as (end, _):
            link = await Link.over(end, Echo())
            running = asyncio.create_task(link.run())
            answers = await asyncio.gather(*(link.request("echo", {"n": n}, b"%d" % n) for n in range(200)))
            assert answers == [({"n": n}, b"%d" % n) for n in range(200)]
            with pytest.raises(Refused, match="token_id: not sold here") as refused:
                await link.request("refuse")
            assert refused.value.field == "token_id"
            with pytest.raises(InputError, match=r"^handler: unknown$"):
                await link.request("misuse")
            with pytest.raises(RemoteError, match="ZeroDivisionError: by hand"):
                await link.request("fail")
            link.note("said", {"what": "half a pair \ud800"})
            await link.request("echo")
            assert echo.notes == [("said", {"what": "half a pair \ud800"})]
            link.close()
            with pytest.raises(LinkClosed):
                await link.request("echo")
            await running

    asyncio.run(run())


def test_code_that_cannot_await_asks_as_well() -> None:
    async def run() -> None:
        async with linked(Echo()) as (end, _):
            blocking = BlockingLink(end)
            assert await asyncio.to_thread(blocking.request, "echo", {"n": 1}) == {"n": 1}
            with pytest.raises(Refused):
                await asyncio.to_thread(blocking.request, "refuse", {})

    asyncio.run(run())


@pytest.mark.parametrize(
    "garbage",
    [
        struct.pack("!II", 0xFFFFFFFF, 0),
        struct.pack("!II", 2, 0xFFFFFFFF) + b"{}",
        struct.pack("!II", 3, 0) + b"\xff\xfe{",
        struct.pack("!II", 2, 0) + b"[]",
        struct.pack("!II", 100_000, 0) + b"[" * 100_000,
    ],
)
def test_garbage_closes_the_link(garbage: bytes) -> None:
    async def run() -> None:
        async with linked(Echo()) as (end, running):
            end.sendall(garbage)
            with pytest.raises(LinkClosed):
                await asyncio.wait_for(running, 5)

    asyncio.run(run())


async def unasked(method: str, _arguments: Arguments, _body: bytes) -> Answer:
    """A coroutine, as the server asks."""
    raise AssertionError(method)


def test_a_worker_reaches_its_own_pipelines_alone() -> None:
    async def run() -> None:
        host = LocalHost(AsyncTracker())
        server = HostServer(host, lambda *_: None, unasked)
        server.names = ("own",)
        for method, arguments in (
            ("consumer", {"pipeline": "other", "handler": "events", "start": "now", "when_full": "lag"}),
            ("commit_state", {"pipeline": "other", "changes": {"key": "1"}}),
            ("state", {"pipeline": "other"}),
            ("submit", {"pipeline": "other", "kinds": [], "events": []}),
            ("next", {"consumer": 1, "bytes_max": 1}),
            ("shutdown", {}),
        ):
            with pytest.raises(InputError):
                await server.answer(method, arguments, b"")
        assert not host._states
        assert not host._open

    asyncio.run(run())


def test_notes_that_are_none_are_named_and_the_others_are_taken() -> None:
    async def run() -> None:
        lines: list[tuple[int, str, str]] = []
        host = LocalHost(AsyncTracker())
        server = HostServer(host, lambda *line: lines.append(line), unasked)
        server.names = ("own",)
        notes = [
            ["meter", 1, "own", "follow", "on_batch"],
            ["meter", 2, "other", "follow", "on_batch"],
            ["begin", 1],
            ["begin", 99],
            ["count", 1, "money", 7],
            ["nonsense"],
            ["gates", "other", [["check", 0.1, "accept", None, None]]],
            ["policies", "own", [["tiers"]]],
            17,
            ["end", 1, 5],
            ["metric", "own", "counter", "seen", 2.0, {"kind": "a"}],
            ["log", "pipeline.own.follow", logging.INFO, "hello"],
            ["log", "root", logging.INFO, "hello"],
        ]
        server.noted("notes", {"notes": notes})
        meter = host.meters["own", "follow"]
        assert (meter.calls, meter.events, list(host.meters)) == (1, 5, [("own", "follow")])
        assert list(host.metrics.values()) == [2.0]
        assert [name for _, name, text in lines if text == "hello"] == [
            "pipeline.own.follow",
            "pipeline.root",
        ]
        assert sum("unreadable note" in text for _, _, text in lines) == 7

    asyncio.run(run())


def test_a_dead_worker_gives_its_consumers_back_and_ends_its_calls() -> None:
    async def run() -> None:
        host = LocalHost(AsyncTracker())
        server = HostServer(host, lambda *_: None, unasked)
        server.names = ("own",)
        asked = {"pipeline": "own", "handler": "events", "start": "beginning", "when_full": "lag"}
        opened, _ = await server.answer("consumer", asked, b"")
        waiting = asyncio.create_task(
            server.answer("next", {"consumer": opened["number"], "bytes_max": 1 << 20}, b"")
        )
        await asyncio.sleep(0)
        for number, handler in ((1, "bad"), (2, "good")):
            server.noted(
                "notes", {"notes": [["meter", number, "own", handler, "on_batch"], ["begin", number]]}
            )
        assert server.died(1, "worker process: killed\nstack") == "own/bad"
        await server.close()
        await asyncio.wait([waiting], timeout=5)
        assert waiting.done()
        bad, good = host.meters["own", "bad"], host.meters["own", "good"]
        assert (bad.calls, bad.failures, bad.status, bad.detail) == (
            1,
            1,
            "backing_off",
            "worker process: killed",
        )
        assert (good.calls, good.failures) == (1, 0)
        await server.answer("consumer", asked, b"")

    asyncio.run(run())


def test_a_frame_is_small() -> None:
    event = HoldEvent.model_validate({"token_id": "punk/1", "holder_id": "ada", "start": 1000})
    about, body = frame_from_batch(ColumnBatch([event.record()] * 1000, 1, 1000))
    assert len(packed(about, body)) < 1000 * 110

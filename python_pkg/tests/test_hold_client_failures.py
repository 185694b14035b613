"""The client while services and networks fail: nothing is lost or counted twice, errors say what happened.

The kill with -9 needs the binary (HOLDMETRICS_BINARY); the other failures are those of servers in Python.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from certificates import issue_for_localhost
from client_support import PROTOCOLS, Binary, CuttingProxy, python_servers
from poh_holdmetrics import AsyncHoldClient, AsyncTracker, HoldEvent, HoldStat
from poh_holdmetrics.api.answers import Cursor, Page, Question
from poh_holdmetrics.api.hold_service import HoldService
from poh_holdmetrics.api.tls import Tls
from poh_holdmetrics.client import (
    FeedEvent,
    NotAuthorized,
    RequestRefused,
    SendReport,
    ServiceUnavailable,
    grpc_transport,
)
from poh_holdmetrics.errors import InputError, StoreFull
from poh_holdmetrics.validation import Record

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS = [
    HoldEvent(
        token_id=f"t{number % 11}",
        holder_id=f"h{number % 101}",
        at=number * 1000,
        delta=f"{number % 13}.25",
        event_id=f"e{number}",
    )
    for number in range(20_000)
]


async def exact(events: list[HoldEvent]) -> tuple[HoldStat, ...]:
    tracker = AsyncTracker()
    await tracker.record_batch(events)
    return tuple(await tracker.leaderboard(1_000, as_of=AS_OF))


class Scripted(HoldService):
    """Refuses or delays the first calls."""

    def __init__(self, *, full: int = 0, slow: int = 0) -> None:
        super().__init__()
        self._full = full
        self._slow = slow
        self.calls = 0

    async def store(self, records: Sequence[Record]) -> int:
        self.calls += 1
        if self._full >= self.calls:
            raise StoreFull(0, len(records), 0)
        if self._slow >= self.calls:
            await asyncio.sleep(60)
        return await super().store(records)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_is_killed_while_events_are_sent_loses_and_doubles_nothing(
    protocol: str, tmp_path: Path
) -> None:
    binary = Binary(tmp_path)
    kills = 0

    async def sent() -> tuple[SendReport, tuple[HoldStat, ...], list[FeedEvent]]:
        async with AsyncHoldClient(binary.urls[protocol], timeout=5) as client:

            def kill_and_restart() -> None:
                nonlocal kills
                kills += 1
                binary.kill()
                binary.start()

            restarts: list[asyncio.Future[None]] = []

            def progress(report: SendReport) -> None:
                if report.accepted >= 5_000 * (len(restarts) + 1) and len(restarts) < 2:
                    restarts.append(asyncio.ensure_future(asyncio.to_thread(kill_and_restart)))

            feed = client.feed(1)
            followed: list[FeedEvent] = []
            missing = {event.event_id for event in EVENTS}
            report = await client.send(EVENTS, batch=200, progress=progress)
            await asyncio.gather(*restarts)
            board = await client.leaderboard(1_000, as_of=AS_OF)
            while missing:
                followed.append(await anext(feed))
                missing.discard(followed[-1].event.event_id)
                if len(followed) == 3_000:
                    await asyncio.to_thread(kill_and_restart)
            await feed.aclose()
            return report, board.holders, followed

    binary.start()
    try:
        report, holders, followed = asyncio.run(sent())
    finally:
        binary.end()
    assert kills == 3
    assert (report.accepted, report.refused_total, report.durability) == (20_000, 0, "DURABLE")
    assert holders == asyncio.run(exact(EVENTS))
    sequences = [each.sequence for each in followed if not each.is_fact]
    # The feed goes on behind the last event: each number once, in order.
    assert sequences == sorted(set(sequences))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_connections_that_are_cut_within_request_or_answer_are_made_again(protocol: str) -> None:
    async def sent() -> tuple[SendReport, tuple[HoldStat, ...], int]:
        # Within the first request, within a later one, and before the answer is complete.
        cuts = [(500, 10**9), (60_000, 10**9), (10**9, 40), (10**9, 300)]
        async with python_servers() as urls:
            port = int(urls[protocol].rpartition(":")[2])
            async with (
                CuttingProxy(port, cuts) as proxy,
                AsyncHoldClient(f"{protocol}://127.0.0.1:{proxy.port}") as client,
            ):
                report = await client.send(EVENTS[:5_000], batch=500)
                return report, (await client.leaderboard(1_000, as_of=AS_OF)).holders, proxy.cut

    report, holders, cut = asyncio.run(sent())
    assert cut == 4
    assert report.accepted == 5_000
    assert holders == asyncio.run(exact(EVENTS[:5_000]))


def test_a_watch_notices_a_peer_that_is_silent_and_connects_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the end of the connection arrives: a machine lost its power, or a firewall forgot it."""
    frequent = [(name, min(value, 1_100)) for name, value in grpc_transport._KEEPALIVE]
    monkeypatch.setattr(grpc_transport, "_KEEPALIVE", frequent)
    event = HoldEvent(token_id="t", holder_id="ann", start=0, end=1_000)

    async def watched() -> list[str]:
        async with python_servers() as urls:
            port = int(urls["grpc"].rpartition(":")[2])
            async with (
                CuttingProxy(port, []) as proxy,
                AsyncHoldClient(f"grpc://127.0.0.1:{proxy.port}") as client,
                AsyncHoldClient(urls["grpc"]) as other,
                aclosing(client.watch(2, closed_only=True, interval=0.1)) as changes,
            ):
                assert not (await anext(changes)).changed
                proxy.silence()
                await other.send([event])
                async with asyncio.timeout(20):
                    return [stat.holder_id for stat in (await anext(changes)).changed]

    assert asyncio.run(watched()) == ["ann"]


def test_pings_that_come_often_do_not_end_a_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default a server closes the connection at the third ping within five minutes."""
    frequent = [(name, min(value, 1_100)) for name, value in grpc_transport._KEEPALIVE]
    monkeypatch.setattr(grpc_transport, "_KEEPALIVE", frequent)
    calls = 0

    class Counting(HoldService):
        async def page(self, question: Question, after: Cursor | None, size: int) -> Page:
            nonlocal calls
            calls += 1
            return await super().page(question, after, size)

    async def watched() -> None:
        async with (
            python_servers(Counting()) as urls,
            AsyncHoldClient(urls["grpc"]) as client,
            # The service asks for the first page of each connection, and then not again within the hour.
            aclosing(client.watch(2, interval=3_600)) as changes,
        ):
            await anext(changes)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(6):
                    await anext(changes)

    asyncio.run(watched())
    assert calls == 1, "it has connected again"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_full_service_is_asked_again_when_it_says(protocol: str) -> None:
    service = Scripted(full=1)

    async def sent() -> SendReport:
        async with python_servers(service) as urls, AsyncHoldClient(urls[protocol]) as client:
            return await client.send(EVENTS[:10])

    began = time.monotonic()
    assert asyncio.run(sent()).accepted == 10
    assert service.calls == 2
    assert time.monotonic() - began >= 1


def test_429_is_repeated_after_the_time_of_retry_after() -> None:
    answers = [
        b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nready\n",
    ]
    answers.append(answers[0].replace(b": 1\r", b": 9999\r"))
    times = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                times.append(time.monotonic())
                writer.write(answers[len(times) - 1])
        except asyncio.IncompleteReadError:
            writer.close()
            ended.set()

    async def asked() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with AsyncHoldClient(f"http://127.0.0.1:{port}") as client:
            # The second answer is not JSON, which is not repeated.
            with pytest.raises(ServiceUnavailable, match="not that of a holdmetrics service"):
                await client.leaderboard()
            with pytest.raises(ServiceUnavailable, match="429 Too Many Requests") as caught:
                await client.leaderboard()
            assert caught.value.retry_after_seconds == 9999
        await ended.wait()
        server.close()
        await asyncio.sleep(0)

    asyncio.run(asked())
    assert len(times) == 3
    assert times[1] - times[0] >= 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_slow_answer_is_given_up_and_asked_for_again(protocol: str) -> None:
    service = Scripted(slow=1)

    async def sent() -> SendReport:
        async with (
            python_servers(service) as urls,
            AsyncHoldClient(urls[protocol], timeout=0.3) as client,
        ):
            return await client.send(EVENTS[:10])

    assert asyncio.run(sent()).accepted == 10
    assert service.calls == 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_patience_ends_with_a_report_of_what_was_done(protocol: str) -> None:
    service = Scripted()

    async def sent() -> ServiceUnavailable:
        async with AsyncHoldClient(f"{protocol}://127.0.0.1:1", patience=0.5) as client:
            with pytest.raises(ServiceUnavailable) as unreachable:
                await client.leaderboard()
            assert unreachable.value.__cause__ is not None
        async with (
            python_servers(service) as urls,
            AsyncHoldClient(urls[protocol], timeout=0.2, patience=0.5) as client,
        ):

            def slow_down(_: SendReport) -> None:
                service.calls, service._slow = 0, 100

            with pytest.raises(ServiceUnavailable, match="no answer within") as caught:
                await client.send(EVENTS[:300], batch=100, in_flight=1, progress=slow_down)
            return caught.value

    began = time.monotonic()
    error = asyncio.run(sent())
    assert time.monotonic() - began < 10
    assert error.report is not None
    assert error.report.accepted == 100


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_refused_is_not_repeated(protocol: str) -> None:
    asked = 0

    class Counting(HoldService):
        async def holder(self, *_: object) -> str:
            nonlocal asked
            asked += 1
            return "unknown holder: no event names it"

    async def ask() -> None:
        async with python_servers(Counting()) as urls, AsyncHoldClient(urls[protocol]) as client:
            with pytest.raises(LookupError):
                await client.holder("nobody")
            with pytest.raises(RequestRefused):
                await client.leaderboard(10_001)

    asyncio.run(ask())
    assert asked == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_api_key_is_an_argument_or_that_of_the_environment(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys.toml"
    digest = hashlib.sha256(b"secret-key").hexdigest()
    keys.write_text(f'[[key]]\nname = "a"\nscopes = ["write"]\nsha256 = "{digest}"\n', "utf-8")

    async def asked() -> None:
        async with python_servers(keys=keys) as urls:
            async with AsyncHoldClient(urls[protocol]) as client:
                with pytest.raises(NotAuthorized, match="key"):
                    await client.send(EVENTS[:1])
            async with AsyncHoldClient(urls[protocol], api_key="secret-key") as client:
                assert (await client.send(EVENTS[:1])).accepted == 1
                with pytest.raises(NotAuthorized, match="read"):
                    await client.leaderboard()
            monkeypatch.setenv("HOLDMETRICS_API_KEY", "secret-key")
            async with AsyncHoldClient(urls[protocol]) as client:
                assert (await client.send(EVENTS[:1])).accepted == 1

    asyncio.run(asked())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tls_checks_the_server_and_shows_the_certificate_of_the_client(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, key = issue_for_localhost(tmp_path)
    # A proxy of the environment is not asked for what is on this machine.
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def asked() -> None:
        async with python_servers(tls=Tls(chain, key, chain)) as urls:
            async with AsyncHoldClient(urls[protocol], ca=chain, certificate=chain, key=key) as client:
                assert (await client.send(EVENTS[:1])).accepted == 1
            async with AsyncHoldClient(urls[protocol], patience=5) as client:
                began = time.monotonic()
                with pytest.raises(ServiceUnavailable):
                    await client.send(EVENTS[:1])
                # Who the server is does not change by asking again; gRPC does not say why it failed.
                assert protocol == "grpc" or time.monotonic() - began < 2
        with pytest.raises(InputError, match="cannot be used as PEM"):
            await AsyncHoldClient(urls[protocol], ca=tmp_path / "absent").ready()

    asyncio.run(asked())


def test_pages_that_the_service_no_longer_keeps_are_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The token stays the same, and so would the answer."""
    calls = 0

    async def gone(transport: grpc_transport.GrpcTransport, *_: object) -> None:
        nonlocal calls
        calls += 1
        nothing = grpc.aio.Metadata()
        with transport._errors():
            raise grpc.aio.AioRpcError(grpc.StatusCode.ABORTED, nothing, nothing, "page_token: gone", None)

    async def refused() -> str:
        async with AsyncHoldClient("grpc://127.0.0.1:1", patience=5) as client:
            with pytest.raises(RequestRefused, match="page_token: gone") as caught:
                await anext(client.stats())
            return caught.value.code

    monkeypatch.setattr(grpc_transport.GrpcTransport, "page", gone)
    assert (asyncio.run(refused()), calls) == ("ABORTED", 1)

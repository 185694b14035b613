"""The client against both kinds of service over both protocols: the same calls, the same answers.

The binary takes part if HOLDMETRICS_BINARY names it. Failures of service and network are in
`test_hold_client_failures`.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from client_support import PROTOCOLS, SERVED, addresses, python_servers
from conftest import REPOSITORY
from poh_holdmetrics import (
    AsyncHoldClient,
    AsyncTracker,
    HoldClient,
    HoldEvent,
    HoldMetricsError,
    HoldStat,
    Transfer,
)
from poh_holdmetrics.client import (
    ClientError,
    FeedEvent,
    Leaderboard,
    NotFound,
    RefusedEvent,
    RequestRefused,
    SendReport,
)
from poh_holdmetrics.errors import InputError

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
#: An id that needs escapes in JSON, in a path and in the lines of a feed.
ODD = 'o/d d"é\u2028%'
EVENTS: list[Any] = [
    HoldEvent(token_id="gold", holder_id="ann", start=0, end=5000, weight="2.5"),
    {"token_id": "gold", "holder_id": "bob"},
    {"token_id": "gold", "from_id": "ann", "to_id": "bob", "at": 1000, "amount": "0.5", "event_id": "e"},
    Transfer(token_id="gold", to_id="carl", at=2000, amount=1, event_id="mint"),
    {"token_id": "gold", "holder_id": "x" * 257, "start": 0},
    {"token_id": "gold", "holder_id": "bob", "start": 0, "colour": "red"},
    HoldEvent(token_id="odd", holder_id=ODD, start="2025-12-31T00:00:00.000001Z", weight="1e-18"),
    HoldEvent(token_id="odd", holder_id=ODD, start="2025-01-01T00:00:00Z", event_id="r", weight=0, seq=3),
    HoldEvent(token_id="odd", holder_id="gone", start=0, end=9, event_id="f"),
    HoldEvent(token_id="odd", holder_id="gone", event_id="f", revision=1, retract=True),
    HoldEvent(token_id="odd", holder_id=ODD, end="2025-12-31T12:00:00Z"),
    HoldEvent(token_id="odd", holder_id="dora", at="1970-01-01T00:00:00Z", delta="3", event_id="d"),
]
REFUSED = [
    RefusedEvent(1, "start", "start, end: neither is given (an event has a start, an end, or both)"),
    RefusedEvent(4, "holder_id", "holder_id: 257 bytes, the maximum is 256"),
    RefusedEvent(5, "colour", "colour: Extra inputs are not permitted"),
]


async def answers(client: AsyncHoldClient) -> dict[str, Any]:
    """What every query answers about `EVENTS`."""
    board = await client.leaderboard(as_of=AS_OF)
    assert board.sequence
    reports = [await client.holder(stat.holder_id, as_of=AS_OF) for stat in board.holders]
    return {
        "board": replace(board, sequence=0),
        "window": replace(
            await client.leaderboard(2, as_of=AS_OF, from_="2025-12-31", token="odd"), sequence=0
        ),
        "closed": replace(await client.leaderboard(as_of=AS_OF, closed_only=True), sequence=0),
        "reports": [replace(report, sequence=0) for report in reports],
        "stats": [stat async for stat in client.stats(page_size=2, as_of=AS_OF)],
        "deficits": [each async for each in client.deficits(page_size=1, as_of=AS_OF)],
        "of gold": [each async for each in client.deficits(token="gold")],
        "ready": await client.ready(),
    }


def test_rounds_are_sealed_and_read_over_both_protocols(tmp_path: Path) -> None:
    ann, bob = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "0x1111111111111111111111111111111111111111"

    async def asked() -> None:
        async with addresses("binary", tmp_path) as urls:
            async with AsyncHoldClient(urls["http"]) as http, AsyncHoldClient(urls["grpc"]) as grpc:
                await http.send(
                    [
                        HoldEvent(token_id="T", holder_id=each, start=0, end=n)
                        for each, n in ((ann, 3), (bob, 1))
                    ]
                )
                sealed = await grpc.seal_round(
                    "july", pool="1", decimals=2, as_of=AS_OF, cap="0.7", exclude=["treasury"]
                )
                assert (sealed.sum, sealed.recipients, sealed.sequence) == (100, 2, 2)
                again = await http.seal_round(
                    "july", pool=Decimal(1), decimals=2, as_of=AS_OF, cap="0.70", exclude=["treasury"]
                )
                assert again == sealed == await http.round("july") == await grpc.round("july")
                assert await http.rounds() == await grpc.rounds() == [replace(sealed, manifest=None)]
                august = await http.seal_round("august", pool="2", decimals=2, as_of=AS_OF)
                for client in (http, grpc):
                    listed = await client.rounds(page_size=1)
                    assert [each.id for each in listed] == [sealed.id, august.id]
                proof = await http.round_proof("july", ann.lower())
                assert proof == await grpc.round_proof("july", ann)
                assert (proof.value, proof.amount, proof.root) == ((ann, "70"), 70, sealed.root)
                for client in (http, grpc):
                    with pytest.raises(RequestRefused, match="sealed with other options"):
                        await client.seal_round("july", pool="2", decimals=2)
                    with pytest.raises(NotFound, match="there is no round"):
                        await client.round("june")
                    with pytest.raises(NotFound, match="no amount in this round"):
                        await client.round_proof("july", "0x2222222222222222222222222222222222222222")
            with HoldClient(urls["http"]) as waiting:
                assert waiting.round("july") == sealed
                assert waiting.round_proof("july", bob).amount == 30

    asyncio.run(asked())


def test_both_protocols_and_both_servers_give_the_same_results(tmp_path: Path) -> None:
    async def asked(kind: str, protocol: str, folder: Path) -> tuple[SendReport, dict[str, Any]]:
        async with addresses(kind, folder) as urls, AsyncHoldClient(urls[protocol]) as client:
            return await client.send(EVENTS), await answers(client)

    found = []
    for kind, protocol in SERVED:
        folder = tmp_path / f"{kind} {protocol}"
        folder.mkdir()
        try:
            found.append((kind, asyncio.run(asked(kind, protocol, folder))))
        except pytest.skip.Exception:
            assert kind == "binary"
    first = found[0][1][1]
    for kind, (report, given) in found:
        assert report.accepted == 9
        assert (report.refused, report.refused_total) == (REFUSED, 3)
        assert report.durability == {"python": "BUFFERED", "binary": "DURABLE"}[kind]
        assert given == first
    board: Leaderboard = first["board"]
    assert first["stats"] == list(board.holders)
    assert [stat.holder_id for stat in board.holders][:1] == ["dora"]
    assert (board.as_of, board.from_, board.deficits) == (AS_OF, None, 1)
    assert [deficit.balance for deficit in first["deficits"]] == [Decimal("-0.5")]
    odd = next(report for report in first["reports"] if report.stat.holder_id == ODD)
    # The sixth event is the mark of weight 1e-18, the seventh begins one of weight 0.
    assert Decimal(odd.stat.score) == Decimal("43199.999999") * Decimal("1e-18")
    assert odd.tokens[0].segments[-1].end == datetime(2025, 12, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(("kind", "protocol"), SERVED)
def test_large_and_lazy_iterables_are_sent_in_batches(kind: str, protocol: str, tmp_path: Path) -> None:
    taken = 0

    def generated() -> Iterator[HoldEvent]:
        nonlocal taken
        for number in range(2_500):
            taken += 1
            yield HoldEvent(token_id="t", holder_id=f"h{number % 7}", start=number, end=number + 10_000)

    async def streamed() -> AsyncIterator[HoldEvent]:
        for event in generated():
            yield event

    async def exact() -> list[HoldStat]:
        tracker = AsyncTracker()
        await tracker.record_batch(generated())
        return await tracker.leaderboard(100, as_of=AS_OF)

    reports: list[tuple[int, int]] = []

    async def sent() -> tuple[SendReport, SendReport, Leaderboard]:
        async with addresses(kind, tmp_path) as urls, AsyncHoldClient(urls[protocol]) as client:
            one = await client.send(
                generated(),
                batch=100,
                in_flight=2,
                progress=lambda so_far: reports.append((taken, so_far.accepted)),
            )
            return one, await client.send(streamed()), await client.leaderboard(as_of=AS_OF)

    first, again, board = asyncio.run(sent())
    assert first.accepted == again.accepted == 2_500
    # Of what was taken at most the batches in flight and the one that waits are not acknowledged.
    assert all(ahead - accepted <= 300 for ahead, accepted in reports)
    assert len(reports) == 25
    assert board.holders == tuple(asyncio.run(exact()))


@pytest.mark.parametrize(("kind", "protocol"), SERVED)
def test_errors_are_of_one_tree_with_the_sentence_of_the_service(
    kind: str, protocol: str, tmp_path: Path
) -> None:
    async def asked() -> list[ClientError]:
        found = []
        async with addresses(kind, tmp_path) as urls, AsyncHoldClient(urls[protocol]) as client:
            for call in (
                client.holder("nobody"),
                client.leaderboard(10_001),
                client.leaderboard(policy="none"),
            ):
                with pytest.raises(ClientError) as caught:
                    await call
                found.append(caught.value)
        return found

    absent, invalid, policy = asyncio.run(asked())
    assert isinstance(absent, NotFound)
    assert absent.sentence == "holder_id: unknown holder: no event names it"
    assert absent.code == {"http": "404", "grpc": "NOT_FOUND"}[protocol]
    assert isinstance(invalid, RequestRefused)
    assert invalid.field == {"http": "limit", "grpc": "n"}[protocol]
    assert isinstance(policy, RequestRefused)
    assert policy.field == "policy"
    assert isinstance(policy, HoldMetricsError)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_feed_and_the_watch_follow_what_is_sent(protocol: str, tmp_path: Path) -> None:
    async def followed() -> tuple[list[FeedEvent], list[FeedEvent], list[FeedEvent], Any, Any]:
        async with addresses("binary", tmp_path) as urls, AsyncHoldClient(urls[protocol]) as client:
            await client.send(EVENTS)
            everything = [each async for each in client.feed("beginning", follow=False)]
            watch = client.watch(3, closed_only=True, interval=0.1)
            first = await anext(watch)
            feed = client.feed("now", token="new*")
            waiting = asyncio.ensure_future(anext(feed))
            numbered = [HoldEvent(token_id=f"new{n}", holder_id="eve", start=0, end=10**12) for n in range(3)]
            while not waiting.done():
                await client.send(numbered)
                await asyncio.wait([waiting], timeout=0.2)
            second = await anext(watch)
            arrived = [await waiting]
            for stream in (feed, watch):
                await stream.aclose()
            odd = [each async for each in client.feed(arrived[0].sequence, holder="eve", follow=False)]
            return everything, arrived, odd, first, second

    everything, arrived, since, first, second = asyncio.run(followed())
    assert {each.event.holder_id for each in everything} >= {ODD, "ann", "bob", "carl", "dora"}
    assert {each.event for each in everything} >= {EVENTS[0], *EVENTS[3].changes(), EVENTS[6]}
    assert arrived[0].event.token_id.startswith("new")
    assert {each.event.token_id for each in since} == {"new0", "new1", "new2"}
    assert "eve" not in {stat.holder_id for stat in first.holders}
    assert first.changed == first.holders
    assert [stat.holder_id for stat in second.changed][:1] == ["eve"]
    assert len(second.holders) == 3
    assert second.left


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_feed_of_the_python_servers_says_that_they_have_none(protocol: str) -> None:
    async def asked() -> None:
        async with python_servers() as urls, AsyncHoldClient(urls[protocol]) as client:
            with pytest.raises(NotFound, match=r"main_holdmetrics serve; the Python server does not have it"):
                await anext(client.feed())

    asyncio.run(asked())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_client_without_await_works_while_a_loop_runs(protocol: str) -> None:
    def calls(url: str) -> tuple[SendReport, list[str], Leaderboard, bool]:
        with HoldClient(url) as client:
            report = client.send(event for event in EVENTS)
            names = [stat.holder_id for stat in client.stats(page_size=2, as_of=AS_OF)]
            change = next(client.watch(2))
            assert len(change.holders) == 2
            assert next(client.deficits()).holder_id == "ann"
            assert client.holder("bob").stat.holder_id == "bob"
            return report, names, client.leaderboard(as_of=AS_OF), client.ready()

    async def within() -> tuple[SendReport, list[str], Leaderboard, bool]:
        async with python_servers() as urls:
            return await asyncio.to_thread(calls, urls[protocol])

    async def notebook(url: str) -> bool:
        """As a cell does: a coroutine, because a loop runs while the client is called."""
        with HoldClient(url, timeout=0.5) as client:
            return client.ready()

    report, names, board, is_ready = asyncio.run(within())
    assert (report.accepted, report.refused) == (9, REFUSED)
    assert names == [stat.holder_id for stat in board.holders]
    assert is_ready
    assert not asyncio.run(notebook(f"{protocol}://127.0.0.1:1"))


def test_the_snippet_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (REPOSITORY / "docs" / "client.md").read_text("utf-8")
    snippet = page.partition("```python\n")[2].partition("```")[0]

    def calls(url: str) -> None:
        exec(compile(snippet.replace("http://127.0.0.1:8000", url), "client.md", "exec"), {})  # noqa: S102

    async def served() -> None:
        async with python_servers() as urls:
            await asyncio.to_thread(calls, urls["http"])

    asyncio.run(served())
    assert capsys.readouterr().out == "2 0 BUFFERED\n1 ann 172800\n2 bob 86400\n"


def test_a_closed_client_and_wrong_arguments_name_the_cure() -> None:
    client = HoldClient("http://127.0.0.1:1")
    client.close()
    with pytest.raises(InputError, match="client: closed; make a new one"):
        client.ready()
    for url, problem in (
        ("127.0.0.1:8000", "url: expected http://HOST:PORT"),
        ("ftp://host", "url: expected http://HOST:PORT"),
        ("grpc://host", "url: expected grpc://HOST:PORT"),
        ("http://a:b@host", "url: a password in the address is not used; give api_key"),
        ("http://host:99999", "url: expected"),
    ):
        with pytest.raises(InputError, match=problem):
            AsyncHoldClient(url)
    with pytest.raises(InputError, match="begin the address with grpcs://"):
        AsyncHoldClient("grpc://host:1", ca="ca.pem")
    with pytest.raises(InputError, match="certificate, key: one is missing"):
        AsyncHoldClient("https://host", certificate="cert.pem")
    with pytest.raises(InputError, match="api_key: contains blanks"):
        AsyncHoldClient("https://host", api_key="a b")
    with pytest.raises(InputError, match="timeout: must be more than 0"):
        AsyncHoldClient("https://host", timeout=0)

    async def asked() -> None:
        async with AsyncHoldClient("http://127.0.0.1:1") as client:
            with pytest.raises(InputError, match="batch: must be from 1 to 1000"):
                await client.send([], batch=0)
            with pytest.raises(InputError, match="start: expected a number from 1"):
                await anext(client.feed(0))
            with pytest.raises(InputError, match="events: expected HoldEvent, Transfer or dict"):
                await client.send([5])  # type: ignore[list-item]
            with pytest.raises(InputError, match="token: empty"):
                await client.leaderboard(token="")
            with pytest.raises(InputError, match="policy: a report of one holder has none"):
                await client.holder("ann", policy="p")

    asyncio.run(asked())


@pytest.mark.parametrize("missing", ["httpx", "grpc"])
def test_a_missing_package_is_named_with_the_command(missing: str, python: str) -> None:
    url = {"httpx": "http://h:1", "grpc": "grpc://h:1"}[missing]
    extra = {"httpx": "client", "grpc": "grpc"}[missing]
    script = f"import sys; sys.modules[{missing!r}] = None\nfrom poh_holdmetrics import HoldClient\n"
    done = subprocess.run(
        [python, "-c", f"{script}HoldClient({url!r})"], capture_output=True, text=True, check=False
    )
    assert f"pip install 'poh-holdmetrics[{extra}]'" in done.stderr.splitlines()[-1]

"""The servers in Python alone answer as the binary does: JSON and protobuf, field by field, for every case.

Without a binary ($HOLDMETRICS_BINARY) the Python servers are held against the expected answers of the cases
alone. What differs on purpose is not compared: the text of a page token, and why a text is not JSON.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from conftest import REPOSITORY, SHARED
from poh_holdmetrics import instants
from poh_holdmetrics.api.access import Access
from poh_holdmetrics.api.addresses import Address
from poh_holdmetrics.api.hold_service import HoldService
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.input_options import FIELDS
from poh_holdmetrics.row_reader import is_blank, records_from_json, values_from_json

for module in ("grpc", "grpc_health", "grpc_reflection"):
    pytest.importorskip(module, reason=f"{module} is not installed (extra grpc)")
for module in ("fastapi", "uvicorn"):
    pytest.importorskip(module, reason=f"{module} is not installed (extra http)")

import grpc  # noqa: E402
from google.protobuf.empty_pb2 import Empty  # noqa: E402

from poh_holdmetrics.api.grpc_events import timestamp_from_us  # noqa: E402
from poh_holdmetrics.api.grpc_server import GrpcServer  # noqa: E402
from poh_holdmetrics.api.http_server import HttpServer  # noqa: E402
from poh_holdmetrics.protocols import hold_pb2 as pb  # noqa: E402
from poh_holdmetrics.protocols import hold_pb2_grpc  # noqa: E402

BINARY = os.environ.get("HOLDMETRICS_BINARY")
FOLDERS = [
    REPOSITORY / "tests" / "cases",
    SHARED / "conformance" / "cases",
    SHARED / "conformance" / "cases-2",
]
#: Each case costs a process of the binary; of the shared ones a part is enough to compare protocols.
CASES = [
    path
    for folder in FOLDERS
    if folder.is_dir()
    for path in sorted(folder.iterdir())[:: 1 if folder is FOLDERS[0] else 8]
    if (path / "query.json").is_file()
]
if not CASES:
    pytest.skip("the cases are in the repository, not in the package", allow_module_level=True)

KEPT_HEADERS = ("content-type", "cache-control", "x-content-type-options", "www-authenticate")
REFUSED = [
    "/leaderboard?limit=0",
    "/leaderboard?n=1&limit=2",
    "/leaderboard?nn=1",
    "/leaderboard?as_of=2025-07-21T09:00+09",
    "/leaderboard?as_of=yesterday",
    "/leaderboard?closed_only=yes",
    "/stats?token_id=",
    "/stats?holder=%FF",
    "/stats?page_token=AAAA",
    "/deficits?page_token=AAAA&limit=5",
    "/deficits?from=1",
    "/holders/nobody",
    "/holders/nobody?token_id=T",
    "/holders/%FF",
    "/nope",
    "/hold",
]
BODIES = [
    b"",
    b"[]",
    b"5",
    b"{",
    b'{"token_id":"t"}',
    b'{"token_id":"t","holder_id":"h"}',
    b'{"token_id":"t","holder_id":"h","start":"2025-07-21","end":1}',
    b'{"token_id":"t","holder_id":"h","start":2,"end":1}',
    b'{"token_id":"t","holder_id":"h","start":2,"weight":-1}',
    b'{"token_id":"t","holder_id":"h","start":2,"revision":1}',
    b'{"token_id":"t","holder_id":"h","start":4102444800000}',
    b'{"token_id":"t","holder_id":"h","at":1,"delta":1}',
    b'{"token_id":"t","amount":1}',
    b'{"token_id":"t","to_id":"h","at":1,"amount":1,"event_id":"e","start":1}',
    b'{"token_id":"t","to_id":"' + b"h" * 257 + b'","at":1,"amount":1,"event_id":"e"}',
    b' [ {"token_id":"t","holder_id":"\\u00e9/x","start":0} , 5, [1, "a"], {}, {"token_id":7,"at":1}]',
]


class Served:
    """A service over the network, whatever it is written in."""

    def __init__(self, http: str, channel: Any) -> None:
        self._http = http
        self.stub: Any = hold_pb2_grpc.HoldMetricsStub(channel)  # type: ignore[no-untyped-call]

    async def ask(
        self,
        path: str,
        body: bytes | None = None,
        media_type: str = "application/json",
        authorization: str | None = None,
    ) -> Any:
        """The status, some headers and the document."""
        headers = {"content-type": media_type}
        headers |= {} if authorization is None else {"authorization": authorization}
        return await asyncio.to_thread(self._ask, path, body, headers)

    def _ask(self, path: str, body: bytes | None, given: dict[str, str]) -> Any:
        request = Request(f"http://{self._http}{path}", body, given)
        try:
            with urlopen(request, timeout=30) as answer:  # noqa: S310
                status, headers, text = answer.status, answer.headers, answer.read()
        except HTTPError as error:
            with error:
                status, headers, text = error.code, error.headers, error.read()
        kept = {name: headers[name] for name in KEPT_HEADERS}
        return status, kept, comparable(json.loads(text)) if text.startswith(b"{") else text.decode()


def comparable(value: Any) -> Any:
    """A document without what differs on purpose."""
    if isinstance(value, list):
        return [comparable(each) for each in value]
    if isinstance(value, dict):
        known = {name: comparable(each) for name, each in value.items()}
        if "next_page_token" in known:
            known["next_page_token"] = known["next_page_token"] is not None
        return known
    if isinstance(value, str):
        # The two services are asked one after the other, perhaps in different seconds.
        return re.sub(r"not JSON: .*", "not JSON", re.sub(r"\d+ s ahead", "N s ahead", value))
    return value


@asynccontextmanager
async def python_service(keys: Path | None = None) -> AsyncIterator[Served]:
    service, access = HoldService(), Access(keys)
    loopback = Address("127.0.0.1", 0)
    async with (
        GrpcServer(service, loopback, access=access) as by_grpc,
        HttpServer(service, loopback, access=access) as by_http,
        grpc.aio.insecure_channel(f"127.0.0.1:{by_grpc.port}") as channel,
    ):
        yield Served(f"127.0.0.1:{by_http.port}", channel)


@asynccontextmanager
async def binary_service(keys: Path | None = None) -> AsyncIterator[Served]:
    assert BINARY is not None
    arguments = ["serve", "--ephemeral", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"]
    arguments += [] if keys is None else ["--api-key-file", str(keys)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(BINARY, *arguments, stdout=pipe)
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        found = re.fullmatch(r"listening: grpc=(\S+) http=(\S+)\n", line)
        assert found, line
        async with grpc.aio.insecure_channel(found[1]) as channel:
            yield Served(found[2], channel)
    finally:
        process.terminate()
        assert await process.wait() == 0


async def compared(ask: Any, keys: Path | None = None) -> Any:
    """What `ask` makes of the Python service; equal to what it makes of the binary, if there is one."""
    async with AsyncExitStack() as stack:
        own = await ask(await stack.enter_async_context(python_service(keys)))
        if BINARY is not None:
            other = await ask(await stack.enter_async_context(binary_service(keys)))
            different = [pair for pair in zip(own, other, strict=True) if pair[0] != pair[1]]
            assert not different
        return own


def message_of(line: bytes) -> pb.HoldMsg | pb.TransferMsg | None:
    """The message that a client would make of a line; None if it states no event."""
    try:
        record = records_from_json(line)[0]
    except Refused:
        return None
    values = dict(zip(FIELDS, values_from_json(line), strict=True))
    given = {name: str(values[name]) for name in ("weight", "delta", "amount") if values[name] is not None}
    fields: dict[str, Any] = {f"{name}_text": text for name, text in given.items()}
    times = {"start": record.start_us, "end": record.end_us, "at": record.at_us}
    fields |= {name: timestamp_from_us(us) for name, us in times.items() if us is not None}
    fields |= {"revision": record.revision, "retract": record.retract, "seq": record.seq}
    if record.event_id is not None:
        fields["event_id"] = record.event_id
    ids: dict[str, Any] = {
        name: str(values[name] or "") for name in ("token_id", "holder_id", "from_id", "to_id")
    }
    if not any(values[name] is not None for name in ("from_id", "to_id", "amount")):
        return pb.HoldMsg(token_id=ids["token_id"], holder_id=ids["holder_id"], **fields)
    del ids["holder_id"]
    return pb.TransferMsg(**ids, **fields)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_case_is_answered_in_both_protocols_as_the_binary_answers_it(case: Path) -> None:
    query = json.loads((case / "query.json").read_text("utf-8"))
    body = (case / "events.jsonl").read_bytes()
    expected = json.loads((case / "expected.json").read_text("utf-8"))
    messages = [message_of(line) for line in body.split(b"\n") if not is_blank(line)]
    as_of_us, from_us = query["as_of"] * 1000, None if query["from"] is None else query["from"] * 1000
    closed = str(query["closed_only"]).lower()
    asked_window = f"as_of={query['as_of']}&closed_only={closed}"
    asked_window += "" if from_us is None else f"&from={query['from']}"
    window = pb.Window(as_of=timestamp_from_us(as_of_us), closed_only=query["closed_only"])
    if from_us is not None:
        getattr(window, "from").CopyFrom(timestamp_from_us(from_us))
    holders = [row["holder_id"] for row in expected["holders"]][:3]
    token = next((each.token_id for each in messages if each is not None), "T")

    async def ask(served: Served) -> list[Any]:
        found = [await served.ask("/hold", body, "application/x-ndjson")]
        paths = (
            f"/leaderboard?limit=10000&{asked_window}",
            f"/leaderboard?limit=2&token={quote(token, safe='')}&{asked_window}",
            f"/stats?limit=1&{asked_window}",
            f"/deficits?as_of={query['as_of']}",
            *(f"/holders/{quote(holder_id, safe='')}?{asked_window}" for holder_id in holders),
            *(f"/stats?holder_id={quote(holder_id, safe='')}&{asked_window}" for holder_id in holders),
        )
        found += [await served.ask(path) for path in paths]
        stub = served.stub
        events = [each for each in messages if isinstance(each, pb.HoldMsg)]
        transfers = [each for each in messages if isinstance(each, pb.TransferMsg)]
        found += [ack async for ack in stub.Broadcast(iter(events))]
        found += [ack async for ack in stub.BroadcastTransfers(iter(transfers))]
        for stat in [stat async for stat in stub.Stats(Empty())]:
            stat.ClearField("updated_at")
            found.append(stat)
        snapshot = await stub.GetSnapshot(pb.GetSnapshotRequest(window=window, page_size=1))
        found += [bool(snapshot.next_page_token)]
        snapshot.ClearField("next_page_token")
        found += [
            snapshot,
            await stub.GetLeaderboard(pb.GetLeaderboardRequest(window=window, token_id=token)),
            await stub.GetDeficits(pb.GetDeficitsRequest(as_of=window.as_of)),
        ]
        for holder_id in holders:
            found.append(await stub.GetHolder(pb.GetHolderRequest(holder_id=holder_id, window=window)))
            found.append(await stub.GetSnapshot(pb.GetSnapshotRequest(holder_id=holder_id, window=window)))
        return found

    stored, leaderboard, *_ = asyncio.run(compared(ask))
    assert (stored[2]["accepted"], stored[2]["durability"]) == (expected["accepted"], "BUFFERED")
    assert [each["line"] for each in stored[2]["refused"]] == [each["line"] for each in expected["rejected"]]
    rows = [{**row, "total_seconds": row["held_us"] // 1_000_000} for row in expected["holders"]]
    assert leaderboard[2]["holders"] == rows[:10_000]
    assert leaderboard[2]["deficits"] == expected.get("deficits", 0)
    assert leaderboard[2]["as_of"] == instants.text_from_us(as_of_us)


def test_requests_are_refused_as_the_binary_refuses_them() -> None:
    async def ask(served: Served) -> list[Any]:
        found = [await served.ask(path) for path in REFUSED]
        found += [await served.ask("/hold", body) for body in BODIES]
        found += [await served.ask("/transfers", body, "text/plain") for body in BODIES[:1]]
        return found

    answers = asyncio.run(compared(ask))
    assert all(status >= 400 for status, _, _ in answers[: len(REFUSED)])
    assert [status for status, _, _ in answers[len(REFUSED) :]] == [400, 200, *[400] * 13, 200, 415]


def test_calls_are_refused_as_the_binary_refuses_them() -> None:
    late = {"seconds": 4_102_444_800}
    calls: list[tuple[str, Any]] = [
        ("Record", pb.HoldMsg()),
        ("Record", pb.HoldMsg(token_id="t", holder_id="h")),
        ("Record", pb.HoldMsg(token_id="t", holder_id="h", start={"nanos": -1})),
        ("Record", pb.HoldMsg(token_id="t", holder_id="h", start={"seconds": 2**62})),
        ("Record", pb.HoldMsg(token_id="t", holder_id="h", start={}, weight=float("nan"))),
        ("Record", pb.HoldMsg(token_id="t", holder_id="h", start={}, weight_text="1,5")),
        ("Record", pb.HoldMsg(token_id="t", holder_id="h", start={}, weight=1, weight_text="1")),
        ("Record", pb.HoldMsg(token_id="t", holder_id="h", start={}, event_id="")),
        ("Record", pb.HoldMsg(token_id="t", holder_id="h", start={}, retract=True)),
        ("Record", pb.HoldMsg(token_id="t", holder_id="h", start={}, event_id="e", revision=2**63)),
        ("Record", pb.HoldMsg(token_id="t", holder_id="h", start={}, seq=2**63)),
        ("Record", pb.HoldMsg(token_id="t", holder_id="h", at={}, delta=1)),
        ("RecordTransfer", pb.TransferMsg()),
        ("RecordTransfer", pb.TransferMsg(token_id="t")),
        ("RecordTransfer", pb.TransferMsg(token_id="t", to_id="h", event_id="e", at={}, amount=-1)),
        ("GetSnapshot", pb.GetSnapshotRequest(page_size=10_001)),
        ("GetSnapshot", pb.GetSnapshotRequest(page_token="AAAA")),
        ("GetSnapshot", pb.GetSnapshotRequest(window={"as_of": {"nanos": -1}})),
        ("GetLeaderboard", pb.GetLeaderboardRequest(n=10_001)),
        ("GetHolder", pb.GetHolderRequest()),
        ("GetHolder", pb.GetHolderRequest(holder_id="h")),
        ("GetDeficits", pb.GetDeficitsRequest(as_of={"seconds": 2**62})),
    ]
    rows = pb.HoldBatch(
        token_id=["t"], holder_id=["a", "", "b"], start_us=[1, 1, 2**62], weight_text=["", "", "x"]
    )
    batches = [rows, pb.HoldBatch(token_id=["t"] * 2, holder_id=["a"] * 3), pb.HoldBatch()]

    async def ask(served: Served) -> list[Any]:
        found: list[Any] = []
        for name, message in calls:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await getattr(served.stub, name)(message)
            error = caught.value
            metadata: Any = error.trailing_metadata()
            details = dict(tuple(metadata)).get("grpc-status-details-bin")
            found.append((name, error.code(), error.details(), details))
        for request in (
            pb.WatchRequest(n=1_001),
            pb.WatchRequest(interval={"nanos": 99_999_999}),
            pb.WatchRequest(interval={"seconds": 3_600, "nanos": 1}),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await anext(aiter(served.stub.Watch(request)))
            found.append((caught.value.code(), caught.value.details()))
        # The clocks differ by less than a second, if at all.
        with pytest.raises(grpc.aio.AioRpcError, match="ahead of the server's clock, the maximum is 300 s"):
            await served.stub.Record(pb.HoldMsg(token_id="t", holder_id="h", start=late))
        found += [ack async for ack in served.stub.BroadcastBatch(iter(batches))]
        return found

    found = asyncio.run(compared(ask))
    assert len(found) == len(calls) + 3 + len(batches)


def test_changes_are_watched_as_the_binary_shows_them() -> None:
    def hold(holder_id: str, seconds: int, of: str = "t") -> pb.HoldMsg:
        times: dict[str, Any] = {"start": {"seconds": 0}, "end": {"seconds": seconds}}
        return pb.HoldMsg(token_id=of, holder_id=holder_id, **times)

    debit = pb.HoldMsg(token_id="t", holder_id="z", at={"seconds": 1}, delta=-1, event_id="e")

    async def ask(served: Served) -> list[Any]:
        stub = served.stub
        request = pb.WatchRequest(token_id="t", n=2, interval={"nanos": 100_000_000}, closed_only=True)
        changes = aiter(stub.Watch(request))
        found = [await anext(changes)]
        # The event of another token changes nothing, and is told with the next change.
        for events in ([hold("a", 10)], [hold("c", 5, "u"), hold("b", 20)], [hold("c", 30)], [debit]):
            for event in events:
                await stub.Record(event)
            found.append(await anext(changes))
        for change in found:
            assert change.HasField("as_of")
            change.ClearField("as_of")
        return found

    found = asyncio.run(compared(ask))
    rows = [[(row.rank, row.holder_id) for row in change.changed] for change in found]
    assert rows == [[], [(1, "a")], [(1, "b"), (2, "a")], [(1, "c"), (2, "b")], []]
    assert [list(change.left) for change in found] == [[], [], [], ["a"], []]
    assert [change.deficits for change in found] == [0, 0, 0, 0, 1]


def test_callers_are_admitted_and_refused_as_the_binary_does(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    entries = [
        f'[[key]]\nname = "{name}"\nscopes = ["{scope}"]\nsha256 = "{hashlib.sha256(key).hexdigest()}"\n'
        for name, scope, key in (("r\u00e9ader", "read", b"reader"), ("writer", "write", b"writer"))
    ]
    keys.write_text("".join(entries), "utf-8")
    event = b'{"token_id":"t","holder_id":"h","start":0,"end":1000}'

    async def code(stub: Any, name: str, message: Any, key: str | None) -> Any:
        metadata = () if key is None else (("authorization", key),)
        call = getattr(stub, name)(message, metadata=metadata)
        try:
            return [stat.holder_id async for stat in call] if name == "Stats" else await call
        except grpc.aio.AioRpcError as error:
            kept: Any = error.trailing_metadata()
            return error.code(), error.details(), dict(tuple(kept)).get("grpc-status-details-bin")

    async def ask(served: Served) -> list[Any]:
        found = []
        for key in (None, "Bearer", "Basic reader", "Bearer nobody", "bearer  reader ", "Bearer writer"):
            for path in ("/stats", "/deficits", "/nope", "/healthz", "/readyz"):
                status, kept, document = await served.ask(path, authorization=key)
                found.append((status, kept, document if status >= 400 else None))
            found.append(await served.ask("/hold", event, authorization=key))
            message = pb.HoldMsg(token_id="t", holder_id="h", start={"seconds": 0})
            found.append(await code(served.stub, "Record", message, key))
            found.append(await code(served.stub, "Stats", Empty(), key))
        return found

    found = asyncio.run(compared(ask, keys))
    rounds = [found[at : at + 8] for at in range(0, len(found), 8)]
    statuses = [[answer[0] for answer in each[:6]] for each in rounds]
    denied = [401, 401, 401, 200, 200, 401]
    assert statuses == [denied] * 4 + [[200, 200, 404, 200, 200, 403], [403, 403, 404, 200, 200, 200]]
    assert [each[6][0] for each in rounds[:5]] == [grpc.StatusCode.UNAUTHENTICATED] * 4 + [
        grpc.StatusCode.PERMISSION_DENIED
    ]
    assert rounds[5][6].accepted == 1
    assert rounds[4][7] == [""]

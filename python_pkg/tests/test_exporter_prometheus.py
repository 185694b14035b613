"""What Prometheus sees of the servers in Python alone: the names of the binary, and exact figures."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("prometheus_client", reason="prometheus_client is not installed (extra prometheus)")
pytest.importorskip("fastapi", reason="fastapi is not installed (extra http)")
grpc = pytest.importorskip("grpc", reason="grpcio is not installed (extra grpc)")
pytest.importorskip("grpc_health", reason="grpcio-health-checking is not installed (extra grpc)")

from google.protobuf.empty_pb2 import Empty  # noqa: E402

from conftest import REPOSITORY  # noqa: E402
from poh_holdmetrics import AsyncTracker, HoldEvent  # noqa: E402
from poh_holdmetrics.api.access import Access  # noqa: E402
from poh_holdmetrics.api.addresses import Address  # noqa: E402
from poh_holdmetrics.api.grpc_server import GrpcServer  # noqa: E402
from poh_holdmetrics.api.hold_service import HoldService  # noqa: E402
from poh_holdmetrics.api.http_server import HttpServer  # noqa: E402
from poh_holdmetrics.errors import InputError  # noqa: E402
from poh_holdmetrics.exporter import Figures, PrometheusExporter  # noqa: E402
from poh_holdmetrics.exporter.instruments import INSTRUMENTS, SECONDS, Instrument  # noqa: E402
from poh_holdmetrics.protocols import hold_pb2 as pb  # noqa: E402
from poh_holdmetrics.protocols import hold_pb2_grpc  # noqa: E402
from poh_holdmetrics.storage import MemoryStorage  # noqa: E402
from poh_holdmetrics.storage.flush import StorageFlush  # noqa: E402
from poh_holdmetrics.version import __version__  # noqa: E402

GOLDEN = REPOSITORY / "tests" / "golden"
EVENT = b'{"token_id":"gold","holder_id":"ann","start":0,"end":10}'
KEY = "a-key-for-tests"


def described(instrument: Instrument) -> str:
    """As the golden files have it."""
    labels = ", ".join(instrument.labels)
    return f"{instrument.name} {{{labels}}} {instrument.kind}\n    {instrument.help}\n"


def entries(name: str) -> dict[str, str]:
    """The entries of a golden file by the name of the metric."""
    text = (GOLDEN / name).read_text("utf-8") if (GOLDEN / name).exists() else ""
    lines = text.splitlines()
    pairs = zip(lines[::2], lines[1::2], strict=True)
    return {first.split()[0]: f"{first}\n{second}\n" for first, second in pairs}


def test_a_figure_of_the_binary_has_its_name_labels_kind_and_help_text() -> None:
    """`metrics.txt` is held against the binary too; `HOLDMETRICS_REWRITE=1` rewrites the other file."""
    of_binary, own = entries("metrics.txt"), []
    for instrument in INSTRUMENTS:
        if instrument.name in of_binary:
            assert described(instrument) == of_binary[instrument.name]
        else:
            own.append(described(instrument))
    path = GOLDEN / "metrics_python.txt"
    if os.environ.get("HOLDMETRICS_REWRITE"):
        path.write_text("".join(own), "utf-8")
    assert path.read_text("utf-8") == "".join(own)
    assert len(own) < len(INSTRUMENTS) / 2


def get(url: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, str]:
    named = {"content-type": "application/json", **headers}
    try:
        with urlopen(Request(url, body, named), timeout=30) as answer:  # noqa: S310 - our own address
            return answer.status, answer.headers, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def has_lines(page: str, *lines: str) -> None:
    for line in lines:
        assert f"\n{line}\n" in page, f"{line}\n{page}"


def served(
    ask: Callable[[str], Any], service: HoldService | None = None, access: Access | None = None
) -> Any:
    """What `ask`, in a thread of its own, makes of the address of an HTTP server."""

    async def run() -> Any:
        known = HoldService() if service is None else service
        async with HttpServer(known, Address("127.0.0.1", 0), access=access) as server:
            return await asyncio.to_thread(ask, f"http://127.0.0.1:{server.port}")

    return asyncio.run(run())


def test_requests_events_and_questions_are_counted(source: str) -> None:
    def ask(url: str) -> str:
        get(f"{url}/hold", b"[" + EVENT + b"," + EVENT + b',{"token_id":""},7]')
        get(f"{url}/hold", b"{")
        lines = {"content-type": "application/x-ndjson"}
        get(f"{url}/hold", EVENT + b"\n" + b" " * 70_000, **lines)
        get(f"{url}/leaderboard")
        get(f"{url}/holders/ann")
        get(f"{url}/holders/bob")
        get(f"{url}/deficits")
        get(f"{url}/secret-of-a-caller")
        status, headers, page = get(f"{url}/metrics")
        assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        return page

    page = served(ask)
    has_lines(
        page,
        f'holdmetrics_build_info{{features="{source}",version="{__version__}"}} 1.0',
        "holdmetrics_sequence 3.0",
        "holdmetrics_holders 1.0",
        "holdmetrics_keys 1.0",
        "holdmetrics_events_accepted_total 3.0",
        'holdmetrics_events_refused_total{reason="token_id"} 1.0',
        'holdmetrics_events_refused_total{reason="json"} 2.0',
        'holdmetrics_events_refused_total{reason="line"} 1.0',
        'holdmetrics_question_seconds_count{question="page"} 1.0',
        'holdmetrics_question_seconds_count{question="holder"} 2.0',
        'holdmetrics_question_seconds_count{question="deficits"} 1.0',
        'holdmetrics_http_requests_total{code="200",method="POST",route="/hold"} 2.0',
        'holdmetrics_http_requests_total{code="400",method="POST",route="/hold"} 1.0',
        'holdmetrics_http_requests_total{code="404",method="GET",route="/holders/{holder_id}"} 1.0',
        'holdmetrics_http_requests_total{code="404",method="GET",route="unknown"} 1.0',
        'holdmetrics_http_request_seconds_count{route="/hold"} 3.0',
    )
    assert "secret-of-a-caller" not in page
    assert "_created" not in page
    assert "holdmetrics_storage" not in page, "there is no storage"
    assert page.count('holdmetrics_http_request_seconds_bucket{le="') == (len(SECONDS) + 1) * 5
    if sys.platform == "linux":
        assert "\n# TYPE process_resident_memory_bytes gauge\n" in page


def test_calls_of_grpc_are_counted_by_their_status() -> None:
    async def run() -> str:
        service = HoldService()
        exporter = PrometheusExporter(service.figures)
        async with (
            GrpcServer(service, Address("127.0.0.1", 0)) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            stub = hold_pb2_grpc.HoldMetricsStub(channel)  # type: ignore[no-untyped-call]
            hold = pb.HoldMsg(token_id="gold", holder_id="ann", start={"seconds": 0})
            await stub.Record(hold)
            with pytest.raises(grpc.aio.AioRpcError, match="holder_id"):
                await stub.Record(pb.HoldMsg(token_id="gold"))
            acks = [ack async for ack in stub.Broadcast(iter([hold, pb.HoldMsg(token_id="gold")]))]
            assert [ack.refused_total for ack in acks] == [0, 1]
            batch = pb.HoldBatch(token_id=["gold"], holder_id=[""], start_us=[0])
            assert [ack.refused_total async for ack in stub.BroadcastBatch(iter([batch]))] == [1]
            assert [stat.holder_id async for stat in stub.Stats(Empty())] == ["ann"]
            with pytest.raises(grpc.aio.AioRpcError, match="Feed"):
                [each async for each in stub.Feed(iter([]))]
            watch = stub.Watch(pb.WatchRequest())
            await watch.read()
            watch.cancel()
            # The server is told of it after this call.
            while 'method="Watch"' not in exporter.page()[1].decode():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return exporter.page()[1].decode()

    page = asyncio.run(asyncio.wait_for(run(), 30))
    has_lines(
        page,
        'holdmetrics_grpc_requests_total{code="OK",method="Record"} 1.0',
        'holdmetrics_grpc_requests_total{code="INVALID_ARGUMENT",method="Record"} 1.0',
        'holdmetrics_grpc_requests_total{code="OK",method="Broadcast"} 1.0',
        'holdmetrics_grpc_requests_total{code="OK",method="Stats"} 1.0',
        'holdmetrics_grpc_requests_total{code="UNIMPLEMENTED",method="Feed"} 1.0',
        'holdmetrics_grpc_requests_total{code="CANCELLED",method="Watch"} 1.0',
        'holdmetrics_grpc_request_seconds_count{method="Record"} 2.0',
        "holdmetrics_events_accepted_total 2.0",
        'holdmetrics_events_refused_total{reason="holder_id"} 3.0',
    )


def test_metrics_need_a_key_with_their_scope(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    entry = '[[key]]\nname = "{0}"\nscopes = ["{0}"]\nsha256 = "{1}"\n'
    keys = {name: hashlib.sha256(f"{KEY}-{name}".encode()).hexdigest() for name in ("metrics", "read")}
    file.write_text("".join(entry.format(name, digest) for name, digest in keys.items()), "utf-8")

    def ask(url: str) -> list[int]:
        sent = [f"Bearer {KEY}-{name}" for name in keys]
        return [
            get(f"{url}/metrics")[0],
            *(get(f"{url}/metrics", authorization=each)[0] for each in sent),
            get(f"{url}/leaderboard", authorization=sent[0])[0],
        ]

    assert served(ask, access=Access(file)) == [401, 200, 403, 403]


def test_without_the_package_the_server_runs_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "poh_holdmetrics.exporter.prometheus", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    def ask(url: str) -> None:
        assert get(f"{url}/hold", EVENT)[0] == 200
        status, _, body = get(f"{url}/metrics")
        assert status == 501
        assert "prometheus_client is not installed; pip install 'poh-holdmetrics[prometheus]'" in body

    served(ask)
    import poh_holdmetrics.exporter as package  # noqa: PLC0415

    monkeypatch.delitem(vars(package), "PrometheusExporter", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"PrometheusExporter: the package .*\[prometheus\]"):
        _ = package.PrometheusExporter


class Keeping(MemoryStorage):
    """A storage whose server is away."""

    is_fallback = True
    kept = 4
    dropped = 2


@pytest.fixture
def tracker() -> AsyncTracker:
    tracker = AsyncTracker()
    events = [HoldEvent.model_validate({"token_id": "t", "holder_id": f"h{i}", "start": 1}) for i in range(3)]
    asyncio.run(tracker.record_batch(events))
    return tracker


def test_a_tracker_and_a_storage_are_exported_without_a_server(tracker: AsyncTracker) -> None:
    figures = Figures(tracker=tracker)
    exporter = PrometheusExporter(figures)
    assert "holdmetrics_storage" not in exporter.page()[1].decode()
    figures.storage = MemoryStorage()
    page = exporter.page()[1].decode()
    has_lines(page, "holdmetrics_holders 3.0", "holdmetrics_storage_fallback 0.0")
    assert "holdmetrics_storage_kept" not in page
    figures.storage = Keeping()
    figures.flush = StorageFlush(tracker, MemoryStorage())
    has_lines(
        exporter.page()[1].decode(),
        "holdmetrics_storage_waiting_events 0.0",
        "holdmetrics_storage_fallback 1.0",
        "holdmetrics_storage_kept_events 4.0",
        "holdmetrics_storage_dropped_events_total 2.0",
    )


def test_the_endpoint_listens_until_it_is_left_and_refuses_a_port_in_use(tracker: AsyncTracker) -> None:
    exporter = PrometheusExporter(Figures(tracker=tracker))
    with exporter.endpoint(port=0) as port:
        url = f"http://127.0.0.1:{port}/metrics"
        assert "\nholdmetrics_holders 3.0\n" in get(url)[2]
        open_metrics = get(url, accept="application/openmetrics-text; version=1.0.0")
        assert open_metrics[1]["content-type"].startswith("application/openmetrics-text")
        assert open_metrics[2].endswith("# EOF\n")
        with (
            pytest.raises(InputError, match=rf"^127\.0\.0\.1:{port}: cannot listen there"),
            exporter.endpoint(port=port),
        ):
            pytest.fail("the port is in use")
    with pytest.raises(OSError, match="refused"):
        get(url)


def test_the_application_answers_under_any_asgi_server(tracker: AsyncTracker) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:  # a coroutine, as ASGI asks
        return {"type": "http.request"}

    async def send(message: dict[str, Any]) -> None:  # a coroutine, as ASGI asks
        sent.append(message)

    scope = {"type": "http", "headers": [], "query_string": b""}
    asyncio.run(PrometheusExporter(Figures(tracker=tracker)).application()(scope, receive, send))
    assert sent[0]["status"] == 200
    assert b"\nholdmetrics_holders 3.0\n" in sent[1]["body"]


def test_a_closed_exporter_counts_no_more() -> None:
    figures = Figures()
    closed, other = PrometheusExporter(figures), PrometheusExporter(figures)
    figures.refused("start")
    closed.close()
    figures.refused("start", 2)
    line = 'holdmetrics_events_refused_total{reason="start"} '
    has_lines(closed.page()[1].decode(), f"{line}1.0")
    has_lines(other.page()[1].decode(), f"{line}3.0")

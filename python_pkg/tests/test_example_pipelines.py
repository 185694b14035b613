"""The pipelines in examples/pipelines, tried offline; the binary's own tests run them in the service."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import REPOSITORY
from poh_holdmetrics import HoldEvent, score_exact
from poh_holdmetrics.pipeline.definition import Pipeline
from poh_holdmetrics.pipeline.loading.loader import load
from poh_holdmetrics.pipeline.loading.specs import specs_from_text
from poh_holdmetrics.testing import PipelineHarness

EXAMPLES = REPOSITORY / "examples" / "pipelines"
FILES = sorted(EXAMPLES.glob("*.py"))
LINES_MAX = 60


def example(name: str) -> Pipeline:
    [spec] = specs_from_text(str(EXAMPLES / f"{name}.py"))
    [pipeline] = load(spec, {}, generation=1).pipelines
    return pipeline


def hold(holder_id: str, start: str, punk: int = 1) -> HoldEvent:
    return HoldEvent.model_validate({"token_id": f"punk/{punk}", "holder_id": holder_id, "start": start})


class WebServer:
    """Answers `GET` with JSON made of the query, and keeps what was posted; if it is away, it hangs up."""

    def __init__(self) -> None:
        self.posted: list[Any] = []
        self.sales: list[dict[str, Any]] = []
        self.is_away = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if server.is_away:
                    return
                server.posted.append(body)
                self.send_response(200)
                self.end_headers()

            def do_GET(self) -> None:
                after = int(self.path.rpartition("after=")[2])
                page = [sale for sale in server.sales if sale["id"] > after][:2]
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(page).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    with server.running():
        yield server


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_short(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) < LINES_MAX


def test_the_tiered_leaderboard_is_published(tmp_path: Path) -> None:
    file = tmp_path / "leaderboard.json"
    pipeline = example("tiered_leaderboard")
    with PipelineHarness(pipeline, now="2026-04-01T00:00:00Z", arguments={"file": str(file)}) as harness:
        harness.feed(
            hold("ann", "2026-01-01T00:00:00Z"),
            hold("bob", "2026-03-01T00:00:00Z", 2),
            hold("cyn", "2026-03-31T00:00:00Z", 3),
        )
        harness.advance("12s")
        published = json.loads(file.read_text("utf-8"))
        assert [(each["holder_id"], each["tier"]) for each in published["holders"]] == [
            ("ann", "gold"),
            ("bob", "silver"),
            ("cyn", "bronze"),
        ]
        day = 86_400
        weighted = {
            row.holder_id: float(row.score) for row in harness.published("tiers", "2026-04-01T00:00:00Z")
        }
        assert weighted == {"ann": (30 + 60 * 1.5) * day, "bob": (30 + 1 * 1.5) * day, "cyn": day}
    assert not list(tmp_path.glob("*.part"))


def test_rank_changes_are_told_once_and_again_if_the_address_was_away(web: WebServer) -> None:
    pipeline = example("rank_webhook")
    arguments = {"url": web.url, "size": "2"}
    with PipelineHarness(pipeline, arguments=arguments, raise_failures=False) as harness:
        harness.feed(hold("ann", "2025-01-01T00:00:00Z"))
        harness.advance("10s")
        assert [body["changes"] for body in web.posted] == [[{"holder_id": "ann", "before": None, "now": 1}]]
        harness.advance("10s")
        assert len(web.posted) == 1

        web.is_away = True
        harness.feed(hold("bob", "2024-01-01T00:00:00Z", 2))
        harness.advance("10s")
        assert len(web.posted) == 1
        harness.restart()
        web.is_away = False
        harness.advance("2m")
        assert [body["changes"] for body in web.posted[1:]] == [
            [
                {"holder_id": "ann", "before": 1, "now": 2},
                {"holder_id": "bob", "before": None, "now": 1},
            ]
        ]


def test_the_archive_has_every_event_once_also_if_a_call_is_repeated(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    pipeline = example("parquet_archive")
    events = [
        hold(f"holder-{number % 7}", f"2025-01-{1 + number % 28:02}T00:00:00Z") for number in range(100)
    ]
    with PipelineHarness(pipeline, arguments={"folder": str(tmp_path)}) as harness:
        harness.feed(*events[:60])
        harness.advance("60s")
        harness.fail_commits(1)
        harness.feed(*events[60:])
        harness.advance("60s")
        harness.restart(crash=True)
        harness.advance("60s")
    rows = polars.read_parquet(tmp_path / "*.parquet").to_dicts()
    archived = [
        HoldEvent(**{field: row[field] for field in ("token_id", "holder_id", "start", "weight")})
        for row in rows
    ]
    as_of = "2026-01-01T00:00:00Z"
    assert len(rows) == len(events)
    assert score_exact(archived, as_of) == score_exact(events, as_of)


def sale(number: int, buyer: str) -> dict[str, Any]:
    return {"id": number, "token": f"punk/{number}", "buyer": buyer, "time": "2026-01-01T00:00:00Z"}


def test_the_source_goes_on_where_it_stopped(web: WebServer) -> None:
    pipeline = example("polling_source")
    web.sales = [sale(1, "ann"), sale(2, "bob"), sale(3, "ann")]
    with PipelineHarness(pipeline, now="2026-01-02T00:00:00Z", arguments={"url": web.url}) as harness:
        assert [event.event_id for event in harness.emitted] == ["sale/1", "sale/2", "sale/3"]
        web.sales.append(sale(4, "cyn"))
        harness.restart()
        harness.advance("1m")
        assert [event.event_id for event in harness.emitted][3:] == ["sale/4"]
        assert harness.metrics["pages"] == 3


def test_a_round_is_sealed_each_day_once() -> None:
    pytest.importorskip("Crypto.Hash.keccak", reason="pycryptodome is not installed (extra airdrop)")
    ann, bob = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "0x1111111111111111111111111111111111111111"
    arguments = {"pool": "100", "decimals": "0"}
    with PipelineHarness(
        example("sealed_rounds"), now="2025-01-02T00:30:00Z", arguments=arguments
    ) as harness:
        harness.advance("10m")
        assert not harness.rounds
        harness.feed(hold(ann, "2025-01-01T18:00:00Z"), hold(bob, "2025-01-01T22:00:00Z"))
        harness.advance("30m")
        [sealed] = harness.rounds.values()
        assert sealed.manifest["id"] == "day-2025-01-01"
        assert sealed.amounts == {bob: 25, ann: 75}
        assert harness.metrics["recipients"] == 2
        harness.advance("24h")
        assert list(harness.rounds) == ["day-2025-01-01", "day-2025-01-02"]

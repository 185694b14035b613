"""The exporters against promtool, a real Prometheus and a real OpenTelemetry collector."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed (extra otlp)")

from poh_holdmetrics import AsyncTracker, HoldEvent
from poh_holdmetrics.exporter import Figures, MeterScrape, OtlpExporter, PrometheusExporter
from poh_holdmetrics.exporter.instruments import INSTRUMENTS
from poh_holdmetrics.exporter.prometheus import listening
from poh_holdmetrics.storage import MemoryStorage
from servers.collector import Collector
from servers.prometheus import Prometheus, promtool_complaints

pytestmark = [
    pytest.mark.services,
    # The exporter over HTTP leaves its connections to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


def busy_figures() -> Figures:
    tracker = AsyncTracker()
    events = [HoldEvent.model_validate({"token_id": "t", "holder_id": f"h{i}", "start": 1}) for i in range(3)]
    asyncio.run(tracker.record_batch(events))
    return Figures(tracker=tracker, storage=MemoryStorage())


def count_all(figures: Figures) -> None:
    figures.refused("start", 2)
    figures.answered("page", 0.003)
    figures.grpc_ended("Record", "OK", 0.003)
    figures.http_ended("GET", "/stats", 200, 0.003)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("make", [PrometheusExporter, MeterScrape])
def test_prometheus_scrapes_exact_values_and_promtool_has_no_complaint(
    make: Callable[[Figures], Any], tmp_path: Path
) -> None:
    from prometheus_client import generate_latest  # noqa: PLC0415

    figures = busy_figures()
    exporter = make(figures)
    count_all(figures)
    assert not promtool_complaints(generate_latest(exporter.registry).decode())
    with listening(exporter.registry, "127.0.0.1", 0) as port:
        server = Prometheus(tmp_path, f"127.0.0.1:{port}")
        server.start()
        try:
            until(lambda: server.values("holdmetrics_holders"))
            assert server.values("holdmetrics_holders") == [3]
            assert server.values('holdmetrics_events_refused_total{reason="start"}') == [2]
            assert server.values('holdmetrics_http_request_seconds_bucket{le="0.005",route="/stats"}') == [1]
            figures.refused("start")
            until(lambda: server.values('holdmetrics_events_refused_total{reason="start"}') == [3])
            assert server.metadata("holdmetrics_holders")[0]["help"] == "Number of holders."
        finally:
            server.end()
    exporter.close()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_understands_what_is_pushed(protocol: Any, tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    collector.start()
    try:
        figures = busy_figures()
        with OtlpExporter(figures, endpoint=collector.endpoint(protocol), protocol=protocol):
            count_all(figures)
        until(lambda: "-> Name: holdmetrics_http_request_seconds" in collector.log())
        # The whole of an export is one entry of the log.
        log = collector.log()
        for instrument in INSTRUMENTS:
            if not instrument.name.startswith("holdmetrics_storage_"):
                assert f"-> Name: {instrument.name}\n     -> Description: {instrument.help}\n" in log
        assert "-> reason: Str(start)" in log
        assert "service.name: Str(holdmetrics)" in log
    finally:
        collector.end()

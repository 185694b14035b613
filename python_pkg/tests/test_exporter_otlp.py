"""What receivers of OTLP get: the names of Prometheus, and the last values exactly, also after an absence."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.request import urlopen

import pytest

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed (extra otlp)")

from poh_holdmetrics import AsyncTracker, HoldEvent
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.exporter import Figures, MeterScrape, OtlpExporter
from poh_holdmetrics.exporter.instruments import INSTRUMENTS, SECONDS
from poh_holdmetrics.storage import MemoryStorage
from poh_holdmetrics.version import __version__
from servers.otlp_receiver import Receiver, receiving_grpc, receiving_http
from servers.process import free_port

#: The exporter over HTTP leaves its connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

Receive = Callable[..., AbstractContextManager[str]]
RECEIVERS = [("grpc", receiving_grpc), ("http/protobuf", receiving_http)]
NO_LABELS: tuple[tuple[str, str], ...] = ()


class Keeping(MemoryStorage):
    """A storage whose server is away, so that it has every figure."""

    is_fallback = True
    kept = 4
    dropped = 2


class Flushing:
    waiting = 5


@pytest.fixture
def figures() -> Figures:
    tracker = AsyncTracker()
    events = [HoldEvent.model_validate({"token_id": "t", "holder_id": f"h{i}", "start": 1}) for i in range(3)]
    asyncio.run(tracker.record_batch(events))
    return Figures(tracker=tracker, storage=Keeping(), flush=Flushing())


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the machine do not count."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def count_all(figures: Figures) -> None:
    figures.refused("start", 2)
    figures.answered("page", 0.003)
    figures.grpc_ended("Record", "OK", 0.003)
    figures.http_ended("GET", "/stats", 200, 0.003)


@pytest.mark.parametrize(("protocol", "receiving"), RECEIVERS)
def test_every_figure_arrives_with_its_name_help_text_and_last_value(
    figures: Figures, protocol: Any, receiving: Receive
) -> None:
    receiver = Receiver()
    with receiving(receiver) as endpoint:
        with OtlpExporter(figures, endpoint=endpoint, protocol=protocol, interval_seconds=60):
            count_all(figures)
            figures.refused("start")
        # It has sent a last time.
        assert receiver.exports == 1
    assert receiver.metrics == {each.name: (each.help, each.unit) for each in INSTRUMENTS}
    assert receiver.resource["service.name"] == "holdmetrics"
    values = receiver.values
    build = (("features", values_of(receiver, "holdmetrics_build_info")), ("version", __version__))
    assert values["holdmetrics_build_info", build] == 1
    for name, value in (
        ("sequence", 3),
        ("holders", 3),
        ("keys", 3),
        ("events_accepted_total", 3),
        ("storage_waiting_events", 5),
        ("storage_fallback", 1),
        ("storage_kept_events", 4),
        ("storage_dropped_events_total", 2),
    ):
        assert values[f"holdmetrics_{name}", NO_LABELS] == value, name
    assert values["holdmetrics_events_refused_total", (("reason", "start"),)] == 3
    assert values["holdmetrics_grpc_requests_total", (("code", "OK"), ("method", "Record"))] == 1
    assert values["holdmetrics_http_request_seconds", (("route", "/stats"),)] == (1, SECONDS)


def values_of(receiver: Receiver, name: str) -> str:
    """The first label of the only series of a metric."""
    (labels,) = [labels for found, labels in receiver.values if found == name]
    return labels[0][1]


@pytest.mark.parametrize(("protocol", "receiving"), RECEIVERS)
def test_a_receiver_that_is_away_is_warned_of_once_and_gets_everything_later(
    figures: Figures, protocol: Any, receiving: Receive, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    port, receiver = free_port(), Receiver()
    endpoint = f"http://127.0.0.1:{port}"
    exporter = OtlpExporter(
        figures, endpoint=endpoint, protocol=protocol, interval_seconds=0.1, timeout_seconds=0.3
    )
    deadline = time.monotonic() + 20
    while not caplog.records:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    began = time.monotonic()
    count_all(figures)
    assert time.monotonic() - began < 0.1, "counting waits for nothing"
    # Two more attempts at least.
    time.sleep(1.2)
    with receiving(receiver, port):
        receiver.wait_for_export()
        exporter.close()
    assert receiver.values["holdmetrics_events_refused_total", (("reason", "start"),)] == 2
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in said] == ["WARNING", "INFO"], said
    assert said[0][1].startswith("Metrics are not exported, which is tried again at each interval: ")
    assert said[1][1] == "Metrics are exported again."


def test_closing_waits_for_an_absent_receiver_as_long_as_it_is_told(figures: Figures) -> None:
    exporter = OtlpExporter(figures, endpoint=f"http://127.0.0.1:{free_port()}", interval_seconds=60)
    began = time.monotonic()
    exporter.close(timeout_seconds=0.5)
    assert time.monotonic() - began < 5


def test_the_standard_variables_apply(figures: Figures, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    with receiving_http(receiver) as endpoint:
        for name, value in (
            ("EXPORTER_OTLP_ENDPOINT", endpoint),
            ("EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("EXPORTER_OTLP_HEADERS", "x-token=secret"),
            ("METRIC_EXPORT_INTERVAL", "50"),
            ("SERVICE_NAME", "punks"),
            ("RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ):
            monkeypatch.setenv(f"OTEL_{name}", value)
        with OtlpExporter(figures):
            receiver.wait_for_export()
    assert receiver.headers["x-token"] == "secret"
    assert receiver.resource["service.name"] == "punks"
    assert receiver.resource["deployment.environment.name"] == "test"


def test_invalid_arguments_and_variables_are_named(figures: Figures, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^endpoint: expected http://HOST:PORT or .*, not 'collector:4317'"):
        OtlpExporter(figures, endpoint="collector:4317")
    with pytest.raises(InputError, match=r"^interval_seconds: expected more than 0, not 0"):
        OtlpExporter(figures, interval_seconds=0)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json")
    with pytest.raises(
        InputError, match=r"^OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: expected grpc or .*'http/json'"
    ):
        OtlpExporter(figures)
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", "http")
    scrape = MeterScrape(figures)
    with (
        pytest.raises(InputError, match=r"^OTEL_EXPORTER_PROMETHEUS_PORT: expected a port"),
        scrape.endpoint(),
    ):
        pytest.fail("it is not a port")
    scrape.close()


def test_the_meter_is_scraped_under_the_same_names(figures: Figures, monkeypatch: pytest.MonkeyPatch) -> None:
    scrape = MeterScrape(figures)
    count_all(figures)
    port = free_port()
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", str(port))
    with (
        scrape.endpoint() as bound,
        urlopen(f"http://127.0.0.1:{bound}/metrics", timeout=10) as answer,
    ):
        page = answer.read().decode()
    scrape.close()
    assert bound == port
    for instrument in INSTRUMENTS:
        assert f"# HELP {instrument.name} {instrument.help}\n" in page
        assert f"# TYPE {instrument.name} {instrument.kind}\n" in page
    assert '\nholdmetrics_events_refused_total{reason="start"} 2.0\n' in page
    assert '\nholdmetrics_http_request_seconds_bucket{le="0.005",route="/stats"} 1.0\n' in page

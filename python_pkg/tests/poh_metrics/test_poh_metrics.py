"""The registry, the helpers and the exporter of `poh_metrics`, over HTTP and between processes."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, get_args
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("poh_metrics.registry", reason="poh-metrics is not installed")

from prometheus_client import CollectorRegistry, Counter

import poh_metrics
from poh_metrics import collector, registry
from poh_metrics.definitions import DEFINITIONS
from poh_metrics.metrics import register_metrics
from poh_metrics.types import GCType, GcType, MetricName, PoHResult

README = Path(__file__).resolve().parents[2] / "poh_metrics" / "README.md"


@pytest.fixture
def own() -> CollectorRegistry:
    return CollectorRegistry()


def text(own: CollectorRegistry) -> str:
    return registry.exposition("", own)[0].decode()


async def record(own: CollectorRegistry) -> None:
    await collector.increment_poh("success", own)
    await collector.observe_issue("failure", 0.02, own)
    await collector.observe_verify("timeout", 3, own)
    await collector.record_gc("minor", 2, own)
    await collector.set_active_peers(7, own)


def test_every_helper_records_in_its_metric(own: CollectorRegistry) -> None:
    asyncio.run(record(own))
    found = text(own)
    for line in (
        'poh_issued_total{result="success"} 1.0',
        'poh_issue_latency_seconds_bucket{le="0.025",result="failure"} 1.0',
        'poh_issue_latency_summary_seconds_sum{result="failure"} 0.02',
        'poh_verify_latency_seconds_sum{result="timeout"} 3.0',
        'gc_events_total{type="minor"} 2.0',
        "active_peers 7.0",
    ):
        assert line in found


def test_the_names_and_values_are_the_published_ones() -> None:
    assert tuple(DEFINITIONS) == get_args(MetricName)
    assert get_args(PoHResult) == ("success", "failure", "timeout")
    assert get_args(GcType) == get_args(GCType) == ("minor", "major")


def test_a_metric_is_registered_once_from_many_threads_and_again_by_its_name(own: CollectorRegistry) -> None:
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(registry.get_metric("active_peers", own)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    register_metrics(own)
    register_metrics(own)
    assert text(own).count("# TYPE active_peers gauge") == 1


def test_an_unknown_name_and_one_that_is_taken_are_refused(own: CollectorRegistry) -> None:
    with pytest.raises(ValueError, match="unknown metric 'nope'; known are poh_issued_total, "):
        registry.get_metric("nope", own)
    Counter("http_requests_total", "of another library", registry=own)
    with pytest.raises(ValueError, match="Duplicated"):
        registry.get_metric("http_requests_total", own)


def test_a_label_value_that_is_not_listed_is_refused(own: CollectorRegistry) -> None:
    with pytest.raises(ValueError, match="result: expected one of success, failure, timeout, not 'user-17'"):
        asyncio.run(collector.increment_poh("user-17", own))  # type: ignore[arg-type]
    assert "user-17" not in text(own)


def test_the_registry_of_the_process_can_be_replaced(own: CollectorRegistry) -> None:
    before = registry.get_registry()
    registry.set_registry(own)
    try:
        asyncio.run(collector.set_active_peers(3))
    finally:
        registry.set_registry(before)
    assert "active_peers 3.0" in text(own)


def test_collections_of_garbage_are_counted_until_the_watch_is_closed(own: CollectorRegistry) -> None:
    with poh_metrics.watch_gc(own):
        gc.collect()
        gc.collect(0)
    gc.collect()
    found = dict(re.findall(r'gc_events_total\{type="(\w+)"\} (\d+)', text(own)))
    assert found["major"] == "1"
    assert int(found["minor"]) >= 1


def test_a_collection_while_a_metric_is_locked_does_not_wait_for_itself(own: CollectorRegistry) -> None:
    counter: Any = registry.get_metric("gc_events_total", own)
    watch = poh_metrics.watch_gc(own)
    with counter._lock:
        gc.collect()
    watch.close()
    assert 'gc_events_total{type="major"} 1.0' in text(own)


def test_promtool_accepts_what_is_exposed(own: CollectorRegistry) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    asyncio.run(record(own))
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text(own), text=True, capture_output=True, check=False
    )
    # The name is the published one.
    found = (checked.stdout + checked.stderr).splitlines()
    assert {re.sub(r"_created\b", "", line) for line in found} == {
        "poh_issue_latency_summary_seconds metric name should not include type 'summary'"
    }


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """The address of a Pushgateway's stand-in, and what it was sent: method, path, body."""
    sent: list[tuple[str, str, str]] = []

    class Gateway(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            sent.append((self.command, self.path, body))
            self.send_response(200)
            self.end_headers()

        do_POST = do_PUT  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing is to be printed."""

    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", sent
        server.shutdown()
        thread.join()


def test_metrics_are_pushed_and_written(
    own: CollectorRegistry, gateway: tuple[str, list[tuple[str, str, str]]], tmp_path: Path
) -> None:
    address, sent = gateway
    asyncio.run(collector.set_active_peers(5, own))
    registry.push_metrics(address, "poh", own, grouping_key={"instance": "a"})
    registry.push_metrics(address, "poh", own, replace=False)
    assert [each[:2] for each in sent] == [
        ("PUT", "/metrics/job/poh/instance/a"),
        ("POST", "/metrics/job/poh"),
    ]
    file = tmp_path / "poh.prom"
    registry.write_metrics(file, own)
    assert file.read_text("utf-8") == sent[0][2] == sent[1][2]
    assert "active_peers 5.0\n" in sent[0][2]
    with pytest.raises(OSError, match="refused"):
        registry.push_metrics("127.0.0.1:1", "poh", own)


PROCESS = """
import asyncio
import sys
from poh_metrics import increment_poh, set_active_peers, write_metrics
async def main():
    await increment_poh("success")
    await set_active_peers(4)
asyncio.run(main())
print("ready", flush=True)
sys.stdin.readline()
"""


def test_two_processes_have_one_set_of_metrics(python: str, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    environment = {
        **os.environ,
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
        "PYTHONPATH": str(README.parents[1]),
    }
    processes = [
        subprocess.Popen(
            [python, "-c", PROCESS],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        script = f"from poh_metrics import write_metrics; write_metrics({str(tmp_path / 'all.prom')!r})"
        subprocess.run([python, "-c", script], env=environment, check=True)
    finally:
        for process in processes:
            process.communicate("\n", timeout=30)
    found = (tmp_path / "all.prom").read_text("utf-8")
    assert 'poh_issued_total{result="success"} 2.0' in found
    assert "active_peers 8.0" in found


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("poh_metrics", {"asyncio", "http", "prometheus_client"}),
        (
            "poh_metrics.middleware, poh_metrics.collector",
            {"aiohttp", "grpc", "poh_holdmetrics", "starlette"},
        ),
    ],
)
def test_an_import_loads_only_what_it_needs(python: str, modules: str, absent: set[str]) -> None:
    script = f"import sys, {modules}; print(sorted({absent} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(README.parents[1])}
    found = subprocess.run(
        [python, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"


def test_the_example_of_the_readme_is_scraped(python: str) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra aiohttp)")
    example = README.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    script = example.replace("9464)", "0)").replace(
        'print("scrape http://127.0.0.1:9464/metrics")', "print(runner.addresses[0][1], flush=True)"
    )
    environment = {**os.environ, "PYTHONPATH": str(README.parents[1])}
    with subprocess.Popen(
        [python, "-c", script], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = f"http://127.0.0.1:{int(process.stdout.readline())}/metrics"
            with urlopen(address, timeout=30) as answer:
                assert answer.headers["content-type"].startswith("text/plain; version=")
                assert 'poh_issued_total{result="success"} 1.0' in answer.read().decode()
            asked = Request(address, headers={"accept": "application/openmetrics-text; version=1.0.0"})
            with urlopen(asked, timeout=30) as answer:  # noqa: S310
                assert answer.headers["content-type"].startswith("application/openmetrics-text")
                assert answer.read().endswith(b"# EOF\n")
        finally:
            process.kill()

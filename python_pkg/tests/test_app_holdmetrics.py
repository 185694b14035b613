"""`python -m poh_holdmetrics.app_holdmetrics`, as processes of their own."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from conftest import PACKAGE, REPOSITORY
from poh_holdmetrics.api.addresses import Address
from poh_holdmetrics.app_holdmetrics import main
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.storage.sqlite import SqliteStorage

MODULE = ("-m", "poh_holdmetrics.app_holdmetrics")


@contextmanager
def running(python: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A process of a command, and the addresses on which it says that it listens."""
    environment = {
        **os.environ,
        "GRPC_ADDRESS": "127.0.0.1:0",
        "HTTP_PORT": "0",
        "LOG_LEVEL": "info",
        "PYTHONPATH": str(PACKAGE.parent),
    }
    command = [python, *MODULE, *arguments]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            addresses: dict[str, str] = {}
            lines: list[str] = []
            while len(addresses) < (2 if "all" in arguments else 1):
                lines.append(process.stderr.readline())
                assert lines[-1], lines
                if found := re.search(r"Listening for (\w+) on (\S+);", lines[-1]):
                    addresses[found[1]] = found[2]
            yield process, addresses
        finally:
            process.kill()


def test_all_serves_one_state_in_both_protocols_and_stops_on_sigterm(python: str) -> None:
    grpc = pytest.importorskip("grpc", reason="grpcio is not installed (extra grpc)")
    pytest.importorskip("fastapi", reason="fastapi is not installed (extra http)")
    from google.protobuf.empty_pb2 import Empty  # noqa: PLC0415

    from poh_holdmetrics.protocols import hold_pb2_grpc  # noqa: PLC0415

    with running(python, "all") as (process, addresses):
        event = json.dumps({"token_id": "t", "holder_id": "h", "start": 0, "end": 10_000})
        headers = {"content-type": "application/json"}
        request = Request(f"http://{addresses['http']}/hold", event.encode(), headers)
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            assert json.load(answer)["durability"] == "BUFFERED"
        with grpc.insecure_channel(addresses["grpc"]) as channel:
            stub = hold_pb2_grpc.HoldMetricsStub(channel)  # type: ignore[no-untyped-call]
            assert [stat.total_seconds for stat in stub.Stats(Empty())] == [10]
        with urlopen(f"http://{addresses['http']}/metrics", timeout=30) as answer:
            page = answer.read().decode()
        if importlib.util.find_spec("poh_metrics") and importlib.util.find_spec("poh_metrics.registry"):
            assert 'http_requests_total{method="POST",status="200"} 1.0' in page.splitlines()
            assert 'grpc_requests_total{method="/poh.HoldMetrics/Stats",status="OK"} 1.0' in page.splitlines()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert process.stderr is not None
        assert "Stopped after 1 events." in process.stderr.read()


def test_the_published_check_gets_one_default_stat_of_an_empty_service(python: str) -> None:
    pytest.importorskip("grpc", reason="grpcio is not installed (extra grpc)")
    example = REPOSITORY / "examples" / "check_grpc.py"
    if not example.exists():
        pytest.skip("the examples are in the repository, not in the package")
    with running(python, "grpc") as (_, addresses):
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "GRPC_ADDRESS": addresses["grpc"]}
        checked = subprocess.run(
            [python, str(example)], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert checked.stdout == "holder_id='' seconds=0 score=0.0\n", checked.stderr
    nobody = subprocess.run(
        [python, str(example), "127.0.0.1:1"], env=environment, capture_output=True, text=True, check=False
    )
    assert nobody.returncode == 1
    assert nobody.stderr.startswith("error: UNAVAILABLE: ")


def stored(path: Path) -> list[str]:
    """The holders of the events in a file."""

    async def run() -> list[str]:
        async with SqliteStorage(path) as storage:
            return sorted([event.holder_id async for event in storage.scan()])

    return asyncio.run(run())


def test_all_loads_after_a_restart_what_it_was_sent_before(python: str, tmp_path: Path) -> None:
    for module in ("grpc", "fastapi"):
        pytest.importorskip(module, reason=f"{module} is not installed (extras grpc and http)")
    file = tmp_path / "events.db"
    event = b'{"token_id":"t","holder_id":"h","start":0,"end":10000}'
    for sent in (event, event.replace(b'"h"', b'"i"'), None):
        with running(python, "all", "--store", f"sqlite:///{file}") as (process, addresses):
            if sent is not None:
                headers = {"content-type": "application/json"}
                with urlopen(
                    Request(f"http://{addresses['http']}/hold", sent, headers), timeout=30
                ) as answer:
                    assert json.load(answer)["durability"] == "BUFFERED"
            with urlopen(f"http://{addresses['http']}/stats", timeout=30) as answer:
                holders = [row["holder_id"] for row in json.load(answer)["holders"]]
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
    assert holders == stored(file) == ["h", "i"]


def worked(python: str, folder: Path, **pipes: Any) -> subprocess.CompletedProcess[str]:
    """A worker from its start to the end of its input; the storage is that of `.env`."""
    (folder / ".env").write_text(f"MONGODB_URL=sqlite:///{folder / 'events.db'}\n", "utf-8")
    environment = {**os.environ, "LOG_LEVEL": "info", "PYTHONPATH": str(PACKAGE.parent)}
    environment.pop("MONGODB_URL", None)
    return subprocess.run(
        [python, *MODULE, "worker"],
        **{"env": environment, "cwd": folder, "capture_output": True, "text": True, "timeout": 60, **pipes},
        check=False,
    )


def test_a_worker_stores_the_lines_of_its_input_and_names_the_refused_ones(
    python: str, tmp_path: Path
) -> None:
    lines = (
        '{"token_id":"t","holder_id":"ann","start":0}\n'
        "\n"
        '{"token_id":"t","holder_id":"bob"}\n'
        '{"token_id":"t","holder_id":"cy","start":0,"sequence":7}'  # a line of the feed, without its newline
    )
    first = worked(python, tmp_path, input=lines)
    assert first.returncode == 1, first.stderr
    assert "standard input line 3 is refused: " in first.stderr
    assert "Stopped: 2 lines recorded, 1 refused." in first.stderr
    assert stored(tmp_path / "events.db") == ["ann", "cy"]
    file = tmp_path / "events.jsonl"
    file.write_text(lines.replace("bob", 'bob","start":"2026-01-01T00:00:00Z'), "utf-8")
    with file.open("rb") as opened:
        again = worked(python, tmp_path, stdin=opened)
    assert again.returncode == 0, again.stderr
    assert "Loaded 2 events from the storage." in again.stderr
    assert stored(tmp_path / "events.db") == ["ann", "bob", "cy"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_waits_for_input_stops_on_a_signal_with_a_last_flush(
    python: str, tmp_path: Path, number: signal.Signals
) -> None:
    environment = {**os.environ, "LOG_LEVEL": "debug", "PYTHONPATH": str(PACKAGE.parent)}
    file = tmp_path / "events.db"
    command = [python, *MODULE, "worker", "--store", f"sqlite:///{file}", "--flush-interval", "1h"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write('{"token_id":"t","holder_id":"h","start":0}\n')
            process.stdin.flush()
            seen: list[str] = []
            while not (seen and "1 events recorded" in seen[-1]):
                seen.append(process.stderr.readline())
                assert seen[-1], seen
            assert stored(file) == []
            process.send_signal(number)
            assert process.wait(timeout=30) == 0, process.stderr.read()
        finally:
            process.kill()
    assert stored(file) == ["h"]


@pytest.mark.parametrize(("command", "absent"), [("grpc", "fastapi"), ("http", "grpc")])
def test_a_command_imports_only_what_it_serves(python: str, command: str, absent: str) -> None:
    pytest.importorskip("grpc", reason="grpcio is not installed (extra grpc)")
    pytest.importorskip("fastapi", reason="fastapi is not installed (extra http)")
    script = (
        "import sys; from poh_holdmetrics import app_holdmetrics\n"
        "before = {'grpc', 'fastapi', 'uvicorn', 'pydantic'} & set(sys.modules)\n"
        f"app_holdmetrics._server_class({command!r})\n"
        f"print(sorted(before), {absent!r} in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    found = subprocess.run(
        [python, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[] False\n"


@pytest.mark.parametrize(
    ("variables", "arguments", "text"),
    [
        (
            {"GRPC_ADDRESS": "0.0.0.0:1"},
            ["grpc"],
            "0.0.0.0:1: can be reached from other machines and has no TLS",
        ),
        ({"HTTP_HOST": "::"}, ["http"], "[::]:8000: can be reached from other machines"),
        ({"HTTP_HOST": "example.org"}, ["all"], "example.org:8000: can be reached from other machines"),
        ({"GRPC_ADDRESS": "localhost"}, ["grpc"], "GRPC_ADDRESS: expected HOST:PORT"),
        (
            {"HTTP_PORT": "65536"},
            ["http"],
            "HTTP_HOST, HTTP_PORT: expected HOST:PORT with a port from 0 to 65535",
        ),
        ({"LOG_LEVEL": "loud"}, ["grpc"], "LOG_LEVEL: expected error, warn, info or debug, not 'loud'"),
        ({}, ["wrker"], "invalid choice: 'wrker'"),
        ({"MONGODB_URL": ""}, ["worker"], "--store: missing; give the storage of the worker"),
        ({}, ["all", "--store", "redis://x"], "url: unknown storage; expected one of"),
        ({}, ["all", "--store", "sqlite:///nowhere/e.db"], "sqlite nowhere/e.db: unable to open"),
        ({}, ["all", "--store", "memory://", "--flush-interval", "soon"], "interval: "),
    ],
)
def test_a_bad_address_or_argument_is_one_sentence(
    variables: dict[str, str],
    arguments: list[str],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert text in error
    assert error.count("\n") == 1


def test_a_missing_package_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "poh_holdmetrics.api.http_server", raising=False)
    assert main(["http", "--http-port", "0"]) == 2
    assert (
        "the package uvicorn is not installed; pip install 'poh-holdmetrics[http]'" in capsys.readouterr().err
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_word_of_the_operator(host: str) -> None:
    Address(host, 1).check_reach(insecure_bind=False)
    with pytest.raises(InputError):
        Address("192.0.2.1", 1).check_reach(insecure_bind=False)
    Address("192.0.2.1", 1).check_reach(insecure_bind=True)

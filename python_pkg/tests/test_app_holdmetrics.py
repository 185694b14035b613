"""`python -m poh_holdmetrics.app_holdmetrics`, as processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest

from conftest import PACKAGE
from poh_holdmetrics.api.addresses import Address
from poh_holdmetrics.app_holdmetrics import main
from poh_holdmetrics.errors import InputError

MODULE = ("-m", "poh_holdmetrics.app_holdmetrics")


@contextmanager
def running(python: str, command: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A process, and the addresses on which it says that it listens."""
    environment = {
        **os.environ,
        "GRPC_ADDRESS": "127.0.0.1:0",
        "HTTP_PORT": "0",
        "LOG_LEVEL": "info",
        "PYTHONPATH": str(PACKAGE.parent),
    }
    arguments = [python, *MODULE, command]
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            addresses = {}
            for _ in range(2 if command == "all" else 1):
                line = process.stderr.readline()
                found = re.search(r"Listening for (\w+) on (\S+);", line)
                assert found, line
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
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert process.stderr is not None
        assert "Stopped after 1 events." in process.stderr.read()


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
        ({}, ["worker"], "invalid choice: 'worker'"),
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

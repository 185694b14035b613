"""A service in a process of its own: of the binary that a test runs in, or of that of `make build`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from conftest import PACKAGE
from poh_holdmetrics import native

#: Events that are sent at once.
AT_ONCE = 10


class Service:
    """A running service, by its HTTP address."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.process = process
        self.is_killed = False
        self.slowest_seconds = 0.0
        self._log = folder / "log"
        self.address = ""

    def log(self) -> str:
        return self._log.read_text("utf-8", errors="replace")

    def wait_for_start(self) -> None:
        ends = time.monotonic() + 30
        while "http=" not in self.log():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < ends, self.log()
            time.sleep(0.02)
        self.address = "http://" + self.log().partition("http=")[2].split()[0]

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:  # noqa: S310 - our own address
            return json.load(answer)

    def tried(self, path: str) -> Any:
        """The answer, or the problem that was answered instead."""
        try:
            return self.ask(path)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def order(self, path: str) -> tuple[int, Any]:
        """The status and the answer of a POST without a body."""
        request = urllib.request.Request(self.address + path, b"")  # noqa: S310 - our own address
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def send(self, first: int, count: int = AT_ONCE, holder: str = "ada") -> None:
        """Send some events and time the acknowledgement."""
        events = [
            {"token_id": "punk/1", "holder_id": holder, "start": 1000, "event_id": f"event {number}"}
            for number in range(first, first + count)
        ]
        request = urllib.request.Request(  # noqa: S310
            self.address + "/hold", json.dumps(events).encode(), {"content-type": "application/json"}
        )
        began = time.monotonic()
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            acknowledged = json.load(answer)
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
        assert not acknowledged.get("rejected"), acknowledged

    def archived(self, name: str) -> set[str]:
        path = self.folder / f"{name}.archived"
        return set(path.read_text("utf-8").splitlines()) if path.exists() else set()

    def handler(self, pipeline: str, handler: str) -> dict[str, Any]:
        """What operators see of a handler."""
        for each in self.ask("/admin/pipelines")["pipelines"]:
            for found in each["handlers"]:
                if (each["name"], found["name"]) == (pipeline, handler):
                    return dict(found)
        return {}

    def kill(self) -> None:
        """Kill the process as a power failure would."""
        self.is_killed = True
        self.process.kill()
        self.process.wait()

    def until(self, is_so: Callable[[], bool], seconds: float = 20) -> None:
        ends = time.monotonic() + seconds
        while not is_so():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < ends, (self.ask("/admin/pipelines"), self.log()[-5000:])
            time.sleep(0.05)


def workers_of(pid: int) -> list[int]:
    """The worker processes that a service has started, without their guardians."""
    word = f"poh_holdmetrics.pipeline.worker\0{pid}\0".encode()
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if word in (folder / "cmdline").read_bytes():
                stat = (folder / "stat").read_text("utf-8")
                parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    return [each for each in parents if each not in parents.values()]


def program() -> tuple[str, dict[str, str]]:
    """The binary and its environment; skips the test if it was not built."""
    if native.inside_host():
        return sys.executable, dict(os.environ)
    built = PACKAGE.parents[1] / "target" / "release" / "main_holdmetrics"
    if not built.exists():
        pytest.skip("no main_holdmetrics: make build")
    libraries = (sysconfig.get_config_var("LIBDIR") or "", os.environ.get("LD_LIBRARY_PATH", ""))
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, "LD_LIBRARY_PATH": os.pathsep.join(libraries)}
    environment.pop("POH_DISABLE_RUST", None)
    said = subprocess.run([built, "doctor"], env=environment, capture_output=True, check=False, text=True)
    if "is built for Python" in said.stdout:
        pytest.skip("main_holdmetrics is built for another Python than this one")
    return str(built), environment


@contextmanager
def serving(
    folder: Path,
    files: Sequence[Path],
    environment: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[Service]:
    """A service with the pipelines of some files; its own files are in `folder`."""
    executable, own = program()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(executable, "serve", "--data-dir", str(folder / "data")),
                *(word for file in files for word in ("--pipeline", str(file))),
                *("--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0"),
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**own, **(environment or {})},
        )
    service = Service(folder, process)
    try:
        service.wait_for_start()
        yield service
        if not service.is_killed:
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0, service.log()
    finally:
        process.kill()
        process.wait()

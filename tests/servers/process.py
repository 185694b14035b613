"""One server process on loopback: started, ready by a sign, killed or ended by its process id.

It does not know what it runs; a server's own module gives the command and the sign.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_READY_SECONDS = 30
_END_SECONDS = 10


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers_ok(url: str) -> bool:
    """Whether a GET succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - a server of a test
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class ServerProcess:
    """A process whose output goes to a log file."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text("utf-8", errors="replace") if self._log.exists() else ""

    def start(
        self,
        command: Sequence[str],
        is_ready: Callable[[], bool],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start the command, and return when `is_ready` says so."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=folder
            )
        deadline = time.monotonic() + _READY_SECONDS
        while not is_ready():
            assert self._process.poll() is None, self.log()[-2000:]
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"not ready in {_READY_SECONDS} seconds: {self.log()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as kill -9 does; its data stay."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def end(self) -> None:
        """Ask it to end, and kill it if it does not."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def pause(self) -> None:
        """Keep its connections open and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

"""A service in a process of its own, for clients that are not ours.

``HOLDMETRICS_BINARY`` names the program; the tests need grpcio and the package of this checkout.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "python_pkg"))


@dataclass(frozen=True)
class Service:
    """The addresses and the process id of a service."""

    grpc: str
    http: str
    pid: int


@pytest.fixture
def service() -> Iterator[Service]:
    """An empty service that keeps its events in memory."""
    binary = os.environ["HOLDMETRICS_BINARY"]
    arguments = ["serve", "--ephemeral", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"]
    with subprocess.Popen([binary, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"listening: grpc=(\S+) http=(\S+)\n", line)
            assert found, f"no addresses in {line!r}"
            yield Service(grpc=found[1], http=found[2], pid=process.pid)
        finally:
            process.terminate()
            assert process.wait(timeout=15) == 0

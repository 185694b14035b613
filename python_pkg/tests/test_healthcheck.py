"""`python -m poh_holdmetrics.healthcheck`, which the container runs."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from certificates import issue_for_localhost
from conftest import PACKAGE
from poh_holdmetrics.healthcheck import is_healthy


class Answers(BaseHTTPRequestHandler):
    """GET /healthz and nothing else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def answering(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server; returns its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@pytest.mark.parametrize("demands", [None, False, True], ids=["plain", "TLS", "certificates of clients"])
def test_a_service_that_answers_is_healthy(tmp_path: Path, demands: bool | None) -> None:
    context = None
    if demands is not None:
        chain, key = issue_for_localhost(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        if demands:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(chain)
    with answering(context) as port:
        assert is_healthy(port)


def test_the_exit_code_says_that_nothing_answers() -> None:
    with answering() as port:
        pass
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "HTTP_PORT": str(port)}
    command = [sys.executable, "-m", "poh_holdmetrics.healthcheck"]
    assert subprocess.run(command, env=environment, check=False).returncode == 1

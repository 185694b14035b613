"""`serve --store immudb://` while immudb is away and is killed, and while the service is killed."""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="no grpcio: pip install 'poh-holdmetrics[immudb]'")

from served import program, serving
from servers.immudb import Immudb, immudb_program
from store_events import facts, lag, lag_in_metrics, mixed_events, send, served, store, stored, try_now

pytestmark = pytest.mark.services

#: What waits while the server is away.
EVENTS = 100_000


def test_a_server_that_was_away_ends_equal_to_the_journal(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    immudb = Immudb(immudb_program(), tmp_path / "server")
    url = immudb.url("trail", state=tmp_path / "trail.state")
    # Not as an argument, because of the password.
    environment = {"HOLDMETRICS_SERVE_STORE": url}
    events = list(mixed_events(EVENTS))
    try:
        with serving(tmp_path, [], environment) as service:
            seconds = send(service, events)
            # No acknowledgement waits for an attempt to reach the server.
            assert statistics.median(seconds) < 2
            assert lag(service) >= EVENTS
            assert lag_in_metrics(service) >= EVENTS
            assert store(service)["file"] == f"immudb://127.0.0.1:{immudb.port}/trail"
            immudb.start()
            try_now(service)
            service.until(lambda: 0 < lag(service) < EVENTS, 60)
            immudb.kill()
            immudb.start()
            try_now(service)
            service.kill()
        with serving(tmp_path, [], environment) as service:
            service.until(lambda: lag(service) == 0, 120)
            count, scores = stored(immudb.url("trail"))
            assert count == facts(events)
            assert scores == served(service)
        executable, own = program()
        command = [executable, "audit", "verify", "--store", url, "--data-dir", str(tmp_path / "data")]
        audited = subprocess.run(command, env=own, capture_output=True, text=True, timeout=120, check=False)
        assert audited.returncode == 0, audited.stdout + audited.stderr
        assert f"{count} events stored, 0 deleted" in audited.stdout
    finally:
        immudb.kill()

"""`serve --store immudb://` while immudb is away and is killed, and while the service is killed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="no grpcio: pip install 'poh-holdmetrics[immudb]'")

from served import program, serving
from servers.immudb import Immudb, immudb_program
from store_events import (
    EVENTS,
    check_acknowledgements_over_a_pause,
    facts,
    kill_both_while_delivering,
    lag,
    mixed_events,
    served,
    store,
    stored,
)

pytestmark = pytest.mark.services


def test_acknowledgements_do_not_wait_for_a_server_that_answers_nothing(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    immudb = Immudb(immudb_program(), tmp_path / "server")
    url = immudb.url("trail")
    immudb.start()
    try:
        with serving(tmp_path, [], {"HOLDMETRICS_SERVE_STORE": url}) as service:
            check_acknowledgements_over_a_pause(service, immudb, url)
    finally:
        immudb.kill()


def test_a_server_that_was_away_ends_equal_to_the_journal(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    immudb = Immudb(immudb_program(), tmp_path / "server")
    url = immudb.url("trail", state=tmp_path / "trail.state")
    # Not as an argument, because of the password.
    environment = {"HOLDMETRICS_SERVE_STORE": url}
    events = list(mixed_events(EVENTS))
    try:
        with serving(tmp_path, [], environment) as service:
            assert store(service)["file"] == f"immudb://127.0.0.1:{immudb.port}/trail"
            kill_both_while_delivering(service, immudb, events)
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

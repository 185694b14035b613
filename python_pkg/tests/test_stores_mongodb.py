"""`serve --store mongodb://` while mongod is away and is killed, and while the service is killed."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

pytest.importorskip("pymongo", reason="no pymongo: pip install 'poh-holdmetrics[mongodb]'")

from served import serving
from servers.mongod import UNCLOSED_SOCKETS, Mongod, collect_sockets, mongod_program
from store_events import facts, lag, lag_in_metrics, mixed_events, send, served, stored, try_now

pytestmark = [UNCLOSED_SOCKETS, pytest.mark.services]

#: What waits while the server is away.
EVENTS = 100_000


def test_a_server_that_was_away_ends_equal_to_the_journal(tmp_path: Path) -> None:
    mongod = Mongod(mongod_program(), tmp_path)
    arguments = ["--store", "mongodb://"]
    address = mongod.url.replace("/?", "/scores?")
    environment = {"MONGODB_URL": address}
    events = list(mixed_events(EVENTS))
    try:
        with serving(tmp_path, [], environment, arguments) as service:
            seconds = send(service, events)
            # An attempt to reach the server takes five seconds; no acknowledgement waits for one.
            assert statistics.median(seconds) < 2
            assert lag(service) >= EVENTS
            assert lag_in_metrics(service) >= EVENTS
            mongod.start()
            try_now(service)
            service.until(lambda: 0 < lag(service) < EVENTS, 60)
            mongod.kill()
            mongod.start()
            try_now(service)
            service.kill()
        with serving(tmp_path, [], environment, arguments) as service:
            service.until(lambda: lag(service) == 0, 120)
            count, scores = stored(address)
            assert count == facts(events)
            assert scores == served(service)
    finally:
        mongod.kill()
        collect_sockets()

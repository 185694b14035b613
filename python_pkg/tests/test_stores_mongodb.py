"""`serve --store mongodb://` while mongod is away and is killed, and while the service is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pymongo", reason="no pymongo: pip install 'poh-holdmetrics[mongodb]'")

from served import serving
from servers.mongod import UNCLOSED_SOCKETS, Mongod, collect_sockets, mongod_program
from store_events import facts, lag, lag_in_metrics, mixed_events, send, served, stored, try_now

pytestmark = [UNCLOSED_SOCKETS, pytest.mark.services]

#: What waits while the server is away.
EVENTS = 100_000


def test_acknowledgements_do_not_wait_for_a_server_that_answers_nothing(tmp_path: Path) -> None:
    mongod = Mongod(mongod_program(), tmp_path)
    address = mongod.url.replace("/?", "/scores?")
    events = list(mixed_events(EVENTS))
    mongod.start()
    try:
        with serving(tmp_path, [], {"MONGODB_URL": address}, ["--store", "mongodb://"]) as service:
            send(service, events[:2_000])
            service.until(lambda: lag(service) == 0, 60)
            # From here on the server takes connections and answers nothing: every call to it hangs.
            mongod.pause()
            try:
                send(service, events[2_000:])
                # Each of them was acknowledged while not one could be stored.
                waiting = lag(service)
                assert waiting >= len(events) - 2_000
                assert lag_in_metrics(service) == waiting
                scores = served(service)
            finally:
                mongod.go_on()
            try_now(service)
            service.until(lambda: lag(service) == 0, 180)
            count, found = stored(address)
            assert count == facts(events)
            assert found == scores == served(service)
    finally:
        mongod.kill()
        collect_sockets()


def test_a_server_that_was_away_ends_equal_to_the_journal(tmp_path: Path) -> None:
    mongod = Mongod(mongod_program(), tmp_path)
    arguments = ["--store", "mongodb://"]
    address = mongod.url.replace("/?", "/scores?")
    environment = {"MONGODB_URL": address}
    events = list(mixed_events(EVENTS))
    try:
        with serving(tmp_path, [], environment, arguments) as service:
            # Every acknowledgement arrives although nothing can be stored.
            send(service, events)
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

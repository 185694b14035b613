"""`serve --store mongodb://` while mongod is away and is killed, and while the service is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pymongo", reason="no pymongo: pip install 'poh-holdmetrics[mongodb]'")

from served import serving
from servers.mongod import UNCLOSED_SOCKETS, Mongod, collect_sockets, mongod_program
from store_events import (
    EVENTS,
    check_acknowledgements_over_a_pause,
    facts,
    kill_both_while_delivering,
    lag,
    mixed_events,
    served,
    stored,
)

pytestmark = [UNCLOSED_SOCKETS, pytest.mark.services]


def test_acknowledgements_do_not_wait_for_a_server_that_answers_nothing(tmp_path: Path) -> None:
    mongod = Mongod(mongod_program(), tmp_path)
    address = mongod.url.replace("/?", "/scores?")
    mongod.start()
    try:
        with serving(tmp_path, [], {"MONGODB_URL": address}, ["--store", "mongodb://"]) as service:
            check_acknowledgements_over_a_pause(service, mongod, address)
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
            kill_both_while_delivering(service, mongod, events)
        with serving(tmp_path, [], environment, arguments) as service:
            service.until(lambda: lag(service) == 0, 120)
            count, scores = stored(address)
            assert count == facts(events)
            assert scores == served(service)
    finally:
        mongod.kill()
        collect_sockets()

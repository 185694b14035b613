"""`app_holdmetrics worker --store mongodb://` against a real mongod that is killed meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import pytest

pytest.importorskip("pymongo", reason="no pymongo: pip install 'poh-holdmetrics[mongodb]'")

from conftest import PACKAGE
from poh_holdmetrics import AsyncTracker, HoldEvent, Transfer
from servers.mongod import UNCLOSED_SOCKETS, Mongod, collect_sockets, mongod_program
from store_events import AS_OF, facts, mixed_events, stored

pytestmark = [UNCLOSED_SOCKETS, pytest.mark.services]


def test_a_worker_flushes_what_waited_while_the_server_was_away(tmp_path: Path) -> None:
    mongod = Mongod(mongod_program(), tmp_path)
    url = mongod.url.replace("/?", "/scores?")
    events = list(mixed_events(2_000))
    command = [sys.executable, "-m", "poh_holdmetrics.app_holdmetrics", "worker"]
    environment = {**os.environ, "LOG_LEVEL": "info", "PYTHONPATH": str(PACKAGE.parent), "MONGODB_URL": url}
    mongod.start()
    try:
        with subprocess.Popen(
            [*command, "--flush-interval", "100ms"],
            env=environment,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdin is not None
                assert process.stderr is not None
                read_until("Reading events as JSON lines from standard input.", process.stderr)
                mongod.kill()
                write(process.stdin, events[:1_000])
                read_until(" events wait in memory: ", process.stderr)
                mongod.start()
                read_until("The storage has taken the events that waited.", process.stderr)
                write(process.stdin, events[1_000:])
                process.stdin.close()
                read_until(f"Stopped: {len(events)} lines recorded, 0 refused.", process.stderr)
                assert process.wait(timeout=60) == 0
            finally:
                process.kill()
        assert stored(url) == (facts(events), scores(events))
    finally:
        mongod.kill()
        collect_sockets()


def write(stdin: IO[str], events: Iterable[dict[str, object]]) -> None:
    stdin.writelines(json.dumps(event) + "\n" for event in events)
    stdin.flush()


def read_until(sentence: str, log: IO[str]) -> None:
    seen: list[str] = []
    while not (seen and sentence in seen[-1]):
        seen.append(log.readline())
        assert seen[-1], seen


def scores(events: Iterable[dict[str, object]]) -> dict[str, tuple[str, int]]:
    """The scores of the events, computed without a storage."""

    async def ask() -> dict[str, tuple[str, int]]:
        tracker = AsyncTracker()
        await tracker.record_batch(
            [(Transfer if "from_id" in event else HoldEvent).model_validate(event) for event in events]
        )
        return {row.holder_id: (row.score, row.held_us) for row in await tracker.snapshot(as_of=AS_OF)}

    return asyncio.run(ask())

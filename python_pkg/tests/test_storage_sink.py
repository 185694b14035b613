"""A storage behind a pipeline: it is away and comes back, the service restarts, and the ends are equal."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from poh_holdmetrics import HoldEvent, Pipeline, native
from poh_holdmetrics.errors import InputError, StorageUnavailable
from poh_holdmetrics.pure.aggregator import Recorded
from poh_holdmetrics.storage import MemoryStorage, SqliteStorage, Storage, sink
from poh_holdmetrics.testing import PipelineHarness


class Absent(MemoryStorage):
    """A storage whose server is away when the test says so, also in the middle of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.attempts = 0

    async def save_events(self, events: Iterable[Recorded]) -> int:
        self.attempts += 1
        given = [HoldEvent.from_record(record) for event in events for record in event.records()]
        if self.is_away:
            await super().save_events(given[: len(given) // 2])
            raise StorageUnavailable("absent", "no server")
        return await super().save_events(given)


def archive(storage: Storage) -> Pipeline:
    pipeline = Pipeline("archive")
    pipeline.sink("storage", batch=100, flush="1s", retries=1_000_000)(sink(storage))
    return pipeline


def fed(harness: PipelineHarness, first: int, count: int) -> None:
    harness.feed(
        *(
            {"token_id": "T", "holder_id": f"h{i % 50}", "start": i * 1000}
            for i in range(first, first + count)
        ),
        {"token_id": "T", "from_id": "h1", "to_id": "h2", "at": first, "amount": 1, "event_id": f"t{first}"},
    )


def test_a_storage_that_was_away_ends_equal_to_the_journal() -> None:
    storage = Absent()
    with PipelineHarness(archive(storage), raise_failures=False) as harness:
        fed(harness, 0, 500)
        harness.advance("2s")
        storage.is_away = True
        for second in range(1, 20):
            fed(harness, second * 1000, 500)
            harness.advance("1s")
        assert asyncio.run(storage.count()) < 1000
        harness.restart(crash=True)
        harness.advance("10m")
        assert storage.attempts > 10
        storage.is_away = False
        harness.advance("10m")
        expected = asyncio.run(harness.tracker.snapshot("2026-01-01"))
    found = asyncio.run(storage.snapshot("2026-01-01"))
    assert asyncio.run(storage.count()) == 20 * 502
    assert (found.rows(), found.deficits) == (expected.rows(), expected.deficits)


def test_a_file_of_sqlite_follows_a_pipeline(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    storage = SqliteStorage(path)
    with PipelineHarness(archive(storage)) as harness:
        fed(harness, 0, 250)
        harness.advance("2s")
        harness.restart(crash=True)
        fed(harness, 1000, 250)
        harness.advance("2s")
        expected = asyncio.run(harness.tracker.snapshot("2026-01-01")).rows()
    asyncio.run(storage.close())

    async def stored() -> list[native.Row]:
        async with SqliteStorage(path) as again:
            assert await again.get_stats("2026-01-01")
            return (await again.snapshot("2026-01-01")).rows()

    assert asyncio.run(stored()) == expected


def test_a_storage_that_falls_back_is_refused() -> None:
    class Falling(MemoryStorage):
        @property
        def has_fallback(self) -> bool:
            return True

    with pytest.raises(InputError, match=r"storage: has a fallback in memory.*give fallback=False"):
        sink(Falling())


@pytest.mark.parametrize("is_address", [True, False])
def test_a_storage_that_the_sink_opened_is_closed_with_the_pipeline(tmp_path: Path, is_address: bool) -> None:
    path = tmp_path / "events.db"
    log = tmp_path / "events.db-wal"
    pipeline = Pipeline("archive")
    given = f"sqlite:///{path}" if is_address else partial(SqliteStorage, path)
    pipeline.sink("storage", batch=100, flush="1s")(sink(given))
    with PipelineHarness(pipeline) as harness:
        fed(harness, 0, 250)
        harness.advance("2s")
        # SQLite removes the log when the last connection is closed.
        assert log.exists()
        harness.restart()
        assert not log.exists()
        fed(harness, 1000, 250)
        harness.advance("2s")
        assert log.exists()
    assert not log.exists()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (504,)


def test_a_storage_that_cannot_be_closed_is_named(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryStorage):
        async def close(self) -> None:
            raise StorageUnavailable("broken", "closed with 3 events in memory, which are lost")

    pipeline = Pipeline("archive")
    pipeline.sink("storage", batch=1)(sink(Broken))
    with PipelineHarness(pipeline) as harness:
        fed(harness, 0, 2)
        harness.advance("2s")
    assert "archive/storage was not closed: broken: closed with 3 events in memory" in caplog.text

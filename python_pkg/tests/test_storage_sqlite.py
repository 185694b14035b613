"""What is particular to the SQLite storage: its file, its durability, and other processes."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import PACKAGE
from poh_holdmetrics import HoldEvent, native
from poh_holdmetrics.errors import InputError, StorageError, StorageUnavailable
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.storage import SqliteStorage, Storage, storage_from_url
from poh_holdmetrics.storage.rows import row_with_id
from poh_holdmetrics.tracker import HoldSnapshot

LARGEST_WEIGHT = "340282366920938463463.374607431768211455"
EVENTS = [HoldEvent.model_validate({"token_id": "T", "holder_id": f"h{i}", "start": i}) for i in range(100)]

#: What created a file before the ids were unique together with the times.
_FIRST_VERSION = """
CREATE TABLE events (
    number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, token_id TEXT NOT NULL, holder_id TEXT NOT NULL,
    start_us INTEGER, end_us INTEGER, weight_wads TEXT NOT NULL, event_id TEXT, revision INTEGER NOT NULL,
    retract INTEGER NOT NULL, at_us INTEGER, delta_wads TEXT, seq INTEGER NOT NULL
);
PRAGMA application_id = 1349470285;
PRAGMA user_version = 1;
"""

#: Saves batches for ever and writes the number of each that has returned.
_WRITER = """
import asyncio, sys
from poh_holdmetrics import HoldEvent
from poh_holdmetrics.storage import SqliteStorage

async def main():
    storage = SqliteStorage(sys.argv[1])
    batch = 0
    while True:
        await storage.save_events(
            [HoldEvent(token_id="T", holder_id=f"{batch}/{i}", start=i) for i in range(20)]
        )
        print(batch, flush=True)
        batch += 1

asyncio.run(main())
"""


def test_what_was_saved_is_there_after_the_writer_was_killed(python: str, tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    writer = subprocess.Popen(
        [python, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, cwd=PACKAGE.parent, text=True
    )
    with writer:
        assert writer.stdout is not None
        while (last := writer.stdout.readline().strip()) != "30":
            assert last, "the writer ended"
        writer.send_signal(signal.SIGKILL)
        returned = [30, *map(int, writer.stdout.read().split())]
    assert writer.returncode == -signal.SIGKILL

    async def scenario() -> list[str]:
        async with SqliteStorage(path) as storage:
            assert await storage.save_events(EVENTS) == len(EVENTS)
            assert await storage.purge(holder_id="h0") == 1
            return [event.holder_id async for event in storage.scan() if "/" in event.holder_id]

    found = asyncio.run(scenario())
    # One more transaction may have been committed than was reported; none is there in part.
    assert len(found) in (20 * (returned[-1] + 1), 20 * (returned[-1] + 2))
    assert found == [f"{batch}/{i}" for batch in range(len(found) // 20) for i in range(20)]


def test_a_file_is_opened_again_and_shared(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with SqliteStorage(tmp_path / "events.db") as one, SqliteStorage(tmp_path / "events.db") as two:
            saved = await asyncio.gather(
                *(storage.save_event(event) for event in EVENTS for storage in (one, two))
            )
            assert sum(saved) == len(EVENTS) == await two.count()
        async with SqliteStorage(tmp_path / "events.db") as again:
            assert [event async for event in again.scan()] == EVENTS

    asyncio.run(scenario())


def _opened(path: Path) -> None:
    async def scenario() -> None:
        storage: Storage = SqliteStorage(path)
        try:
            await storage.start()
        finally:
            await storage.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "script", ["CREATE TABLE other (x)", "PRAGMA user_version = 1", "PRAGMA user_version = 3"]
)
def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path, script: str) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.executescript(script)
    other.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"other\.db: a database of another program.* path of a new file"):
        _opened(path)
    assert path.read_bytes() == before


def test_a_version_leaves_the_folder_as_it_is_and_refuses_what_opening_would(tmp_path: Path) -> None:
    async def told(path: Path) -> str:
        storage = SqliteStorage(path)
        try:
            return await storage.version()
        finally:
            await storage.close()

    assert asyncio.run(told(tmp_path / "new.db")) == f"SQLite {sqlite3.sqlite_version}"
    assert not list(tmp_path.iterdir())
    _opened(tmp_path / "events #1?.db")
    before = [(each, each.read_bytes()) for each in tmp_path.iterdir()]
    assert asyncio.run(told(tmp_path / "events #1?.db")) == f"SQLite {sqlite3.sqlite_version}"
    assert [(each, each.read_bytes()) for each in tmp_path.iterdir()] == before
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE other (x)")
    (tmp_path / "text.db").write_text("no database at all, but some text" * 100)
    for path, sentence in [
        ("other.db", "a database of another program; give the path of a new file"),
        ("text.db", "file is not a database"),
        ("away/events.db", "the folder .*/away is missing; create it"),
    ]:
        with pytest.raises(StorageError, match=sentence):
            asyncio.run(told(tmp_path / path))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("no database at all, but some text" * 100)
    with pytest.raises(StorageError, match=r"text\.db: file is not a database"):
        _opened(path)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match=r"away/events\.db: unable to open database file"):
        _opened(tmp_path / "away" / "events.db")


def test_a_writer_that_holds_the_lock_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    _opened(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def scenario() -> None:
        async with SqliteStorage(path, busy_seconds=0.05) as storage:
            with pytest.raises(StorageUnavailable, match="database is locked"):
                await storage.save_events(EVENTS)
            assert await storage.count() == 0
            other.execute("COMMIT")
            assert await storage.save_events(EVENTS) == len(EVENTS)

    asyncio.run(scenario())
    other.close()


def test_a_batch_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    half = HoldEvent.from_record(EVENTS[0].record()._replace(holder_id="\ud800"))

    async def scenario() -> None:
        async with SqliteStorage(tmp_path / "events.db") as storage:
            with pytest.raises(UnicodeEncodeError):
                await storage.save_events([EVENTS[0], half])
            assert await storage.count() == 0
            assert await storage.save_events(EVENTS) == len(EVENTS)

    asyncio.run(scenario())


def test_a_file_of_the_first_version_is_migrated_and_counts_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    retraction = HoldEvent.model_validate(
        {"token_id": "T", "holder_id": "h", "event_id": "a", "retract": True}
    )
    old = sqlite3.connect(path)
    old.executescript(_FIRST_VERSION)
    for event in [*EVENTS[:50], retraction]:
        old.execute(
            "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row_with_id(event.record()),
        )
    old.commit()
    old.close()

    async def scenario() -> None:
        async with SqliteStorage(path) as storage, SqliteStorage(path) as other:
            assert await storage.count() == 51
            assert await storage.save_events([*EVENTS, retraction]) == 50
            assert await other.save_events([*EVENTS, retraction]) == 0
            assert [event async for event in storage.scan()] == [*EVENTS[:50], retraction, *EVENTS[50:]]

    asyncio.run(scenario())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    holds=st.lists(
        st.tuples(st.sampled_from("gh"), st.integers(0, 30), st.integers(0, 12), st.integers(0, 2)),
        min_size=1,
        max_size=25,
        unique=True,
    ),
    as_of=st.integers(0, 45),
    from_=st.none() | st.integers(0, 45),
)
def test_sums_of_sql_are_those_of_the_facts(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    holds: list[tuple[str, int, int, int]],
    as_of: int,
    from_: int | None,
) -> None:
    monkeypatch.setenv(native.DISABLE_VARIABLE, "1")
    events = [
        HoldEvent.model_validate(
            {"token_id": "T", "holder_id": holder, "start": at, "end": at + length, "weight": weight}
        )
        for holder, at, length, weight in holds
    ]
    events.append(
        HoldEvent.model_validate({"token_id": "U", "holder_id": "g", "start": 3, "weight": LARGEST_WEIGHT})
    )
    events += [
        HoldEvent.model_validate(
            {
                "token_id": token,
                "holder_id": "i",
                "start": 0,
                "end": "9999-12-31T00:00:00Z",
                "weight": LARGEST_WEIGHT,
            }
        )
        for token in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
    ]
    pure = Aggregator()
    pure.record_events(events)

    async def scenario() -> HoldSnapshot:
        async with SqliteStorage(tmp_path_factory.mktemp("sums") / "events.db") as storage:
            await storage.save_events(events)
            return await storage.snapshot(as_of, from_)

    found = asyncio.run(scenario())
    expected = pure.snapshot(as_of * 1000, None if from_ is None else from_ * 1000)
    assert (found.rows(), found.deficits) == (expected.rows(), expected.deficits)


def test_columns_hold_integers_and_text_and_no_floats(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    event = HoldEvent.model_validate({"token_id": "T", "holder_id": "h", "start": 1, "weight": 0.1})

    async def scenario() -> None:
        async with SqliteStorage(path) as storage:
            await storage.save_event(event)

    asyncio.run(scenario())
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT start_us, weight_wads, delta_wads FROM events").fetchall() == [
        (1000, "1" + "0" * 17, None)
    ]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_addresses_name_the_storages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONGODB_URL", raising=False)

    async def saved(url: str | None) -> int:
        async with storage_from_url(url) as storage:
            return await storage.save_events(EVENTS)

    assert asyncio.run(saved("memory://")) == asyncio.run(saved("sqlite:///events.db")) == len(EVENTS)
    assert asyncio.run(saved(f"sqlite:///{tmp_path}/events.db")) == 0
    with pytest.raises(InputError, match=r"url: missing; give one of .*, or set MONGODB_URL"):
        storage_from_url()
    (tmp_path / ".env").write_text("MONGODB_URL=sqlite:///events.db\n")
    assert asyncio.run(saved(None)) == 0
    monkeypatch.setenv("MONGODB_URL", "memory://")
    assert asyncio.run(saved(None)) == len(EVENTS)


@pytest.mark.parametrize(
    "url", ["events.db", "sqlite://events.db", "sqlite:///", "memory://x", "postgres://u:secret@host/x"]
)
def test_an_invalid_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InputError, match=r"url: .*expected .*found") as refused:
        storage_from_url(url)
    assert "secret" not in str(refused.value)


def test_a_path_that_would_be_memory_is_refused() -> None:
    with pytest.raises(InputError, match="use memory://"):
        SqliteStorage(":memory:")

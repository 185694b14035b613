"""Events in one SQLite file: the durable storage that needs nothing but Python.

Write-ahead log, every commit synced: what `save_events` has returned for survives the end of the process and
a loss of power. One thread writes and another one reads, so questions do not delay saving. Several processes
may use a file; SQLite lets one of them write at a time. Scores are computed from the facts by native code,
see `scoring`; without it, by SQL as far as that is exact, see `sqlite_scores`.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from poh_holdmetrics import native
from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import InputError, StorageError, StorageUnavailable
from poh_holdmetrics.storage.port import Storage
from poh_holdmetrics.storage.rows import COLUMNS, Row, record_from_row, row_parts
from poh_holdmetrics.storage.scoring import Scorer
from poh_holdmetrics.storage.sqlite_scores import mostly_plain, snapshot_by_sql
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.instants import Instant
    from poh_holdmetrics.pure.aggregator import Recorded
    from poh_holdmetrics.tracker import HoldSnapshot

_Answer = TypeVar("_Answer")

#: In the header of the file: "PoHM", and the version of the table.
_APPLICATION_ID = 0x506F484D
_VERSION = 2
_KNOWN = ((_APPLICATION_ID, 1), (_APPLICATION_ID, _VERSION))
_NAMES = ", ".join(COLUMNS)
_CREATE = """
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    token_id TEXT NOT NULL,
    holder_id TEXT NOT NULL,
    start_us INTEGER,
    end_us INTEGER,
    weight_wads TEXT NOT NULL,
    event_id TEXT,
    revision INTEGER NOT NULL,
    retract INTEGER NOT NULL,
    at_us INTEGER,
    delta_wads TEXT,
    seq INTEGER NOT NULL
)
"""
#: Equal events have equal times, so time and id are unique where the id is. Ids alone are scattered: every
#: transaction would write most pages of their index, but events arrive about in the order of their times.
_CREATE_ONCE = "CREATE UNIQUE INDEX events_once ON events (coalesce(start_us, at_us, end_us, 0), id)"
#: Version 1 had the unique ids in the table itself.
_COPY = (
    f"INSERT INTO events (number, id, {_NAMES})"  # noqa: S608 - names of columns
    f" SELECT number, id, {_NAMES} FROM events_of_version_1 ORDER BY number"
)
_MIGRATE = (
    "ALTER TABLE events RENAME TO events_of_version_1",
    _CREATE,
    _COPY,
    "DROP TABLE events_of_version_1",
    _CREATE_ONCE,
)
_VALUES = f"(?{', ?' * len(COLUMNS)})"
_INSERT = f"INSERT OR IGNORE INTO events (id, {_NAMES}) VALUES {_VALUES}"  # noqa: S608
#: Rows of one statement, which is a third faster than one statement a row.
_INSERT_ROWS = 50
_INSERT_MANY = _INSERT + f", {_VALUES}" * (_INSERT_ROWS - 1)
_PAGE = f"SELECT number, {_NAMES} FROM events WHERE number > ? AND number <= ? ORDER BY number LIMIT ?"  # noqa: S608
_ALL = f"SELECT {_NAMES} FROM events"  # noqa: S608
_PAGE_ROWS = 1000
_SCORED_ROWS = 50_000


class SqliteStorage(Storage):
    """A `Storage` in a file; its queries and commits run in threads of their own."""

    def __init__(self, path: str | Path, *, busy_seconds: float = 10.0) -> None:
        """The file is created if it is missing. `busy_seconds` is how long another process is waited for."""
        if str(path) in ("", ":memory:"):
            raise InputError("path", "expected the path of a file; for events in memory use memory://")
        self._path = Path(path)
        self._writer = _Thread(self._path, "holdmetrics-sqlite-writer", busy_seconds)
        self._reader = _Thread(self._path, "holdmetrics-sqlite-reader", busy_seconds)

    @property
    def is_fallback(self) -> bool:
        """A file has no fallback: saving raises if it cannot be written."""
        return False

    @property
    def has_fallback(self) -> bool:
        """As `is_fallback`."""
        return False

    async def start(self) -> None:
        """Open the file, or create it; refuse one that is not a storage."""
        await self._writer.call(lambda _: None)

    async def ping(self) -> None:
        """Read from the file."""
        await self._ask(lambda connection: connection.execute("SELECT 1 FROM events LIMIT 1").fetchone())

    async def version(self) -> str:
        """That of the library, if the file is one of events, or could be created."""
        if self._writer.is_closed:
            raise StorageError(f"sqlite {self._path}", "closed")
        await asyncio.to_thread(_examine, self._path)
        return f"SQLite {sqlite3.sqlite_version}"

    async def save_events(self, events: Iterable[Recorded]) -> int:
        """Save all of `events` in one transaction, or none."""
        return await self._writer.call(partial(_insert, list(events)))

    async def snapshot(
        self,
        as_of: Instant | None = None,
        from_: Instant | None = None,
        *,
        closed_only: bool | None = None,
    ) -> HoldSnapshot:
        """The scores of the events saved before the call."""
        window = Window.of(as_of, from_, closed_only=closed_only)
        return await self._ask(partial(_scored, window))

    async def scan(self) -> AsyncIterator[HoldEvent]:
        """The events in the order in which they were saved, a page at a time, without a long transaction."""
        number = 0
        last = await self._ask(_last_number)
        while rows := await self._ask(partial(_page, number, last)):
            number = rows[-1][0]
            for row in rows:
                yield HoldEvent.from_record(record_from_row(row[1:]))

    async def count(self) -> int:
        """How many events are in the file."""
        return await self._ask(
            lambda connection: int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
        )

    async def purge(self, *, token_id: str | None = None, holder_id: str | None = None) -> int:
        """Remove events in one transaction; their pages are used again, the file does not shrink."""
        return await self._writer.call(partial(_purge, token_id, holder_id))

    async def close(self) -> None:
        """Close the file after what is running has ended."""
        await self._reader.close()
        await self._writer.close()

    async def _ask(self, question: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        await self.start()
        return await self._reader.call(question)


class _Thread:
    """One connection and the thread that alone uses it."""

    def __init__(self, path: Path, name: str, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: sqlite3.Connection | None = None
        self.is_closed = False

    async def call(self, function: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        if self.is_closed:
            raise StorageError(f"sqlite {self._path}", "closed")
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._answer, function)

    async def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            await asyncio.get_running_loop().run_in_executor(self._executor, self._disconnect)
            self._executor.shutdown(wait=False)

    def _answer(self, function: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        try:
            if self._connection is None:
                self._connection = _connected(self._path, self._busy_seconds)
            return function(self._connection)
        except sqlite3.OperationalError as error:
            raise StorageUnavailable(f"sqlite {self._path}", str(error)) from error
        except sqlite3.Error as error:
            raise StorageError(f"sqlite {self._path}", str(error)) from error

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connected(path: Path, busy_seconds: float) -> sqlite3.Connection:
    # Transactions are begun and ended here, not by the module.
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    # In KiB and in pages: the index of a large file is not read again and again, nor copied back for each
    # few transactions. Events in no order change most pages of it in each transaction.
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA wal_autocheckpoint = 65536")
    match _version_of(connection, path):
        case 0:
            _create(connection, path)
        case 1:
            _migrate(connection)
    # The file keeps this. It is set each time, because the process that created it may have ended before.
    connection.execute("PRAGMA journal_mode = WAL")


def _examine(path: Path) -> None:
    """Raise what opening the file would raise, without creating or changing anything."""
    name = f"sqlite {path}"
    if not path.parent.is_dir():
        raise StorageUnavailable(name, f"the folder {path.parent} is missing; create it")
    writable = path if path.exists() else path.parent
    if not os.access(writable, os.W_OK):
        raise StorageUnavailable(name, f"{writable} cannot be written to; give its user the right")
    if path.exists():
        # Without the log and without locks: a file of events never becomes that of another program.
        address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
        try:
            with closing(sqlite3.connect(address, uri=True)) as connection:
                if _version_of(connection, path) == 0:
                    _refuse_tables(connection, path)
        except sqlite3.Error as error:
            raise StorageError(name, str(error)) from error


def _version_of(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the table, 0 if there is none yet; raises `StorageError` if the file is another's."""
    version = _pragma(connection, "user_version")
    if version and (_pragma(connection, "application_id"), version) not in _KNOWN:
        raise StorageError(
            f"sqlite {path}",
            "a database of another program or of a later version; give the path of a new file",
        )
    return version


def _refuse_tables(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None:
        raise StorageError(f"sqlite {path}", "a database of another program; give the path of a new file")


def _create(connection: sqlite3.Connection, path: Path) -> None:
    with _transaction(connection):
        # Another process may have created it meanwhile.
        if _pragma(connection, "user_version") == 0:
            _refuse_tables(connection, path)
            connection.execute(_CREATE)
            connection.execute(_CREATE_ONCE)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")


def _migrate(connection: sqlite3.Connection) -> None:
    with _transaction(connection):
        # Another process may have done it meanwhile.
        if _pragma(connection, "user_version") == 1:
            for statement in _MIGRATE:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # The lock of the writer is taken at once: a transaction that reads first could not wait for it.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _insert(events: Sequence[Recorded], connection: sqlite3.Connection) -> int:
    before = connection.total_changes
    with _transaction(connection):
        for rows in row_parts(events):
            whole = len(rows) - len(rows) % _INSERT_ROWS
            connection.executemany(
                _INSERT_MANY,
                (
                    list(chain.from_iterable(rows[begin : begin + _INSERT_ROWS]))
                    for begin in range(0, whole, _INSERT_ROWS)
                ),
            )
            connection.executemany(_INSERT, rows[whole:])
    return connection.total_changes - before


def _purge(token_id: str | None, holder_id: str | None, connection: sqlite3.Connection) -> int:
    with _transaction(connection):
        return connection.execute(
            "DELETE FROM events WHERE (:token_id IS NULL OR token_id = :token_id)"
            " AND (:holder_id IS NULL OR holder_id = :holder_id)",
            {"token_id": token_id, "holder_id": holder_id},
        ).rowcount


def _last_number(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()[0])


def _page(number: int, last: int, connection: sqlite3.Connection) -> list[tuple[int, *Row]]:
    return connection.execute(_PAGE, (number, last, _PAGE_ROWS)).fetchall()


def _scored(window: Window, connection: sqlite3.Connection) -> HoldSnapshot:
    if native.namespace() is None and mostly_plain(connection):
        return snapshot_by_sql(connection, window, _ALL, record_from_row)
    scorer = Scorer()
    with closing(connection.execute(_ALL)) as cursor:
        while rows := cursor.fetchmany(_SCORED_ROWS):
            scorer.add([record_from_row(row) for row in rows])
    return scorer.snapshot(window)

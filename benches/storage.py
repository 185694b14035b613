"""Storages as sinks of a pipeline, and their statistics: events a second beside what a user would write.

    PYTHONPATH=python_pkg:tests python benches/storage.py --events 1000000

With MongoDB, what its server sums by itself is measured beside `get_stats`, which computes from the events
because that is faster; see docs/decisions/scores-from-facts.md. Prints a table for each backend: wall time,
CPU time of this process, and the ratio to plain `executemany` or `insert_many` of the same rows without ids,
in one run. Writes nothing but temporary files. A server is started by `tests/servers`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pymongo
from bson.int64 import Int64
from pymongo.write_concern import WriteConcern

from poh_holdmetrics import native
from poh_holdmetrics.pipeline.batch import ColumnBatch
from poh_holdmetrics.storage import MongoStorage, SqliteStorage, Storage, sink
from poh_holdmetrics.storage.rows import COLUMNS, record_from_row, row_from_record
from poh_holdmetrics.storage.scoring import Scorer
from poh_holdmetrics.validation import Record
from poh_holdmetrics.windows import Window
from servers.mongod import Mongod, mongod_program

#: Events of one call, as the service makes them.
_SQLITE_BATCH = 50_000
_MONGODB_BATCH = 10_000
#: Of the MongoDB server: less than its defaults, and enough for the indexes of a million events.
_CACHE_GB = 4
_OPLOG_MB = 1024
_WAD = 10**18
_YEAR_US = 365 * 86_400 * 1_000_000


def _events(count: int, seed: int) -> list[Record]:
    """Closed holds of 8 tokens in the order of their starts, 10 holders for each 100 events."""
    draw = random.Random(seed)  # noqa: S311 - the same events each time
    begin = 1_700_000_000_000_000
    starts = sorted(begin + draw.randrange(_YEAR_US) for _ in range(count))
    return [
        Record(
            f"token-{draw.randrange(8)}",
            f"0x{draw.randrange(max(count // 10, 1)):040x}",
            start_us,
            start_us + draw.randrange(_YEAR_US // 12),
            draw.randrange(1, 100) * _WAD,
            event_id=None,
            revision=0,
            retract=False,
        )
        for start_us in starts
    ]


class _Clock:
    """Wall time and CPU time of this process since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def seconds(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def _print(what: str, events: int, seconds: tuple[float, float], plain: float | None = None) -> None:
    wall, cpu = seconds
    ratio = "" if plain is None else f"  {plain / wall:5.2f} of plain"
    print(f"{what:44} {events / wall:9,.0f}/s  {wall:7.2f} s  CPU {cpu:7.2f} s{ratio}", flush=True)


def _parts(records: list[Record], batch: int) -> Iterator[list[Record]]:
    for begin in range(0, len(records), batch):
        yield records[begin : begin + batch]


async def _sunk(storage: Storage, records: list[Record], batch: int) -> tuple[float, float]:
    """The time in which a sink saves all batches, one after the other, as a pipeline calls it."""
    save = sink(storage)
    await storage.start()
    clock = _Clock()
    first = 1
    for part in _parts(records, batch):
        await save(ColumnBatch(part, first, first + len(part) - 1), None)
        first += len(part)
    return clock.seconds()


def _plain_sqlite(path: Path, records: list[Record]) -> tuple[float, float]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"CREATE TABLE events ({', '.join(COLUMNS)})")
        clock = _Clock()
        for part in _parts(records, _SQLITE_BATCH):
            with connection:
                connection.executemany(
                    f"INSERT INTO events VALUES (?{', ?' * (len(COLUMNS) - 1)})",  # noqa: S608
                    map(row_from_record, part),
                )
        return clock.seconds()


def _plain_mongodb(url: str, records: list[Record]) -> tuple[float, float]:
    with pymongo.MongoClient[dict[str, object]](url) as client:
        collection = client["plain"].get_collection("events", write_concern=WriteConcern("majority", j=True))
        clock = _Clock()
        for part in _parts(records, _MONGODB_BATCH):
            collection.insert_many(
                [dict(zip(COLUMNS, row_from_record(record), strict=True)) for record in part], ordered=False
            )
        return clock.seconds()


@contextmanager
def _without_native() -> Iterator[None]:
    before = os.environ.get(native.DISABLE_VARIABLE)
    os.environ[native.DISABLE_VARIABLE] = "1"
    try:
        yield
    finally:
        del os.environ[native.DISABLE_VARIABLE]
        if before is not None:
            os.environ[native.DISABLE_VARIABLE] = before


async def _asked(storage: Storage, name: str, events: int) -> None:
    """`get_stats` with native code, if there is any, and without."""
    if native.source() != "none":
        clock = _Clock()
        await storage.get_stats()
        _print(f"{name}: get_stats, natively from the facts", events, clock.seconds())
    with _without_native():
        clock = _Clock()
        await storage.get_stats()
        _print(f"{name}: get_stats, without native code", events, clock.seconds())


def _scored_in_python(path: Path, events: int) -> None:
    """What `get_stats` would take without native code if SQLite summed nothing."""
    with _without_native(), closing(sqlite3.connect(path)) as connection:
        clock = _Clock()
        scorer = Scorer()
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM events")  # noqa: S608
        scorer.add([record_from_row(row) for row in rows])
        list(scorer.snapshot(Window.of(None, None, closed_only=None)).rows())
        _print("sqlite: facts read and scored in Python", events, clock.seconds())


async def _sqlite(folder: Path, records: list[Record], shuffled: list[Record]) -> None:
    for order, events in (("in order", records), ("shuffled", shuffled)):
        plain = _plain_sqlite(folder / f"plain-{order}.db", events)
        _print(f"sqlite: plain executemany, {order}", len(events), plain)
        async with SqliteStorage(folder / f"{order}.db") as storage:
            _print(
                f"sqlite: sink, {order}", len(events), await _sunk(storage, events, _SQLITE_BATCH), plain[0]
            )
            if events is records:
                await _asked(storage, "sqlite", len(events))
                _scored_in_python(folder / f"{order}.db", len(events))


def _clipped(field: str, as_of_us: int) -> dict[str, Any]:
    return {"$min": [field, Int64(as_of_us)]}


def _aggregation(as_of_us: int) -> list[dict[str, Any]]:
    """How long each key is held at each weight, of closed holds without an `event_id`, in 64-bit integers.

    A hold counts from the end of what its key held before. Where that had another weight, `overlaps` says
    that the key must be computed from its events.
    """
    return [
        {
            "$project": {
                "holder_id": 1,
                "token_id": 1,
                "weight_wads": 1,
                "since": _clipped("$start_us", as_of_us),
                "until": _clipped("$end_us", as_of_us),
            }
        },
        {
            "$setWindowFields": {
                "partitionBy": {"holder_id": "$holder_id", "token_id": "$token_id"},
                "sortBy": {"since": 1},
                "output": {"before": {"$max": "$until", "window": {"documents": ["unbounded", -1]}}},
            }
        },
        {"$set": {"first": {"$max": ["$since", "$before"]}}},
        {
            "$group": {
                "_id": {"holder_id": "$holder_id", "token_id": "$token_id", "weight_wads": "$weight_wads"},
                "us": {"$sum": {"$max": [Int64(0), {"$subtract": ["$until", "$first"]}]}},
                "overlaps": {"$max": {"$gt": ["$before", "$since"]}},
            }
        },
    ]


def _aggregated(url: str, as_of_us: int) -> tuple[dict[str, int], set[str], int]:
    """The steps times microseconds of each holder, those of whom some key is left, and how many keys are."""
    keys: dict[tuple[str, str], list[tuple[int, int, bool]]] = {}
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        collection = client["poh_holdmetrics"]["hold_events"]
        for found in collection.aggregate(_aggregation(as_of_us), allowDiskUse=True, batchSize=10_000):
            of = found["_id"]
            weight = (int(of["weight_wads"]), found["us"], found["overlaps"])
            keys.setdefault((of["holder_id"], of["token_id"]), []).append(weight)
    sums: dict[str, int] = {}
    unsure: set[str] = set()
    left = 0
    for (holder_id, _), weights in keys.items():
        if len(weights) > 1 and any(overlaps for _, _, overlaps in weights):
            left += 1
            unsure.add(holder_id)
        sums[holder_id] = sums.get(holder_id, 0) + sum(wads * us for wads, us, _ in weights)
    return sums, unsure, left


async def _aggregated_beside(storage: Storage, url: str, events: int) -> None:
    """What the server sums, held against the scores from the events."""
    as_of = datetime(2025, 6, 1, tzinfo=UTC)
    clock = _Clock()
    sums, unsure, left = await asyncio.to_thread(_aggregated, url, int(as_of.timestamp()) * 1_000_000)
    _print(f"mongodb: aggregation without {left:,} keys", events, clock.seconds())
    clock = _Clock()
    stats = await storage.get_stats(as_of)
    _print("mongodb: get_stats of the same instant", events, clock.seconds())
    for stat in stats:
        if stat.holder_id not in unsure:
            expected = Decimal(sums[stat.holder_id]).scaleb(-24, Context(prec=80))
            assert Decimal(stat.score) == expected, stat  # noqa: S101 - a figure of wrong sums says nothing


async def _mongodb(url: str, records: list[Record]) -> None:
    plain = _plain_mongodb(url, records)
    _print("mongodb: plain insert_many of dicts", len(records), plain)
    async with MongoStorage(url, fallback=False) as storage:
        _print("mongodb: sink", len(records), await _sunk(storage, records, _MONGODB_BATCH), plain[0])
        await _asked(storage, "mongodb", len(records))
        await _aggregated_beside(storage, url, len(records))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="events a run (default: %(default)s)")
    parser.add_argument("--without-mongodb", action="store_true", help="measure SQLite alone")
    arguments = parser.parse_args()
    records = _events(arguments.events, seed=1)
    shuffled = random.Random(2).sample(records, len(records))  # noqa: S311
    print(f"{len(records):,} events; native code: {native.source()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_sqlite(Path(folder), records, shuffled))
        if arguments.without_mongodb:
            return
        server = Mongod(mongod_program(), Path(folder), cache_gb=_CACHE_GB, oplog_mb=_OPLOG_MB)
        server.start()
        try:
            asyncio.run(_mongodb(server.url, records))
        finally:
            server.kill()


if __name__ == "__main__":
    main()

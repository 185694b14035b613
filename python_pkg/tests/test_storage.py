"""The contract of `storage.port`, tested on every backend."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance_cases import PARAMS, Case, accepted, case_of
from naive import Raw
from poh_holdmetrics import HoldEvent, Transfer
from poh_holdmetrics.errors import InputError, StorageError, StoreFull
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.storage import MemoryStorage, SqliteStorage, Storage
from servers.immudb import Immudb, immudb_program
from servers.mongod import UNCLOSED_SOCKETS, Mongod, collect_sockets, mongod_program
from strategies import BASE_US, EVENTS, record

pytestmark = UNCLOSED_SOCKETS

_Answer = TypeVar("_Answer")
Make = Callable[[], Storage]

#: 2**128 - 1 steps of 1e-18.
LARGEST = "340282366920938463463.374607431768211455"
MARKS = [HoldEvent.model_validate({"token_id": "T", "holder_id": f"h{i}", "start": i}) for i in range(5)]


def _transfer(event_id: str, from_id: str | None, to_id: str | None, at: int, amount: int) -> Transfer:
    return Transfer.model_validate(
        {
            "token_id": "T",
            "from_id": from_id,
            "to_id": to_id,
            "at": at,
            "amount": amount,
            "event_id": event_id,
        }
    )


@pytest.fixture(scope="module")
def mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server for all tests of this file."""
    pytest.importorskip("pymongo", reason="no pymongo: pip install 'poh-holdmetrics[mongodb]'")
    server = Mongod(mongod_program(), tmp_path_factory.mktemp("mongod"))
    server.start()
    yield server.url
    server.kill()
    collect_sockets()


@pytest.fixture(scope="module")
def immudb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server for all tests of this file."""
    pytest.importorskip("grpc", reason="no grpcio: pip install 'poh-holdmetrics[immudb]'")
    server = Immudb(immudb_program(), tmp_path_factory.mktemp("immudb"))
    server.start()
    yield server.url()
    server.kill()


@pytest.fixture(
    params=[
        *("memory", "sqlite"),
        *(pytest.param(name, marks=pytest.mark.services) for name in ("mongodb", "immudb")),
    ]
)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes new and empty storages of one backend."""
    made = 0
    url: str = request.getfixturevalue(request.param) if request.param in ("mongodb", "immudb") else ""

    def storage() -> Storage:
        nonlocal made
        made += 1
        if request.param == "memory":
            return MemoryStorage()
        if request.param == "mongodb":
            from poh_holdmetrics.storage import MongoStorage  # noqa: PLC0415 - pymongo may be absent

            return MongoStorage(url, collection=f"{tmp_path.name}-{made}", fallback=False)
        if request.param == "immudb":
            from poh_holdmetrics.storage import ImmudbStorage  # noqa: PLC0415 - grpcio may be absent

            return ImmudbStorage(url, collection=f"{tmp_path.name}-{made}")
        return SqliteStorage(tmp_path / f"events-{made}.db")

    yield storage
    assert made


def run(make: Make, scenario: Callable[[Storage], Awaitable[_Answer]]) -> _Answer:
    async def within() -> _Answer:
        async with make() as storage:
            return await scenario(storage)

    return asyncio.run(within())


async def scanned(storage: Storage) -> list[HoldEvent]:
    return [event async for event in storage.scan()]


def test_an_event_is_kept_once_however_often_it_is_saved(make: Make) -> None:
    async def scenario(storage: Storage) -> None:
        assert await storage.save_event(MARKS[0]) == 1
        assert await storage.save_events(MARKS[:3]) == 2
        assert await storage.save_events([*MARKS[2:], *MARKS[2:]]) == 2
        assert await storage.save_events(MARKS) == 0
        assert await storage.save_events([]) == 0
        assert await storage.count() == 5
        assert sorted(await scanned(storage), key=lambda event: event.holder_id) == MARKS

    run(make, scenario)


def test_events_are_the_same_after_they_were_stored(make: Make) -> None:
    fields = {"token_id": "T\0\N{SNOWMAN}", "holder_id": "0x"}
    events = [
        HoldEvent.model_validate({**fields, **each})
        for each in (
            {"start": "0001-01-01T00:00:00Z", "end": "9999-12-31T23:59:59.999999Z", "weight": LARGEST},
            {"start": "2026-01-01T02:00:00.000001+02:00", "weight": "0.000000000000000001"},
            {"end": 0, "event_id": "\N{SNOWMAN}", "revision": 2**63 - 1, "seq": 2**63 - 1},
            {"event_id": "a", "retract": True},
            {"event_id": "b", "at": -1, "delta": f"-{LARGEST}"},
            {"event_id": "c", "at": 1, "delta": 0, "revision": 3, "retract": True},
        )
    ]

    async def scenario(storage: Storage) -> None:
        assert await storage.save_events(events) == len(events)
        found = {event.record(): event for event in await scanned(storage)}
        assert found == {event.record(): event for event in events}
        assert all(event.start is None or event.start.tzinfo is UTC for event in found.values())

    run(make, scenario)


def test_events_that_differ_in_one_field_are_kept_apart(make: Make) -> None:
    base = {"token_id": "T", "holder_id": "h", "event_id": "a", "start": 5, "end": 7}
    others = (
        *({"token_id": "Th"}, {"holder_id": "ah"}, {"event_id": None}, {"event_id": "b"}, {"start": None}),
        *({"start": 6}, {"end": None}, {"end": 8}, {"weight": 2}, {"revision": 1}, {"retract": True}),
        *({"seq": 1}, {"token_id": "T1:h"}, {"holder_id": "hh"}),
    )
    events = [HoldEvent.model_validate({**base, **other}) for other in ({}, *others)]

    async def scenario(storage: Storage) -> None:
        assert await storage.save_events(events) == len(events)

    run(make, scenario)


def test_a_transfer_is_kept_as_its_two_changes(make: Make) -> None:
    async def scenario(storage: Storage) -> None:
        assert await storage.save_event(_transfer("a", None, "ann", 0, 3)) == 1
        assert await storage.save_event(_transfer("b", "ann", "bob", 10_000, 1)) == 2
        assert await storage.save_event(_transfer("b", "ann", "bob", 10_000, 1)) == 0
        stats = await storage.get_stats(as_of=20_000)
        assert [(stat.holder_id, stat.score, stat.rank) for stat in stats] == [
            ("ann", "50", 1),
            ("bob", "10", 2),
        ]
        assert (await storage.snapshot(as_of=20_000)).deficits == 0
        await storage.save_event(_transfer("c", "eve", None, 10_000, 1))
        assert (await storage.snapshot(as_of=20_000)).deficits == 1

    run(make, scenario)


def test_a_correction_and_a_retraction_count_in_any_order(make: Make) -> None:
    fields = {"token_id": "T", "holder_id": "h", "event_id": "a"}
    first, corrected, retracted = (
        HoldEvent.model_validate({**fields, **each})
        for each in (
            {"start": 0, "end": 10_000},
            {"start": 0, "end": 4_000, "revision": 1},
            {"revision": 2, "retract": True},
        )
    )

    async def scenario(storage: Storage) -> None:
        await storage.save_event(corrected)
        await storage.save_event(first)
        assert [stat.score for stat in await storage.get_stats()] == ["4"]
        await storage.save_event(retracted)
        await storage.save_event(corrected)
        assert [stat.score for stat in await storage.get_stats()] == ["0"]

    run(make, scenario)


def test_the_window_is_that_of_the_tracker(make: Make) -> None:
    async def scenario(storage: Storage) -> None:
        await storage.save_event(MARKS[0])
        as_of = datetime.fromtimestamp(20, UTC)
        assert [stat.score for stat in await storage.get_stats(as_of)] == ["20"]
        assert [stat.score for stat in await storage.get_stats(as_of, 15_000)] == ["5"]
        assert [stat.score for stat in await storage.get_stats(as_of, closed_only=True)] == ["0"]
        assert [stat.score for stat in await storage.get_stats()] == ["0"]
        with pytest.raises(ValueError, match=r"as_of: no UTC offset"):
            await storage.get_stats(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused

    run(make, scenario)


def test_a_scan_survives_events_that_are_saved_meanwhile(make: Make) -> None:
    many = [
        HoldEvent.model_validate({"token_id": "T", "holder_id": f"h{i}", "start": i}) for i in range(2500)
    ]

    async def scenario(storage: Storage) -> None:
        await storage.save_events(many[:2400])
        found = set()
        async for event in storage.scan():
            found.add(event.record())
            if len(found) == 1100:
                await storage.save_events(many)
        assert {event.record() for event in many[:2400]} <= found

    run(make, scenario)


def test_tasks_that_save_the_same_events_keep_them_once(make: Make) -> None:
    async def scenario(storage: Storage) -> None:
        fresh = await asyncio.gather(*(storage.save_events(MARKS) for _ in range(8)))
        assert sum(fresh) == len(MARKS) == await storage.count()

    run(make, scenario)


def test_purge_removes_a_token_a_holder_both_or_all(make: Make) -> None:
    events = [
        HoldEvent.model_validate({"token_id": token, "holder_id": holder, "start": at})
        for token in "AB"
        for holder in "gh"
        for at in (1, 2)
    ]

    async def scenario(storage: Storage) -> None:
        await storage.save_events(events)
        assert await storage.purge(token_id="A", holder_id="g") == 2
        assert await storage.purge(holder_id="g") == 2
        assert await storage.purge(token_id="B") == 2
        assert {(event.token_id, event.holder_id) for event in await scanned(storage)} == {("A", "h")}
        assert await storage.purge() == 2
        assert await storage.count() == 0
        assert await storage.save_events(events) == 8

    run(make, scenario)


def test_a_version_is_told_before_anything_is_created(make: Make) -> None:
    async def scenario() -> str:
        storage = make()
        try:
            return await storage.version()
        finally:
            await storage.close()
            with pytest.raises(StorageError, match=": closed"):
                await storage.version()

    told = asyncio.run(scenario())
    assert re.fullmatch(r"(poh_holdmetrics|SQLite|MongoDB|immudb) (\d\S*|without a version)", told)


def test_start_and_close_may_be_repeated_and_a_closed_storage_says_so(make: Make) -> None:
    async def scenario() -> None:
        storage = make()
        await storage.save_event(MARKS[0])  # starts it
        await storage.start()
        await storage.start()
        await storage.ping()
        assert await storage.count() == 1
        assert not storage.is_fallback
        await storage.close()
        await storage.close()
        for call in (storage.start, storage.ping, storage.count, storage.get_stats, storage.purge):
            with pytest.raises(StorageError, match=": closed"):
                await call()
        with pytest.raises(StorageError, match=": closed"):
            await storage.save_event(MARKS[0])
        with pytest.raises(StorageError, match=": closed"):
            await scanned(storage)

    asyncio.run(scenario())


@pytest.fixture(params=PARAMS)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(request.param)


def test_the_cases_give_the_expected_rows(source: str, make: Make, case: Case) -> None:
    events = [HoldEvent.from_record(each) for each in accepted(case)]
    Random(1).shuffle(events)  # noqa: S311 - an order among others
    as_of_us, from_us, closed_only = case.window

    async def scenario(storage: Storage) -> None:
        middle = len(events) // 2
        await storage.save_events(events[middle:])
        await storage.save_events(events)
        snapshot = await storage.snapshot(
            as_of_us // 1000, None if from_us is None else from_us // 1000, closed_only=closed_only
        )
        assert (snapshot.rows(), snapshot.deficits) == (case.rows, case.deficits), source

    run(make, scenario)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raws=EVENTS, order=st.randoms(use_true_random=False), closed_only=st.booleans(), pieces=st.integers(1, 4)
)
def test_any_order_split_and_repetition_scores_as_the_pure_aggregator(
    make: Make, raws: list[Raw], order: Random, closed_only: bool, pieces: int
) -> None:
    pure = Aggregator()
    for raw in raws:
        pure.add(record(raw))
    sent = raws + [raw for raw in raws if order.random() < 0.3]
    order.shuffle(sent)
    events = [HoldEvent.from_record(record(raw)) for raw in sent]
    as_of_us, from_us = BASE_US // 1000 * 1000 + 9_000_000, BASE_US // 1000 * 1000 + 2_000_000

    async def scenario(storage: Storage) -> None:
        fresh = sum([await storage.save_events(events[piece::pieces]) for piece in range(pieces)])
        assert fresh == len(set(raws)) == await storage.count()
        found = await storage.snapshot(as_of_us // 1000, from_us // 1000, closed_only=closed_only)
        expected = pure.snapshot(as_of_us, from_us, closed_only)
        assert (found.rows(), found.deficits) == (expected.rows(), expected.deficits)

    run(make, scenario)


def test_a_full_memory_takes_all_or_nothing() -> None:
    async def scenario() -> None:
        storage = MemoryStorage(events_max=4)
        await storage.save_events(MARKS[:3])
        with pytest.raises(StoreFull, match="store holds 3 of at most 4 events; 2 more do not fit"):
            await storage.save_events(MARKS[2:])
        assert await scanned(storage) == MARKS[:3]
        assert await storage.save_events(MARKS[:4]) == 1

    asyncio.run(scenario())


def test_a_bound_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="events_max: expected 1 or more, not 0"):
        MemoryStorage(events_max=0)

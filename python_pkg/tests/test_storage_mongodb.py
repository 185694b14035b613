"""The MongoDB storage against a real mongod that is killed, stopped and started again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pymongo", reason="no pymongo: pip install 'poh-holdmetrics[mongodb]'")

from poh_holdmetrics import HoldEvent
from poh_holdmetrics.errors import InputError, StorageError, StorageUnavailable, StoreFull
from poh_holdmetrics.storage import storage_from_url
from poh_holdmetrics.storage.mongodb import MongoStorage
from servers.mongod import UNCLOSED_SOCKETS, Mongod, collect_sockets, mongod_program

if TYPE_CHECKING:
    from pymongo.asynchronous.collection import AsyncCollection

pytestmark = [UNCLOSED_SOCKETS, pytest.mark.services]

#: Nothing listens there.
NOWHERE = "mongodb://127.0.0.1:1/"


def events(count: int, first: int = 0) -> list[HoldEvent]:
    return [
        HoldEvent.model_validate({"token_id": "T", "holder_id": f"h{i}", "start": i})
        for i in range(first, first + count)
    ]


@pytest.fixture(autouse=True)
def _sockets() -> Iterator[None]:
    yield
    collect_sockets()


@pytest.fixture
def mongod(tmp_path: Path) -> Iterator[Mongod]:
    """A server of the test's own, which may kill it."""
    server = Mongod(mongod_program(), tmp_path)
    server.start()
    yield server
    server.kill()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def scanned(storage: MongoStorage) -> set[object]:
    return {event.record() async for event in storage.scan()}


def records(expected: list[HoldEvent]) -> set[object]:
    return {event.record() for event in expected}


def quick(url: str, **options: Any) -> MongoStorage:
    return MongoStorage(url, **{"timeout_seconds": 0.3, "retry_seconds": 0.02, **options})


@asynccontextmanager
async def collection(url: str) -> AsyncIterator[AsyncCollection[dict[str, Any]]]:
    from pymongo import AsyncMongoClient  # noqa: PLC0415

    async with AsyncMongoClient[dict[str, Any]](url) as client:
        yield client["poh_holdmetrics"]["hold_events"]


def test_events_of_an_absence_are_handed_over_in_order(
    mongod: Mongod, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with quick(mongod.url) as storage:
            await storage.save_events(events(10))
            mongod.kill()
            assert await storage.save_events(events(10, 5)) == 10
            assert (storage.is_fallback, storage._is_mock, storage.kept) == (True, True, 10)
            assert await storage.save_events(events(6, 12)) == 3
            for ask in (storage.get_stats, storage.count, storage.purge, storage.ping):
                with pytest.raises(StorageUnavailable):
                    await ask()
            await asyncio.to_thread(mongod.start)
            await until(lambda: not storage.is_fallback)
            assert storage.kept == 0
            assert await storage.save_events(events(20)) == 2
            assert len(await storage.get_stats(as_of=1_000_000)) == 20
        async with collection(mongod.url) as found:
            order = [each["holder_id"] async for each in found.find().sort("$natural", 1)]
        # The first ten were there before the kill, and a server orders what it recovers as it likes.
        assert [each for each in order if len(each) == 3] == [f"h{i}" for i in range(10, 20)]

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    texts = [each.getMessage() for each in caplog.records if each.name.startswith("poh_holdmetrics")]
    assert len(texts) == 2
    assert "events are kept in memory until the server is back" in texts[0]
    assert texts[1].endswith("the server is back; 13 events handed over")


def test_a_bulk_write_that_the_server_did_not_survive_is_completed(mongod: Mongod) -> None:
    async def scenario() -> None:
        sent = events(20_000)
        async with quick(mongod.url, timeout_seconds=5) as storage, collection(mongod.url) as found:
            saving = asyncio.create_task(storage.save_events(sent))
            while not await found.estimated_document_count():
                pass
            await asyncio.to_thread(mongod.kill)
            await asyncio.to_thread(mongod.start)
            await saving
            await until(lambda: not storage.is_fallback)
            assert await scanned(storage) == records(sent)

    asyncio.run(scenario())


def test_a_server_that_answers_nothing_is_given_up_in_time(mongod: Mongod) -> None:
    async def scenario() -> None:
        async with quick(mongod.url) as storage:
            await storage.save_events(events(1))
            mongod.pause()
            try:
                async with asyncio.timeout(5):
                    await storage.save_events(events(5))
                assert (storage.is_fallback, storage.kept) == (True, 5)
            finally:
                mongod.go_on()
            await until(lambda: not storage.is_fallback)
            assert await scanned(storage) == records(events(5))

    asyncio.run(scenario())


def test_without_fallback_an_absence_raises_and_the_call_can_be_repeated(mongod: Mongod) -> None:
    async def scenario() -> None:
        storage = quick(mongod.url, fallback=False, timeout_seconds=3)
        await storage.save_events(events(3))
        mongod.kill()
        with pytest.raises(StorageUnavailable, match=r"mongodb poh_holdmetrics\.hold_events: .*127\.0\.0\.1"):
            await storage.save_events(events(5))
        assert (storage.is_fallback, storage.kept) == (False, 0)
        await asyncio.to_thread(mongod.start)
        await storage.save_events(events(5))
        assert await storage.count() == 5
        await storage.close()

    asyncio.run(scenario())


def test_indexes_are_created_tolerated_and_refused_if_in_conflict(mongod: Mongod) -> None:
    async def started(**options: Any) -> None:
        async with quick(mongod.url, **options) as storage:
            await storage.save_events(events(3))
            if storage._indexing is not None:
                await storage._indexing

    async def scenario() -> None:
        await started()
        await started()
        async with collection(mongod.url) as found:
            assert set(await found.index_information()) == {"_id_", "holder_token"}
            await found.create_index("holder_id", unique=True)
            with pytest.raises(StorageError, match=r"index holder_id_1 is unique.*; drop the index, or give"):
                await started()
            await found.drop_indexes()
            await found.create_index("token_id", name="holder_token")
            with pytest.raises(StorageError, match="index holder_token has other fields than expected"):
                await started(fallback=False)
            await found.drop_indexes()
            await found.create_index([("holder_id", 1), ("token_id", 1)], name="mine")
            await started()
            assert set(await found.index_information()) == {"_id_", "mine"}

    asyncio.run(scenario())


def test_documents_hold_integers_and_text_and_no_doubles(mongod: Mongod) -> None:
    async def scenario() -> None:
        async with quick(mongod.url) as storage, collection(mongod.url) as found:
            await storage.save_events(events(3))
            pipeline = [{"$group": {"_id": [{"$type": "$start_us"}, {"$type": "$weight_wads"}]}}]
            assert await (await found.aggregate(pipeline)).to_list() == [{"_id": ["long", "string"]}]

    asyncio.run(scenario())


def test_a_server_that_was_never_there_leaves_a_storage_in_memory() -> None:
    async def scenario() -> None:
        storage = quick(NOWHERE, timeout_seconds=0.05)
        await storage.start()
        assert (storage.is_fallback, storage._is_mock) == (True, True)
        assert await storage.save_events(events(3)) == 3
        assert [stat.score for stat in await storage.get_stats(as_of=2_000)] == ["2", "1.999", "1.998"]
        assert (await storage.count(), await scanned(storage)) == (3, records(events(3)))
        with pytest.raises(StorageUnavailable, match="closed with 3 events in memory, which are lost"):
            await storage.close()
        await storage.close()

    asyncio.run(scenario())


def test_beyond_the_bound_events_are_refused_or_replace_the_oldest() -> None:
    async def scenario() -> None:
        refusing = quick(NOWHERE, timeout_seconds=0.05, kept_max=4)
        await refusing.save_events(events(3))
        with pytest.raises(StoreFull, match="holds 3 of at most 4 events; 2 more do not fit"):
            await refusing.save_events(events(3, 2))
        assert (refusing.kept, refusing.dropped) == (3, 0)
        dropping = quick(NOWHERE, timeout_seconds=0.05, kept_max=4, when_full="drop_oldest")
        await dropping.save_events(events(3))
        await dropping.save_events(events(3, 2))
        assert (await scanned(dropping), dropping.dropped) == (records(events(4, 1)), 1)
        for storage in (refusing, dropping):
            with pytest.raises(StorageUnavailable):
                await storage.close()

    asyncio.run(scenario())


def test_an_address_says_how_much_is_kept_and_what_happens_beyond_it() -> None:
    async def kept(options: str, count: int) -> tuple[int, int]:
        storage = storage_from_url(f"{NOWHERE}?serverSelectionTimeoutMS=50{options}")
        assert isinstance(storage, MongoStorage)
        try:
            await storage.save_events(events(count))
            return storage.kept, storage.dropped
        finally:
            with pytest.raises(StorageUnavailable):
                await storage.close()

    assert asyncio.run(kept("&kept_max=4&when_full=drop_oldest", 6)) == (4, 2)
    assert asyncio.run(kept("", 6)) == (6, 0)
    for options, problem in (
        ("kept_max=many", 'url: kept_max: expected a whole number; found "many"'),
        ("kept_max=0", "kept_max: expected 1 or more, not 0"),
        ("when_full=wait", "when_full: expected refuse or drop_oldest, not 'wait'"),
    ):
        with pytest.raises(InputError, match=problem):
            storage_from_url(f"{NOWHERE}?{options}")


def test_addresses_and_bounds_are_checked() -> None:
    with pytest.raises(InputError, match="url: not an address of MongoDB"):
        storage_from_url("mongodb://")
    with pytest.raises(InputError, match="kept_max: expected 1 or more, not 0"):
        MongoStorage(NOWHERE, kept_max=0)
    with pytest.raises(InputError, match="when_full: expected refuse or drop_oldest, not 'wait'"):
        MongoStorage(NOWHERE, when_full="wait")  # type: ignore[arg-type]
    assert storage_from_url(NOWHERE).has_fallback
    assert not storage_from_url(NOWHERE, fallback=False).has_fallback

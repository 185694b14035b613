"""The contract of `storage.port`, run on every store there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from poh_holdmetrics import HoldEvent
from poh_holdmetrics.errors import InputError, StoreFull
from poh_holdmetrics.storage.memory import MemoryStore
from poh_holdmetrics.storage.port import EventStore

EVENTS = [HoldEvent.model_validate({"token_id": "T", "holder_id": f"h{i}", "start": i}) for i in range(5)]
Make = Callable[[int], EventStore]


@pytest.fixture(params=[lambda events_max: MemoryStore(events_max=events_max)], ids=["memory"])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


async def scanned(store: EventStore) -> list[HoldEvent]:
    return [event async for event in store.scan()]


def test_what_is_kept_comes_back_in_order_repetitions_included(make: Make) -> None:
    async def story() -> None:
        store = make(10)
        assert await store.append(EVENTS[:2]) == 2
        assert await store.append(EVENTS[1:4]) == 5
        assert await scanned(store) == [*EVENTS[:2], *EVENTS[1:4]]
        assert await store.count() == 5
        await store.aclose()

    asyncio.run(story())


def test_a_full_store_takes_all_or_nothing(make: Make) -> None:
    async def story() -> None:
        store = make(4)
        await store.append(EVENTS[:3])
        with pytest.raises(StoreFull, match="store holds 3 of at most 4 events: no room for 2 more"):
            await store.append(EVENTS[3:])
        assert await scanned(store) == EVENTS[:3]
        assert await store.append(EVENTS[3:4]) == 4

    asyncio.run(story())


def test_a_scan_is_of_the_moment_it_was_asked_for(make: Make) -> None:
    async def story() -> None:
        store = make(10)
        await store.append(EVENTS[:2])
        scan = store.scan()
        await store.append(EVENTS[2:])
        assert [event async for event in scan] == EVENTS[:2]

    asyncio.run(story())


def test_a_closed_memory_store_is_empty_and_its_scan_goes_on() -> None:
    async def story() -> None:
        store = MemoryStore()
        await store.append(EVENTS)
        scan = store.scan()
        assert await anext(scan) == EVENTS[0]
        await store.aclose()
        assert [event async for event in scan] == EVENTS[1:]
        assert await store.count() == 0

    asyncio.run(story())


def test_a_store_without_room_for_any_is_refused() -> None:
    with pytest.raises(InputError, match="events_max: 1 or more is wanted, not 0"):
        MemoryStore(events_max=0)

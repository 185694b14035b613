"""The contract of `storage.port`, tested on every store."""

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


def test_events_are_returned_in_order_repetitions_included(make: Make) -> None:
    async def scenario() -> None:
        store = make(10)
        assert await store.append(EVENTS[:2]) == 2
        assert await store.append(EVENTS[1:4]) == 5
        assert await scanned(store) == [*EVENTS[:2], *EVENTS[1:4]]
        assert await store.count() == 5
        await store.aclose()

    asyncio.run(scenario())


def test_a_full_store_takes_all_or_nothing(make: Make) -> None:
    async def scenario() -> None:
        store = make(4)
        await store.append(EVENTS[:3])
        with pytest.raises(StoreFull, match="store holds 3 of at most 4 events; 2 more do not fit"):
            await store.append(EVENTS[3:])
        assert await scanned(store) == EVENTS[:3]
        assert await store.append(EVENTS[3:4]) == 4

    asyncio.run(scenario())


def test_a_scan_returns_the_events_of_its_start(make: Make) -> None:
    async def scenario() -> None:
        store = make(10)
        await store.append(EVENTS[:2])
        scan = store.scan()
        await store.append(EVENTS[2:])
        assert [event async for event in scan] == EVENTS[:2]

    asyncio.run(scenario())


def test_a_closed_memory_store_is_empty_and_its_scan_continues() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        await store.append(EVENTS)
        scan = store.scan()
        assert await anext(scan) == EVENTS[0]
        await store.aclose()
        assert [event async for event in scan] == EVENTS[1:]
        assert await store.count() == 0

    asyncio.run(scenario())


def test_a_bound_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="events_max: expected 1 or more, not 0"):
        MemoryStore(events_max=0)

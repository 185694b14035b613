"""What the tests of poh_batcher share: acknowledgements, sinks that fail on command, and a running CLI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from poh_batcher.batcher import Backoff
from poh_batcher.errors import BatchDamaged
from poh_batcher.packing import unpack_batch
from poh_batcher.store import BatchStore
from poh_batcher.types import AckItem, PackedBatch

#: Fails a test soon where the default would wait long.
FAST = Backoff(first_seconds=0.01, max_seconds=0.05)


def ack(number: int) -> AckItem:
    return AckItem(id=f"tx{number}", timestamp="2099-01-01T00:00:00Z", signature="1" * 88, pubkey="1" * 44)


def acks(count: int, first: int = 0) -> list[AckItem]:
    return [ack(number) for number in range(first, first + count)]


def lines(count: int, first: int = 0) -> str:
    return "".join(f"{each.model_dump_json()}\n" for each in acks(count, first))


class Collected:
    """A sink that keeps batches, after failing `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.batches: list[PackedBatch] = []
        self.failures = failures
        self.calls = 0

    async def __call__(self, batch: PackedBatch) -> None:
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise OSError("the sink is down")
        self.batches.append(batch)

    def ids(self) -> list[str]:
        return [each.id for batch in self.batches for each in unpack_batch(batch)]

    def counts(self) -> list[int]:
        return [batch.header.count for batch in self.batches]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


async def stored_ids(store: BatchStore) -> list[str]:
    """The ids of every readable batch, in the order of their numbers."""
    found = []
    async for stored in store.batches():
        assert not isinstance(stored, BatchDamaged)
        if await store.storage.exists(stored.key):
            found += [each.id for each in unpack_batch(await store.read(stored))]
    return found


def json_lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]

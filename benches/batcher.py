"""AsyncBatcher into a sink that discards, beside a queue and a loop that a user would write: items a second.

    PYTHONPATH=python_pkg python benches/batcher.py --items 300000

Both pack, by the same call: what differs is how items are collected. Prints a line for each codec and way,
with the median of the rounds, which take turns in one run, and the same for a second of CPU time. Signatures
are random, as real ones are, so that compression costs what it costs in use. Needs poh_batcher alone.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from poh_batcher import AckItem, AsyncBatcher, PackedBatch, pack_acks
from poh_batcher.compression import zstd_available

if TYPE_CHECKING:
    from poh_batcher.types import Codec

#: What poh_batcher promises.
GOAL_PER_SECOND = 300_000
_BATCH = 256
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _items(count: int) -> list[AckItem]:
    """Acknowledgements of 500 keys, each with a signature of its own."""
    draw = random.Random(1)  # noqa: S311 - the same items each time
    keys = ["".join(draw.choices(_BASE58, k=44)) for _ in range(500)]
    return [
        AckItem(
            id=f"tx{number}",
            timestamp=f"2099-01-01T00:00:{number // 1000 % 60:02}.{number % 1000:03}Z",
            signature="".join(draw.choices(_BASE58, k=88)),
            pubkey=draw.choice(keys),
        )
        for number in range(count)
    ]


async def _discard(batch: PackedBatch) -> None:
    """The sink."""


async def _one_by_one(items: Sequence[AckItem], codec: Codec) -> None:
    async with AsyncBatcher(max_items=_BATCH, sink=_discard, codec=codec) as batcher:
        for item in items:
            await batcher.enqueue(item)


async def _many(items: Sequence[AckItem], codec: Codec) -> None:
    async with AsyncBatcher(max_items=_BATCH, sink=_discard, codec=codec) as batcher:
        await batcher.enqueue_many(items)


async def _own_queue(items: Sequence[AckItem], codec: Codec) -> None:
    """A bounded queue and a task; it knows no timeout, no failing sink and no second attempt."""
    queue: asyncio.Queue[AckItem | None] = asyncio.Queue(16 * _BATCH)

    async def work() -> None:
        collected: list[AckItem] = []
        while (item := await queue.get()) is not None:
            collected.append(item)
            if len(collected) == _BATCH:
                await _discard(pack_acks(collected, codec=codec))
                collected = []
        if collected:
            await _discard(pack_acks(collected, codec=codec))

    task = asyncio.create_task(work())
    for item in items:
        await queue.put(item)
    await queue.put(None)
    await task


async def _packed_only(items: Sequence[AckItem], codec: Codec) -> None:
    """Packing without any collecting: the floor of the others."""
    for begin in range(0, len(items), _BATCH):
        pack_acks(items[begin : begin + _BATCH], codec=codec)


_WAYS: dict[str, Callable[[Sequence[AckItem], Codec], Awaitable[None]]] = {
    "AsyncBatcher, enqueue": _one_by_one,
    "AsyncBatcher, enqueue_many": _many,
    "a queue and a loop": _own_queue,
    "packing alone": _packed_only,
}


async def _measured(items: Sequence[AckItem], codec: Codec, rounds: int) -> None:
    wall: dict[str, list[float]] = {way: [] for way in _WAYS}
    cpu: dict[str, list[float]] = {way: [] for way in _WAYS}
    for _ in range(rounds):
        for way, run in _WAYS.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            await run(items, codec)
            wall[way].append(time.perf_counter() - began)
            cpu[way].append(time.process_time() - began_cpu)
    for way in _WAYS:
        in_wall, in_cpu = (len(items) / statistics.median(taken[way]) for taken in (wall, cpu))
        print(f"{codec:5} {way:28} {in_wall:11,.0f}/s  CPU {in_cpu:11,.0f}/s", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, default=300_000, help="items a run (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each way (default: %(default)s)")
    arguments = parser.parse_args()
    items = _items(arguments.items)
    codecs: list[Codec] = ["zstd", "gzip", "none"] if zstd_available() else ["gzip", "none"]
    print(f"{len(items):,} items in batches of {_BATCH}; the goal is {GOAL_PER_SECOND:,}/s", flush=True)
    for codec in codecs:
        asyncio.run(_measured(items, codec, arguments.rounds))


if __name__ == "__main__":
    main()

"""The batcher: when batches are made, what happens when the sink is slow or fails, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from batch_support import FAST, Collected, ack, acks, until

from poh_batcher import AsyncBatcher, Backoff, Batcher, NotStored, PackedBatch


def test_batches_are_made_by_size_and_at_the_end_in_order() -> None:
    async def run() -> Collected:
        sink = Collected()
        async with AsyncBatcher(max_items=4, timeout=60, sink=sink) as batcher:
            for item in acks(10):
                await batcher.enqueue(item)
        return sink

    sink = asyncio.run(run())
    assert sink.counts() == [4, 4, 2]
    assert sink.ids() == [f"tx{number}" for number in range(10)]


def test_a_batch_is_due_after_its_first_item_and_not_after_its_last() -> None:
    async def run() -> float:
        sink = Collected()
        batcher = AsyncBatcher(max_items=100, timeout=0.2, sink=sink)
        await batcher.start()
        began = time.monotonic()
        number = 0
        while not sink.batches:
            await batcher.submit(ack(number))
            number += 1
            await asyncio.sleep(0.02)
        waited = time.monotonic() - began
        await batcher.stop()
        assert sink.ids() == [f"tx{each}" for each in range(number)]
        return waited

    assert 0.2 <= asyncio.run(run()) < 5


def test_an_idle_batcher_stores_a_single_item_after_its_timeout() -> None:
    async def run() -> None:
        sink = Collected()
        async with AsyncBatcher(max_items=100, timeout=0.05, sink=sink) as batcher:
            for number in range(2):
                # The worker waits for something to do.
                await asyncio.sleep(0)
                await batcher.enqueue(ack(number))
                await until(lambda wanted=number + 1: len(sink.batches) == wanted)  # type: ignore[misc]
        assert sink.counts() == [1, 1]

    asyncio.run(run())


def test_the_published_second_name_and_the_published_refusals() -> None:
    assert Batcher is AsyncBatcher
    with pytest.raises(ValueError, match="max_items: must be above 0; found 0"):
        AsyncBatcher(max_items=0, sink=Collected())
    with pytest.raises(ValueError, match="timeout: must be above 0; found 0"):
        AsyncBatcher(timeout=0, sink=Collected())
    with pytest.raises(ValueError, match="max_queued: must be at least max_items, 256; found 1"):
        AsyncBatcher(max_queued=1, sink=Collected())
    with pytest.raises(ValueError, match="level: gzip takes 0 to 9; found 10"):
        AsyncBatcher(level=10, sink=Collected())
    with pytest.raises(ValueError, match="codec: expected gzip, zstd or none; found 'lzma'"):
        AsyncBatcher(codec="lzma", sink=Collected())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="attempts: must be at least 1"):
        Backoff(attempts=0)

    async def run() -> None:
        batcher = AsyncBatcher(sink=Collected())
        await batcher.stop()
        with pytest.raises(RuntimeError, match=r"await start\(\) first"):
            await batcher.enqueue(ack(0))
        await batcher.start()
        with pytest.raises(RuntimeError, match="running already"):
            await batcher.start()
        await batcher.stop()
        await batcher.stop()
        # It starts again, as published.
        await batcher.start()
        await batcher.enqueue(ack(0))
        await batcher.stop()
        assert batcher.stored == 1

    asyncio.run(run())


def test_a_slow_sink_makes_enqueue_wait() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        taken = Collected()

        async def slow(batch: PackedBatch) -> None:
            await gate.wait()
            await taken(batch)

        async with AsyncBatcher(max_items=2, timeout=60, sink=slow, max_queued=4) as batcher:
            producer = asyncio.create_task(batcher.enqueue_many(acks(100)))
            await until(lambda: batcher.enqueued >= 6)
            for _ in range(20):
                await asyncio.sleep(0)
            # One batch in the sink, two in the queue.
            assert batcher.enqueued == 6
            assert not producer.done()
            gate.set()
            await producer
        assert taken.ids() == [f"tx{number}" for number in range(100)]

    asyncio.run(run())


def test_an_enqueue_that_is_cancelled_while_it_waits_adds_nothing() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        taken = Collected()

        async def slow(batch: PackedBatch) -> None:
            await gate.wait()
            await taken(batch)

        async with AsyncBatcher(max_items=1, timeout=60, sink=slow, max_queued=1) as batcher:
            await batcher.enqueue(ack(0))
            await until(lambda: not batcher._full)
            await batcher.enqueue(ack(1))
            waiting = asyncio.create_task(batcher.enqueue(ack(2)))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            gate.set()
        assert taken.ids() == ["tx0", "tx1"]

    asyncio.run(run())


def test_a_failing_sink_is_called_again_with_the_same_batch(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> Collected:
        sink = Collected(failures=5)
        async with AsyncBatcher(max_items=3, timeout=0.01, sink=sink, backoff=FAST) as batcher:
            await batcher.enqueue_many(acks(7))
            await batcher.flush()
            assert batcher.stored == 7
            assert batcher.retries == 5
        return sink

    with caplog.at_level(logging.WARNING, "poh_batcher"):
        sink = asyncio.run(run())
    assert sink.ids() == [f"tx{number}" for number in range(7)]
    assert len(caplog.records) == 5
    assert "did not take a batch of 3 items (attempt 1)" in caplog.messages[0]
    assert "the sink is down" in caplog.messages[0]


def test_a_batcher_that_gives_up_names_every_item_that_is_not_stored() -> None:
    async def run() -> None:
        sink = Collected()
        backoff = Backoff(first_seconds=0.001, max_seconds=0.001, attempts=3)
        batcher = AsyncBatcher(max_items=2, timeout=60, sink=sink, max_queued=2, backoff=backoff)
        await batcher.start()
        await batcher.enqueue_many(acks(2))
        await batcher.flush()
        sink.failures = 1000
        with pytest.raises(NotStored, match="the sink failed 3 times: the sink is down"):
            await batcher.enqueue_many(acks(100, first=2))
        with pytest.raises(NotStored):
            await batcher.flush()
        with pytest.raises(NotStored) as refused:
            await batcher.stop()
        assert refused.value.maybe_stored == 2
        assert refused.value.items == acks(batcher.enqueued - 2, first=2)
        assert sink.ids() == ["tx0", "tx1"]
        assert sink.calls == 4

    asyncio.run(run())


def test_a_stop_with_a_limit_names_what_is_left() -> None:
    async def run() -> None:
        sink = Collected(failures=10**6)
        batcher = AsyncBatcher(max_items=2, timeout=60, sink=sink, backoff=FAST)
        await batcher.start()
        await batcher.enqueue_many(acks(5))
        with pytest.raises(NotStored, match=r"5 items are not stored: .* within 0.1 seconds") as refused:
            await batcher.stop(timeout=0.1)
        assert refused.value.items == acks(5)

    asyncio.run(run())


def test_an_item_without_json_is_named_and_loses_nothing() -> None:
    async def run() -> None:
        batcher = AsyncBatcher(max_items=2, timeout=60, sink=Collected())
        await batcher.start()
        odd = object()
        await batcher.enqueue_many([ack(0), odd, ack(1)])
        with pytest.raises(NotStored, match=r"cannot be packed: .*item: object has no JSON form") as refused:
            await batcher.stop()
        assert refused.value.items == [ack(0), odd, ack(1)]
        assert refused.value.maybe_stored == 0

    asyncio.run(run())


def test_a_worker_that_is_cancelled_from_outside_is_reported() -> None:
    async def run() -> None:
        batcher = AsyncBatcher(sink=Collected())
        await batcher.start()
        await batcher.enqueue(ack(0))
        assert batcher._worker is not None
        batcher._worker.cancel()
        with pytest.raises(NotStored, match="ended from outside") as refused:
            await batcher.stop()
        assert refused.value.items == [ack(0)]

    asyncio.run(run())


def test_many_producers_share_a_batcher() -> None:
    async def run() -> Collected:
        sink = Collected()
        async with (
            AsyncBatcher(max_items=7, timeout=0.01, sink=sink, max_queued=14) as batcher,
            asyncio.TaskGroup() as group,
        ):
            for producer in range(10):
                group.create_task(batcher.enqueue_many(acks(100, first=producer * 100)))
        return sink

    ids = asyncio.run(run()).ids()
    assert sorted(ids) == sorted(f"tx{number}" for number in range(1000))
    for producer in range(10):
        own = [each for each in ids if int(each[2:]) // 100 == producer]
        assert own == [f"tx{number}" for number in range(producer * 100, producer * 100 + 100)]

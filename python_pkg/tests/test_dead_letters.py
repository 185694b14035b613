"""A sink that fails loses nothing: its events are delivered, parked on disk, or wait."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from handler_support import HandClock, RecordingMeter, calls_of, handler
from poh_holdmetrics import wads
from poh_holdmetrics.pipeline.batch import ColumnBatch
from poh_holdmetrics.pipeline.calling.called import Called
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.handlers import OnError
from poh_holdmetrics.pipeline.port import Batch
from poh_holdmetrics.pipeline.running.dead_letters import DeadLetters, DeadLettersFull
from poh_holdmetrics.pipeline.running.delivery import Attempt, Delivered, SinkDelivery
from poh_holdmetrics.row_reader import RowReader
from poh_holdmetrics.validation import Record

NOW_US = 1_700_000_000_000_000


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.close()


def batch(first: int, holders: list[str]) -> ColumnBatch:
    records = [
        Record("punk/1", holder, 10, None, 3 * wads.WAD, f"id {holder}", 0, False) for holder in holders
    ]
    return ColumnBatch(records, first, first + len(records) - 1)


def delivery(
    guard: Guard,
    letters: DeadLetters | None,
    sink: Callable[[Batch], Any],
    *,
    on_error: OnError = "retry",
    clock: HandClock | None = None,
) -> tuple[SinkDelivery, Attempt, RecordingMeter]:
    calls, meter = calls_of(
        guard, handler(sink, "sink", on_error=on_error), clock=clock, failures_max=1_000_000
    )

    async def attempt(batch: Batch) -> Called:
        return await calls.call(batch, events=len(batch))

    return SinkDelivery(calls, letters, meter, lambda: NOW_US), attempt, meter


class Webhook:
    """Fails so often, then takes what it is given."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0
        self.taken: list[str] = []

    def __call__(self, batch: Batch) -> None:
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no route to the webhook")
        self.taken += batch.holder_id


def test_a_failed_delivery_is_retried(guard: Guard, tmp_path: Path) -> None:
    webhook, clock = Webhook(2), HandClock()

    async def run() -> None:
        deliver, attempt, meter = delivery(guard, DeadLetters(tmp_path, "p", "s"), webhook, clock=clock)
        assert await deliver.deliver(batch(1, ["ada"]), attempt) is Delivered.DELIVERED
        assert meter.counts["retried"] == 2

    asyncio.run(run())
    assert clock.slept == [1.0, 2.0]
    assert webhook.taken == ["ada"]
    assert not list(tmp_path.rglob("*"))


def test_what_cannot_be_delivered_is_parked_and_replayed(guard: Guard, tmp_path: Path) -> None:
    webhook = Webhook(8)
    letters = DeadLetters(tmp_path, "tiers", "webhook")

    async def run() -> None:
        deliver, attempt, meter = delivery(guard, letters, webhook)
        assert await deliver.deliver(batch(12, ["bob", "cyd"]), attempt) is Delivered.PARKED
        assert await deliver.deliver(batch(3, ["ada"]), attempt) is Delivered.PARKED
        assert webhook.calls == 8
        assert meter.counts["dead_lettered"] == 3
        about = letters.about(letters.paths()[1])
        assert (about.pipeline, about.sink, about.events) == ("tiers", "webhook", 2)
        assert (about.first_sequence, about.last_sequence) == (12, 13)
        assert about.parked_at == "2023-11-14T22:13:20Z"
        assert "no route to the webhook" in about.reason
        assert "Traceback" in about.reason

        webhook.failures = 1
        replayed = await deliver.replay(attempt)
        assert (replayed.events, replayed.files_left) == (2, 1)
        assert "no route" in replayed.reason
        replayed = await deliver.replay(attempt)
        assert (replayed.events, replayed.files_left, replayed.reason) == (1, 0, "")

    asyncio.run(run())
    assert webhook.taken == ["bob", "cyd", "ada"]


def test_a_file_is_scored_as_it_is_and_read_back_exactly(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, "p", "s")
    parked = batch(7, ["ada", "é\u2028", "bob"])
    path = letters.park(parked, "half a surrogate pair: \ud800", NOW_US)
    found: list[Record] = []
    reader = RowReader(found.append)
    reader.feed_jsonl(path.read_bytes().split(b"\n"), path.name, 1)
    assert not reader.rejected
    assert tuple(found) == parked.records()
    again = letters.read(path)
    assert again.records() == parked.records()
    assert (again.first_sequence, again.last_sequence) == (7, 9)
    assert list(again.sequence) == [7, 8, 9]


def test_batches_of_facts_have_one_sequence_and_a_file_each(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, "p", "s")
    for holder in ("ada", "bob", "ada"):
        records = batch(5, [holder]).records()
        letters.park(ColumnBatch(records, 5, 5, sequences=[5], is_from_facts=True), "", NOW_US)
    assert sorted(letters.read(path).holder_id for path in letters.paths()) == [("ada",), ("bob",)]


def test_a_full_folder_makes_the_sink_wait_and_loses_nothing(
    guard: Guard, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    letters = DeadLetters(tmp_path, "p", "s", bytes_max=3000)
    webhook, clock = Webhook(10_000), HandClock()

    async def run() -> None:
        deliver, attempt, meter = delivery(guard, letters, webhook, clock=clock)
        assert await deliver.deliver(batch(1, ["ada"]), attempt) is Delivered.PARKED
        task = asyncio.create_task(deliver.deliver(batch(2, ["bob"] * 50), attempt))
        for _ in range(10_000):
            if len(clock.slept) < 30:
                await asyncio.sleep(0.001)
        assert not task.done()
        assert any("replay them, or move files away" in detail for _, detail in meter.states)
        webhook.failures = 0
        assert await task is Delivered.DELIVERED

    asyncio.run(run())
    assert webhook.taken == ["bob"] * 50
    assert caplog.text.count("waits, because its events cannot be parked") == 1


def test_the_bound_names_the_folder_and_the_cure(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, "p", "s", bytes_max=10)
    with pytest.raises(DeadLettersFull, match=r"s: holds 0 of at most 10 bytes .* replay them"):
        letters.park(batch(1, ["ada"]), "", NOW_US)
    assert not letters.paths()


def test_a_file_is_synced_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a crash at any step leaves no half file: there is none, or a whole one."""
    letters = DeadLetters(tmp_path, "p", "s")
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        steps.append("sync of a file" if not steps else "sync of a folder")
        assert bool(letters.paths()) == (len(steps) > 1)
        fsync(descriptor)

    def replaced(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    letters.park(batch(1, ["ada"]), "", NOW_US)
    assert steps[:3] == ["sync of a file", "rename", "sync of a folder"]


def test_a_damaged_file_is_named_and_the_others_are_delivered(guard: Guard, tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, "p", "s")
    broken = letters.park(batch(1, ["ada"]), "", NOW_US)
    letters.park(batch(2, ["bob"]), "", NOW_US)
    broken.write_bytes(b"{")
    webhook = Webhook(0)

    async def run() -> None:
        deliver, attempt, _meter = delivery(guard, letters, webhook)
        replayed = await deliver.replay(attempt)
        assert (replayed.events, replayed.files_left) == (1, 1)
        assert broken.name in replayed.reason

    asyncio.run(run())
    assert webhook.taken == ["bob"]


def test_without_a_folder_the_batch_is_skipped_and_counted(guard: Guard) -> None:
    async def run() -> None:
        deliver, attempt, meter = delivery(guard, None, Webhook(100))
        assert await deliver.deliver(batch(1, ["ada", "bob"]), attempt) is Delivered.SKIPPED
        assert meter.counts["skipped"] == 2

    asyncio.run(run())


def test_a_disabled_sink_needs_the_batch_again(guard: Guard, tmp_path: Path) -> None:
    webhook = Webhook(1)

    async def run() -> None:
        letters = DeadLetters(tmp_path, "p", "s")
        deliver, attempt, _meter = delivery(guard, letters, webhook, on_error="disable")
        for _ in range(2):
            assert await deliver.deliver(batch(1, ["ada"]), attempt) is Delivered.DISABLED
        assert webhook.calls == 1
        assert not letters.paths()
        deliver._calls.enable()
        assert await deliver.deliver(batch(1, ["ada"]), attempt) is Delivered.DELIVERED

    asyncio.run(run())
    assert webhook.taken == ["ada"]

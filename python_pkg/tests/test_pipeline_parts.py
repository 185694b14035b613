"""The parts of the runtime alone: when commits are written, how refused events are found, virtual time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence

import pytest

from poh_holdmetrics import HoldEvent, Transfer
from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.pipeline.offline.local import LocalHost, LocalMeter
from poh_holdmetrics.pipeline.offline.virtual_time import VirtualTimeLoop
from poh_holdmetrics.pipeline.running.commits import Commits
from poh_holdmetrics.pipeline.running.submission import Submission
from poh_holdmetrics.tracker import AsyncTracker


@pytest.fixture
def loop() -> Iterator[VirtualTimeLoop]:
    loop = VirtualTimeLoop()
    yield loop
    loop.close()


class SlowStore:
    """Takes a second for each write, and keeps what it was given."""

    def __init__(self) -> None:
        self.writes: list[tuple[int, dict[str, str | None]]] = []
        self.at: list[float] = []

    async def write(self, position: int, changes: Mapping[str, str | None]) -> None:
        self.writes.append((position, dict(changes)))
        self.at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(1)


def test_what_is_handled_during_a_write_is_in_the_next_one(loop: VirtualTimeLoop) -> None:
    store = SlowStore()

    async def scenario() -> None:
        commits = Commits("a/events", 0, store.write, LoopClock())
        commits.advance(1, {"a": "1"})
        commits.start()
        await asyncio.sleep(0.5)
        commits.advance(2, {"b": "2"})
        commits.advance(3, {"b": "3"})
        assert commits.is_ahead
        await commits.finish()
        await commits.finish()

    loop.complete(scenario())
    assert store.writes == [(1, {"a": "1"}), (3, {"b": "3"})]


def test_under_load_a_write_follows_the_last_one_after_an_interval(loop: VirtualTimeLoop) -> None:
    store = SlowStore()

    async def scenario() -> None:
        commits = Commits("a/events", 0, store.write, LoopClock())
        for position in range(1, 200):
            commits.advance(position, {})
            commits.start_if_due()
            await asyncio.sleep(0.05)
        await commits.finish()

    loop.complete(scenario())
    pauses = [after - before - 1 for before, after in zip(store.at[:-1], store.at[1:-1], strict=False)]
    assert pauses
    assert all(0.2 <= pause < 0.3 for pause in pauses)
    assert store.writes[-1] == (199, {})


class Picky(LocalHost):
    """Refuses a whole submission if one event of it is of the holder `bad`, and fails when it is busy."""

    def __init__(self) -> None:
        super().__init__(AsyncTracker())
        self.recorded: list[str] = []
        self.busy = 0
        self.submissions = 0

    async def submit(self, pipeline: str, events: Sequence[HoldEvent | Transfer]) -> list[str]:
        """Record or refuse; a coroutine, as the port asks."""
        del pipeline
        self.submissions += 1
        if self.busy:
            self.busy -= 1
            raise OSError("busy")
        holders = [event.records()[0].holder_id for event in events]
        if "bad" in holders:
            raise Refused("holder_id", "bad is not wanted here")
        self.recorded += holders
        return []


def test_refused_events_are_left_out_and_the_others_recorded(loop: VirtualTimeLoop) -> None:
    host, meter = Picky(), LocalMeter(kind="every")
    holders = [f"h{number}" for number in range(100)]
    holders[17] = holders[80] = "bad"
    events = [
        HoldEvent.model_validate({"token_id": "T", "holder_id": holder, "start": 0, "event_id": str(number)})
        for number, holder in enumerate(holders)
    ]
    reasons = loop.complete(Submission(host, LoopClock(), "tiers").submit(events, "job", meter))
    assert host.recorded == [holder for holder in holders if holder != "bad"]
    assert reasons == [f"event {number}: holder_id: bad is not wanted here" for number in (17, 80)]
    assert (meter.counts["emitted"], meter.counts["refused"]) == (98, 2)
    assert host.submissions < 40


def test_a_busy_service_is_asked_again_with_growing_pauses(loop: VirtualTimeLoop) -> None:
    host, meter = Picky(), LocalMeter(kind="every")
    host.busy = 4
    event = HoldEvent.model_validate({"token_id": "T", "holder_id": "h", "start": 0})
    assert loop.complete(Submission(host, LoopClock(), "tiers").submit([event], "job", meter)) == []
    assert host.recorded == ["h"]
    assert loop.now_us == 7_500_000


def test_virtual_time_passes_in_order_and_without_waiting(loop: VirtualTimeLoop) -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, loop.time()))

    began = time.monotonic()
    tasks = [loop.create_task(sleeper(str(seconds), seconds)) for seconds in (7200.5, 0.1, 30, 100_000)]
    loop.advance(40_000_000)
    assert woken == [("0.1", 0.1), ("30", 30.0)]
    assert loop.now_us == 40_000_000
    loop.advance(90_000_000_000)
    assert woken[2:] == [("7200.5", 7200.5)]
    loop.advance(90_000_000_000)
    assert woken[3:] == [("100000", 100_000.0)]
    assert all(task.done() for task in tasks)
    assert time.monotonic() - began < 5


def test_virtual_time_stands_still_while_a_thread_works(loop: VirtualTimeLoop) -> None:
    async def work() -> float:
        await asyncio.to_thread(time.sleep, 0.1)
        return loop.time()

    assert loop.complete(work()) == 0.0


def test_what_does_not_end_is_given_up(loop: VirtualTimeLoop) -> None:
    with pytest.raises(TimeoutError, match="not done after 60 s of virtual time"):
        loop.complete(asyncio.sleep(1000))


def test_a_pipeline_begins_now_or_at_the_beginning_and_then_goes_on(loop: VirtualTimeLoop) -> None:
    async def scenario() -> list[int | None]:
        tracker = AsyncTracker()
        host = LocalHost(tracker)
        event = HoldEvent.model_validate({"token_id": "T", "holder_id": "h", "start": 0})
        await tracker.record_batch([event] * 3)
        positions: list[int | None] = [host.position("a", "events")]
        for start in ("now", "beginning"):
            consumer = await host.consumer("a", start, start=start, when_full="lag")
            positions.append(consumer.position)
        await consumer.commit(2, {})
        with pytest.raises(InputError, match="a/beginning: the consumer is open already"):
            await host.consumer("a", "beginning", start="now", when_full="lag")
        await consumer.close()
        again = await host.consumer("a", "beginning", start="now", when_full="lag")
        return [*positions, again.position]

    assert loop.complete(scenario()) == [None, 3, 0, 2]

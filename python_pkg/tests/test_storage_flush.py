"""A storage behind a tracker: what was recorded is loaded again, flushed in order, and bounded meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from poh_holdmetrics import AsyncTracker, HoldEvent
from poh_holdmetrics.api.addresses import Address
from poh_holdmetrics.api.hold_service import HoldService
from poh_holdmetrics.errors import InputError, StorageError, StorageUnavailable, StoreFull
from poh_holdmetrics.pure.aggregator import Recorded
from poh_holdmetrics.storage import MemoryStorage
from poh_holdmetrics.storage.flush import StorageFlush
from poh_holdmetrics.validation import Record
from test_scheduler import HandClock


class Interrupted(MemoryStorage):
    """A storage that cannot be reached at times, and that stays open."""

    is_away = False
    calls = 0

    async def save_events(self, events: Iterable[Recorded]) -> int:
        if self.is_away:
            raise StorageUnavailable("memory", "away")
        self.calls += 1
        return await super().save_events(events)

    async def close(self) -> None:
        """Stays open, as the next tracker uses it."""


class Falling(MemoryStorage):
    has_fallback = True


def event(number: int) -> HoldEvent:
    return HoldEvent.from_record(Record("t", f"h{number}", 0, 1_000_000, 10**18, None, 0, retract=False))


async def holders(storage: MemoryStorage) -> list[str]:
    return sorted([event.holder_id async for event in storage.scan()])


def test_events_are_flushed_at_the_end_and_loaded_at_the_start(source: str) -> None:
    async def run() -> None:
        storage = Interrupted()
        for number in range(3):
            tracker = AsyncTracker()
            async with StorageFlush(tracker, storage, interval="1h") as flush:
                assert (tracker.events, flush.waiting) == (number, 0), source
                await tracker.record(event(number))
                assert flush.waiting == 1
            assert await holders(storage) == [f"h{each}" for each in range(number + 1)]

    asyncio.run(run())


def test_what_is_new_is_flushed_once_in_every_interval() -> None:
    async def run() -> None:
        storage, tracker, clock = Interrupted(), AsyncTracker(), HandClock()
        async with StorageFlush(tracker, storage, interval="10s", clock=clock) as flush:
            await clock.move(9)
            await tracker.record(event(0))
            assert (flush.waiting, storage.calls) == (1, 0)
            await clock.move(1)
            assert (flush.waiting, storage.calls) == (0, 1)
            await clock.move(10)
            assert storage.calls == 1, "nothing was new"

    asyncio.run(run())


def test_what_a_storage_did_not_take_is_kept_up_to_the_bound_and_handed_over_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        storage, tracker, clock = Interrupted(), AsyncTracker(), HandClock()
        flush = StorageFlush(tracker, storage, interval="10s", waiting_events_max=3, clock=clock)
        service = HoldService(tracker, check_room=flush.check_room)
        async with flush:
            storage.is_away = True
            await service.store([*event(0).records(), *event(1).records()])
            await clock.move(30)
            assert flush.waiting == 2
            with pytest.raises(StoreFull):
                await service.store([*event(2).records(), *event(3).records()])
            assert service.sequence == 2
            await service.store(event(2).records())
            waits = asyncio.create_task(flush.room())
            await clock.move(10)
            assert not waits.done()
            storage.is_away = False
            await clock.move(10)
            await waits
            assert flush.waiting == 0
            await service.store(event(3).records())
        assert await holders(storage) == ["h0", "h1", "h2", "h3"]

    asyncio.run(run())
    assert [record.message for record in caplog.records if record.levelname != "INFO"] == [
        "2 events wait in memory: memory: away.",
        "The storage has taken the events that waited.",
    ]


def test_events_that_cannot_be_flushed_at_the_end_are_counted_in_the_error() -> None:
    async def run() -> None:
        storage, tracker = Interrupted(), AsyncTracker()
        async with StorageFlush(tracker, storage, interval="1h"):
            await tracker.record_batch([event(0), event(1)])
            storage.is_away = True

    with pytest.raises(StorageError, match="2 events are lost: memory: away"):
        asyncio.run(run())


def test_a_storage_that_would_start_without_its_events_is_refused() -> None:
    with pytest.raises(InputError, match="has a fallback in memory; give fallback=False"):
        StorageFlush(AsyncTracker(), Falling())


def test_a_full_service_refuses_in_both_protocols_and_says_when_to_retry() -> None:
    grpc = pytest.importorskip("grpc", reason="grpcio is not installed (extra grpc)")
    pytest.importorskip("fastapi", reason="fastapi is not installed (extra http)")
    from poh_holdmetrics.api.grpc_server import GrpcServer  # noqa: PLC0415
    from poh_holdmetrics.api.http_server import HttpServer  # noqa: PLC0415
    from poh_holdmetrics.protocols import hold_pb2 as pb  # noqa: PLC0415
    from poh_holdmetrics.protocols import hold_pb2_grpc  # noqa: PLC0415

    def post(port: int) -> tuple[int, str | None, str]:
        event = b'{"token_id":"t","holder_id":"h","start":0}'
        request = Request(f"http://127.0.0.1:{port}/hold", event, {"content-type": "application/json"})
        with pytest.raises(HTTPError) as caught:
            urlopen(request, timeout=30)  # noqa: S310 - our own address
        with caught.value as error:
            return error.code, error.headers["retry-after"], json.loads(error.read())["detail"]

    async def run() -> None:
        tracker, address = AsyncTracker(), Address("127.0.0.1", 0)
        flush = StorageFlush(tracker, Interrupted(), interval="1h", waiting_events_max=0)
        service = HoldService(tracker, check_room=flush.check_room)
        async with (
            flush,
            GrpcServer(service, address) as by_grpc,
            HttpServer(service, address) as by_http,
            grpc.aio.insecure_channel(f"127.0.0.1:{by_grpc.port}") as channel,
        ):
            status, retry_after, detail = await asyncio.to_thread(post, by_http.port)
            assert (status, retry_after) == (503, "1")
            stub = hold_pb2_grpc.HoldMetricsStub(channel)  # type: ignore[no-untyped-call]
            message = pb.HoldMsg(token_id="t", holder_id="h", start={"seconds": 0})
            for call in (stub.Record(message), anext(aiter(stub.Broadcast(iter([message]))))):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
                assert caught.value.details() == detail
        assert service.sequence == 0

    asyncio.run(run())

"""The gRPC server in Python alone, over the network; its answers are compared with the binary's in
`test_api_parity`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from poh_holdmetrics import AsyncTracker, HoldEvent
from poh_holdmetrics.api.addresses import Address
from poh_holdmetrics.api.hold_service import HoldService
from poh_holdmetrics.errors import InputError

grpc = pytest.importorskip("grpc", reason="grpcio is not installed (extra grpc)")
pytest.importorskip("grpc_health", reason="grpcio-health-checking is not installed (extra grpc)")

from google.protobuf.empty_pb2 import Empty  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: E402

from poh_holdmetrics.api.grpc_server import SERVICE, GrpcServer  # noqa: E402
from poh_holdmetrics.protocols import hold_pb2 as pb  # noqa: E402
from poh_holdmetrics.protocols import hold_pb2_grpc  # noqa: E402

NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: About events of January 1970.
EARLY = ["W01 epoch-seconds"]


def asked(ask: Callable[[Any, Any], Awaitable[Any]], service: HoldService | None = None) -> Any:
    """What `ask` makes of a stub and a channel of a server."""

    async def run() -> Any:
        known = HoldService(clock=lambda: NOW) if service is None else service
        async with (
            GrpcServer(known, Address("127.0.0.1", 0)) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            return await ask(hold_pb2_grpc.HoldMetricsStub(channel), channel)  # type: ignore[no-untyped-call]

    return asyncio.run(run())


def hold(holder_id: str = "ann", seconds: int = 10, **fields: Any) -> pb.HoldMsg:
    return pb.HoldMsg(
        token_id="gold", holder_id=holder_id, start={"seconds": 0}, end={"seconds": seconds}, **fields
    )


def field_of(error: Any) -> str:
    metadata = dict(tuple(error.trailing_metadata()))
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    request = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(request)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    return str(request.field_violations[0].field)


def test_stats_of_an_empty_service_is_one_default_stat() -> None:
    async def ask(stub: Any, _: Any) -> Any:
        return [stat async for stat in stub.Stats(Empty())]

    assert asked(ask) == [pb.HoldStat()]


def test_a_stored_event_is_buffered_and_counted_with_native_code_and_without(source: str) -> None:
    async def ask(stub: Any, _: Any) -> Any:
        first = await stub.Record(hold(weight=2.5))
        second = await stub.RecordTransfer(
            pb.TransferMsg(token_id="t", from_id="a", to_id="b", at={"seconds": 1}, amount=1, event_id="e")
        )
        assert first == pb.HoldAck(sequence=1, durability=pb.BUFFERED, accepted=1, warnings=EARLY)
        assert second == pb.HoldAck(sequence=3, durability=pb.BUFFERED, accepted=1, warnings=EARLY)
        return [stat async for stat in stub.Stats(Empty())]

    stats = asked(ask)
    assert [(stat.holder_id, stat.total_seconds, stat.weighted_score) for stat in stats] == [
        ("ann", 10, 25.0),
        ("a", 0, 0.0),
        ("b", 0, 0.0),
    ], source
    assert stats[0].updated_at.ToDatetime(UTC) == NOW


@pytest.mark.parametrize(
    ("message", "field", "text"),
    [
        (pb.HoldMsg(), "token_id", "token_id: missing or empty"),
        (pb.HoldMsg(token_id="t", holder_id="h"), "start", "start, end: neither is given "),
        (
            pb.HoldMsg(token_id="t", holder_id="h", start={"seconds": 0, "nanos": -1}),
            "start",
            "start: nanos must be from 0 to 999999999",
        ),
        (hold(weight=-1), "weight", "weight: negative (write 0 or more)"),
        (
            hold(weight=1, weight_text="1"),
            "weight_text",
            "weight_text: weight is given too; send one of the two",
        ),
        (hold("h" * 257), "holder_id", "holder_id: 257 bytes, the maximum is 256"),
        (hold(revision=1), "event_id", "revision or retract without event_id "),
        (
            pb.HoldMsg(token_id="t", holder_id="h", start={"seconds": 1_767_226_000}),
            "start",
            "start: 400 s ahead of the server's clock, the maximum is 300 s",
        ),
    ],
)
def test_a_refusal_names_the_field_in_its_details(message: pb.HoldMsg, field: str, text: str) -> None:
    async def ask(stub: Any, _: Any) -> Any:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Record(message)
        acks = [ack async for ack in stub.Broadcast(iter([hold(), message]))]
        return caught.value, acks

    error, acks = asked(ask)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(text)
    assert field_of(error) == field
    refusal = pb.Refusal(index=1, field=field, reason=error.details())
    assert acks == [
        pb.HoldAck(sequence=1, durability=pb.BUFFERED, accepted=1, warnings=EARLY),
        pb.HoldAck(index=1, refused=[refusal], refused_total=1),
    ]


def test_batches_are_acknowledged_in_order_with_their_refused_rows() -> None:
    batches = [
        pb.HoldBatch(token_id=["t"], holder_id=["a", "b", ""], start_us=[1], end_us=[-(2**63), 9, 9]),
        pb.HoldBatch(token_id=["t"], holder_id=["a", "b"], start_us=[1, 2, 3]),
        pb.HoldBatch(),
    ]
    transfers = [
        pb.TransferBatch(token_id=["t"], to_id=["a", ""], at_us=[1], amount=[1], event_id=["x", "y"])
    ]

    async def ask(stub: Any, _: Any) -> Any:
        return (
            [ack async for ack in stub.BroadcastBatch(iter(batches))],
            [ack async for ack in stub.BroadcastTransferBatch(iter(transfers))],
        )

    (first, second, third), (fourth,) = asked(ask)
    assert (first.accepted, first.sequence, first.refused_total) == (2, 2, 1)
    assert first.refused[0] == pb.Refusal(row=2, field="holder_id", reason="holder_id: missing or empty")
    reason = "holder_id: 2 values in a batch of 3 rows; send none, one, or one per row"
    assert second == pb.HoldAck(
        index=1, refused=[pb.Refusal(index=1, field="holder_id", reason=reason)], refused_total=3
    )
    assert third == pb.HoldAck(index=2)
    assert (fourth.accepted, fourth.sequence, fourth.refused[0].field) == (1, 3, "from_id")


def test_pages_continue_where_the_last_one_ended_and_a_token_belongs_to_its_question(source: str) -> None:
    async def ask(stub: Any, _: Any) -> Any:
        for number in range(5):
            await stub.Record(hold(f"h{number}", 10 + number // 2))
        await stub.Record(
            pb.HoldMsg(token_id="other", holder_id="h0", start={"seconds": 0}, end={"seconds": 1})
        )
        whole = await stub.GetSnapshot(pb.GetSnapshotRequest(token_id="gold"))
        assert not whole.next_page_token
        listed, token = [], ""
        for _ in range(3):
            request = pb.GetSnapshotRequest(token_id="gold", page_size=2, page_token=token)
            page = await stub.GetSnapshot(request)
            listed += page.holders
            token = page.next_page_token
            if token:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.GetSnapshot(pb.GetSnapshotRequest(page_token=token))
                assert field_of(caught.value) == "page_token"
        assert not token
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetDeficits(pb.GetDeficitsRequest(page_token="AAAA"))
        assert field_of(caught.value) == "page_token"
        return listed, list(whole.holders)

    listed, whole = asked(ask)
    assert listed == whole, source
    assert [(row.rank, row.holder_id) for row in whole] == [
        (1, "h4"),
        (2, "h2"),
        (2, "h3"),
        (4, "h0"),
        (4, "h1"),
    ]


def test_an_unknown_holder_is_not_found_and_calls_of_the_binary_say_so() -> None:
    async def code(call: Any) -> Any:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        return caught.value.code(), caught.value.details()

    async def ask(stub: Any, _: Any) -> Any:
        await stub.Record(hold())
        return [
            await code(stub.GetHolder(pb.GetHolderRequest(holder_id="bob"))),
            await code(stub.GetHolder(pb.GetHolderRequest(holder_id="ann", token_id="x"))),
            await code(anext(aiter(stub.Feed(iter([pb.FeedRequest()]))))),
        ]

    unknown, untouched, feed = asked(ask)
    assert unknown == (grpc.StatusCode.NOT_FOUND, "holder_id: unknown holder: no event names it")
    assert untouched == (grpc.StatusCode.NOT_FOUND, "holder_id: this holder has no event with this token")
    sentence = "Feed is a call of main_holdmetrics serve; the Python server does not have it"
    assert feed == (grpc.StatusCode.UNIMPLEMENTED, sentence)


def test_the_service_reports_that_it_is_healthy() -> None:
    async def ask(_: Any, channel: Any) -> Any:
        return await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=SERVICE))

    assert asked(ask).status == health_pb2.HealthCheckResponse.SERVING


def test_a_bad_ack_every_ends_the_stream() -> None:
    async def ask(stub: Any, _: Any) -> Any:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            # Without a message: to send one to a stream that has ended is an error of the client's own.
            await anext(aiter(stub.Broadcast(iter([]), metadata=(("ack-every", "0"),))))
        return caught.value

    assert field_of(asked(ask)) == "ack-every"


def test_an_address_in_use_is_refused() -> None:
    async def run() -> None:
        async with GrpcServer(HoldService(), Address("127.0.0.1", 0)) as server:
            with pytest.raises(InputError, match="cannot listen there"):
                await GrpcServer(HoldService(), Address("127.0.0.1", server.port)).__aenter__()

    asyncio.run(run())


def test_what_a_tracker_has_recorded_before_is_explained_too() -> None:
    async def run() -> None:
        tracker = AsyncTracker()
        await tracker.record(HoldEvent(token_id="t", holder_id="h", start=NOW))
        async with (
            GrpcServer(HoldService(tracker), Address("127.0.0.1", 0)) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            stub = hold_pb2_grpc.HoldMetricsStub(channel)  # type: ignore[no-untyped-call]
            report = await stub.GetHolder(pb.GetHolderRequest(holder_id="h"))
        assert [key.token_id for key in report.keys] == ["t"]

    asyncio.run(run())


def test_a_watch_ends_when_the_server_stops() -> None:
    async def run() -> Any:
        async with GrpcServer(HoldService(), Address("127.0.0.1", 0)) as server:
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
            stub = hold_pb2_grpc.HoldMetricsStub(channel)  # type: ignore[no-untyped-call]
            changes = aiter(stub.Watch(pb.WatchRequest()))
            first = await anext(changes)
        async with channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await anext(changes)
        return first, caught.value

    first, error = asyncio.run(run())
    assert (first.sequence, len(first.changed)) == (0, 0)
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "the server is shutting down")

"""`poh.HoldMetrics` over grpc.aio, with health and reflection: the calls of the binary, from memory.

Each call converts its request, asks the service and converts the answer. `Feed` is UNIMPLEMENTED.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Self, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from poh_holdmetrics.api import grpc_answers as answers
from poh_holdmetrics.api.access import Access
from poh_holdmetrics.api.answers import Question
from poh_holdmetrics.api.grpc_access import KeyInterceptor
from poh_holdmetrics.api.grpc_acks import acknowledge_batch, acknowledge_event, records_from_message
from poh_holdmetrics.api.grpc_decoding import DecodingInterceptor
from poh_holdmetrics.api.grpc_events import us_from_timestamp
from poh_holdmetrics.api.grpc_metrics import MetricsInterceptor
from poh_holdmetrics.api.grpc_reflection import add_reflection
from poh_holdmetrics.api.grpc_status import closing, full, not_found, refuse, unimplemented
from poh_holdmetrics.api.grpc_watch import Watch
from poh_holdmetrics.api.hold_service import HoldService
from poh_holdmetrics.api.intake import MESSAGE_BYTES_MAX
from poh_holdmetrics.api.page_tokens import other_question, read_deficit_page_token, read_page_token
from poh_holdmetrics.api.unknown_policy import refuse_policy
from poh_holdmetrics.errors import InputError, Refused, StoreFull
from poh_holdmetrics.hold_warnings import warning_names
from poh_holdmetrics.instants import MAX_US
from poh_holdmetrics.protocols import hold_pb2 as pb
from poh_holdmetrics.protocols import hold_pb2_grpc
from poh_holdmetrics.pure.findings import findings_of
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from google.protobuf.empty_pb2 import Empty

    from poh_holdmetrics.api.addresses import Address
    from poh_holdmetrics.api.answers import Cursor
    from poh_holdmetrics.api.grpc_acks import Event
    from poh_holdmetrics.api.grpc_types import Context
    from poh_holdmetrics.api.tls import Tls

SERVICE = pb.DESCRIPTOR.services_by_name["HoldMetrics"].full_name
_ACK_EVERY = "ack-every"
_ACK_EVERY_MAX = 65_536

#: A client that answers no ping is gone. Clients may ping as well: by default, the connection of one that
#: does so more often than every 5 minutes is closed.
_KEEPALIVE = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
)

_Message = TypeVar("_Message")


class HoldMetricsServicer(hold_pb2_grpc.HoldMetricsServicer):
    """Answers the calls; add it to any grpc.aio server."""

    def __init__(self, service: HoldService) -> None:
        self._service = service
        self._stop = asyncio.Event()
        #: The tasks of streams that wait for a message.
        self._reading: set[asyncio.Task[object]] = set()

    def stop(self) -> None:
        """End the calls that would go on until their callers end them."""
        self._stop.set()
        for task in self._reading:
            task.cancel()

    async def Record(self, request: pb.HoldMsg, context: Context) -> pb.HoldAck:  # noqa: N802
        """Store one event."""
        return await self._record(request, context)

    async def RecordTransfer(self, request: pb.TransferMsg, context: Context) -> pb.HoldAck:  # noqa: N802
        """Store one transfer."""
        return await self._record(request, context)

    async def Broadcast(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.HoldMsg], context: Context
    ) -> AsyncIterator[pb.HoldAck]:
        """Store a stream of events."""
        await _check_ack_every(context)
        async for ack in self._acks(request_iterator, acknowledge_event, context):
            yield ack

    async def BroadcastTransfers(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.TransferMsg], context: Context
    ) -> AsyncIterator[pb.HoldAck]:
        """Store a stream of transfers."""
        await _check_ack_every(context)
        async for ack in self._acks(request_iterator, acknowledge_event, context):
            yield ack

    async def BroadcastBatch(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.HoldBatch], context: Context
    ) -> AsyncIterator[pb.HoldAck]:
        """Store batches of events."""
        async for ack in self._acks(request_iterator, acknowledge_batch, context):
            yield ack

    async def BroadcastTransferBatch(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.TransferBatch], context: Context
    ) -> AsyncIterator[pb.HoldAck]:
        """Store batches of transfers."""
        async for ack in self._acks(request_iterator, acknowledge_batch, context):
            yield ack

    async def Stats(self, _request: Empty, _context: Context) -> AsyncIterator[pb.HoldStat]:  # noqa: N802
        """All holders over their closed holds; one default `HoldStat` if there are none."""
        question = Question(Window(MAX_US, None, closed_only=True))
        page = await self._service.page(question, None, max(1, self._service.tracker.holders))
        updated_at_us = self._service.now_us()
        for row in page.rows:
            yield answers.stat_from_row(row, updated_at_us)
        if not page.rows:
            yield pb.HoldStat()

    async def GetSnapshot(self, request: pb.GetSnapshotRequest, context: Context) -> pb.Snapshot:  # noqa: N802
        """One page of all holders, or one holder."""
        try:
            size = answers.count_from_wire("page_size", request.page_size, 1_000, 10_000)
            question, after = self._page_start(request)
            refuse_policy(request.policy, is_of_one_holder=bool(request.holder_id))
        except Refused as refused:
            await refuse(context, refused)
        if request.holder_id:
            answer = await self._service.holder(request.holder_id, question)
            known = None if isinstance(answer, str) else answer
            return answers.snapshot_from_holder(question, known, self._service.sequence)
        return answers.snapshot_from_page(question, await self._service.page(question, after, size))

    async def GetLeaderboard(  # noqa: N802
        self, request: pb.GetLeaderboardRequest, context: Context
    ) -> pb.Leaderboard:
        """The first holders."""
        try:
            count = answers.count_from_wire("n", request.n, 100, 10_000)
            question = self._question(request)
            refuse_policy(request.policy)
        except Refused as refused:
            await refuse(context, refused)
        return answers.leaderboard_from_page(question, await self._service.page(question, None, count))

    async def GetHolder(self, request: pb.GetHolderRequest, context: Context) -> pb.HolderReport:  # noqa: N802
        """One holder, explained."""
        try:
            _check_holder_id(request.holder_id)
            question = self._question(request)
        except Refused as refused:
            await refuse(context, refused)
        answer = await self._service.holder(request.holder_id, question)
        if isinstance(answer, str):
            await not_found(context, f"holder_id: {answer}")
        return answers.report_from_answer(question, answer)

    async def GetDeficits(self, request: pb.GetDeficitsRequest, context: Context) -> pb.Deficits:  # noqa: N802
        """One page of the keys below 0."""
        try:
            size = answers.count_from_wire("page_size", request.page_size, 1_000, 10_000)
            question, after = self._deficits_start(request)
        except Refused as refused:
            await refuse(context, refused)
        return answers.deficits_from_page(question, await self._service.deficits(question, after, size))

    async def Watch(  # noqa: N802
        self, request: pb.WatchRequest, context: Context
    ) -> AsyncIterator[pb.LeaderboardChange]:
        """The leaderboard and its changes, until the caller cancels or the server stops."""
        try:
            watch = Watch(self._service, request)
        except Refused as refused:
            await refuse(context, refused)
        async for change in watch.changes(self._stop):
            yield change
        await closing(context)

    async def Feed(self, _requests: AsyncIterator[pb.FeedRequest], context: Context) -> None:  # noqa: N802
        """Not in this server."""
        await unimplemented(context, "Feed")

    async def _record(self, message: Event, context: Context) -> pb.HoldAck:
        try:
            records = records_from_message(self._service, message)
        except Refused as refused:
            await refuse(context, refused)
        try:
            sequence = await self._service.store(records)
        except StoreFull as store_full:
            await full(context, store_full)
        return pb.HoldAck(
            sequence=sequence,
            durability=pb.BUFFERED,
            accepted=1,
            warnings=warning_names(findings_of(records)),
        )

    async def _acks(
        self,
        messages: AsyncIterator[_Message],
        acknowledge: Callable[[HoldService, _Message, int], Awaitable[pb.HoldAck]],
        context: Context,
    ) -> AsyncIterator[pb.HoldAck]:
        index = 0
        async for message in self._until_stop(messages, context):
            try:
                yield await acknowledge(self._service, message, index)
            except StoreFull as store_full:
                await full(context, store_full)
            index += 1

    async def _until_stop(
        self, messages: AsyncIterator[_Message], context: Context
    ) -> AsyncIterator[_Message]:
        """The messages of a stream; a call that waits for one ends if the server stops."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - grpc.aio runs each call in a task
        while not self._stop.is_set():
            self._reading.add(task)
            try:
                message = await anext(messages, None)
            except asyncio.CancelledError:
                if not self._stop.is_set():
                    raise
                task.uncancel()
                break
            finally:
                self._reading.discard(task)
            if message is None:
                # So end also the messages of a caller that went away, whose call is cancelled at this await.
                await asyncio.sleep(0)
                return
            yield message
        await closing(context)

    def _question(
        self, request: pb.GetSnapshotRequest | pb.GetLeaderboardRequest | pb.GetHolderRequest
    ) -> Question:
        window = answers.window_from_wire(request, self._service.now_us())
        return Question(window, request.token_id or None)

    def _page_start(self, request: pb.GetSnapshotRequest) -> tuple[Question, Cursor | None]:
        if not request.page_token:
            return self._question(request), None
        question, after = read_page_token(request.page_token)
        window = question.window
        if request.HasField("window"):
            window = answers.window_from_wire(request, window.as_of_us)
        if request.holder_id or Question(window, request.token_id or None) != question:
            raise other_question()
        return question, after

    def _deficits_start(self, request: pb.GetDeficitsRequest) -> tuple[Question, tuple[str, str] | None]:
        as_of_us = us_from_timestamp("as_of", request.as_of) if request.HasField("as_of") else None
        token_id = request.token_id or None
        if not request.page_token:
            now_us = self._service.now_us() if as_of_us is None else as_of_us
            return Question(Window(now_us, None, closed_only=False), token_id), None
        question, after = read_deficit_page_token(request.page_token)
        if token_id != question.token_id or as_of_us not in (None, question.window.as_of_us):
            raise other_question()
        return question, after


async def _check_ack_every(context: Context) -> None:
    for key, value in context.invocation_metadata() or ():
        text = value if isinstance(value, str) else ""
        if key == _ACK_EVERY and not (
            text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= _ACK_EVERY_MAX
        ):
            await refuse(context, Refused(_ACK_EVERY, f"must be an integer from 1 to {_ACK_EVERY_MAX}"))


def _check_holder_id(holder_id: str) -> None:
    if not holder_id:
        raise Refused("holder_id", "missing or empty")


class GrpcServer:
    """A listening gRPC server; used as an async context, at whose end calls in progress may still finish."""

    def __init__(
        self,
        service: HoldService,
        address: Address,
        *,
        tls: Tls | None = None,
        access: Access | None = None,
        drain_seconds: float = 5.0,
    ) -> None:
        """After `drain_seconds` calls in progress are cancelled. `port` is known once the server listens.

        Without `access` every caller may do everything.
        """
        self._tls = tls
        self._access = Access() if access is None else access
        self._service = service
        self._address = address
        self._drain_seconds = drain_seconds
        self.port = 0

    async def __aenter__(self) -> Self:
        """Listen; raises `InputError` if that is not possible."""
        # Two servers on one port would share the callers, and each would have a part of the events.
        options = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.so_reuseport", 0),
            *_KEEPALIVE,
        ]
        interceptors = [
            *self._service.published_counts.interceptors(),
            MetricsInterceptor(self._service.figures),
            KeyInterceptor(self._access),
            DecodingInterceptor(),
        ]
        self._server = grpc.aio.server(options=options, interceptors=interceptors)
        self._servicer = HoldMetricsServicer(self._service)
        hold_pb2_grpc.add_HoldMetricsServicer_to_server(self._servicer, self._server)  # type: ignore[no-untyped-call]
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        add_reflection(self._server, names)
        for name in ("", *names[:1]):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        try:
            self.port = self._listen(str(self._address))
        except RuntimeError as error:
            raise InputError(
                str(self._address), "cannot listen there; choose another GRPC_ADDRESS"
            ) from error
        await self._server.start()
        return self

    def _listen(self, address: str) -> int:
        if self._tls is None:
            return self._server.add_insecure_port(address)
        client_ca = self._tls.client_ca
        credentials = grpc.ssl_server_credentials(
            [(self._tls.key.read_bytes(), self._tls.certificate.read_bytes())],
            None if client_ca is None else client_ca.read_bytes(),
            require_client_auth=client_ca is not None,
        )
        return self._server.add_secure_port(address, credentials)

    async def __aexit__(self, *_: object) -> None:
        await self._health.enter_graceful_shutdown()
        self._servicer.stop()
        await self._server.stop(self._drain_seconds)

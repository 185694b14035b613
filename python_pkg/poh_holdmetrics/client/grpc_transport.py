"""The calls of a client over gRPC, with grpc.aio: one attempt of each, and its status as an error.

What is in the messages is read in `grpc_messages`. Repeats nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from poh_holdmetrics.client import grpc_messages as messages
from poh_holdmetrics.client.batches import Batch
from poh_holdmetrics.client.errors import (
    ClientError,
    NotAuthorized,
    NotFound,
    RequestRefused,
    ServiceUnavailable,
)
from poh_holdmetrics.client.results import Deficit, HolderReport, Leaderboard, Round, RoundProof
from poh_holdmetrics.client.target import Target
from poh_holdmetrics.client.transport import (
    BEGINNING,
    NOT_READABLE,
    FeedFilter,
    FeedPage,
    FeedStart,
    Question,
    Stored,
)
from poh_holdmetrics.data_models import HoldStat
from poh_holdmetrics.protocols import hold_pb2 as pb
from poh_holdmetrics.protocols import hold_pb2_grpc

_FEED_PAGE_EVENTS = 1_000
#: The answers of the service have 4 MiB; a report of one holder may have a little more.
_MESSAGE_BYTES_MAX = 16 << 20
#: A channel that has lost its service tries again as often as the client does.
_RECONNECT = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1_000))
#: A call that waits for news would not notice otherwise that the service is gone: it answers no ping.
_KEEPALIVE = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Of the two times to wait for an answer this one counts since grpcio has it, and is 60 s by default.
    ("grpc.http2.ping_timeout_ms", 10_000),
    # As often as it takes; 2 are allowed by default while nothing is sent.
    ("grpc.http2.max_pings_without_data", 0),
)
_DETAILS = "grpc-status-details-bin"
#: What grpc says of a connection that is lost within a call, also while a message is written.
_CUT = ("RST_STREAM", "Stream removed", "Internal error from Core")
_AUTHORIZATION = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
_ABSENT = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED)
_REFUSED = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ALREADY_EXISTS,
    # The leaderboard of the page before is no longer kept: the same token would be refused again.
    grpc.StatusCode.ABORTED,
)
_TEMPORARY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)


class GrpcTransport:
    """One channel; implements `transport.Transport`."""

    def __init__(self, target: Target) -> None:
        self._url = target.url
        self._metadata = None if target.api_key is None else (("authorization", f"Bearer {target.api_key}"),)
        options = [*_RECONNECT, *_KEEPALIVE, ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX)]
        if target.is_own:
            # A proxy of the environment does not reach what is on this machine.
            options.append(("grpc.enable_http_proxy", 0))
        if target.has_tls:
            credentials = grpc.ssl_channel_credentials(*target.tls_bytes())
            self._channel = grpc.aio.secure_channel(target.authority, credentials, options)
        else:
            self._channel = grpc.aio.insecure_channel(target.authority, options)
        self._stub: Any = hold_pb2_grpc.HoldMetricsStub(self._channel)  # type: ignore[no-untyped-call]
        self._health = health_pb2_grpc.HealthStub(self._channel)

    async def store(self, batch: Batch) -> Stored:
        """Store a batch in columns, as a stream of one message."""
        call = self._stub.BroadcastTransferBatch if batch.is_of_transfers else self._stub.BroadcastBatch
        message = messages.message_from_batch(batch)
        with self._errors():
            async for ack in call(iter((message,)), metadata=self._metadata):
                return messages.stored_from_ack(batch, ack)
        raise ServiceUnavailable(self._url, "the call ended without an acknowledgement")

    async def leaderboard(self, question: Question, limit: int) -> Leaderboard:
        """The first holders."""
        request = pb.GetLeaderboardRequest(
            window=messages.window_from_question(question),
            token_id=question.token_id or "",
            n=self._size("n", limit),
            policy=question.policy or "",
        )
        answer = await self._unary(self._stub.GetLeaderboard, request)
        with self._errors():
            return messages.leaderboard_from_message(answer)

    async def page(self, question: Question, size: int, token: str | None) -> tuple[Leaderboard, str | None]:
        """A page of all holders."""
        request = pb.GetSnapshotRequest(
            window=None if token else messages.window_from_question(question),
            token_id=question.token_id or "",
            page_size=self._size("page_size", size),
            page_token=token or "",
            policy=question.policy or "",
        )
        answer = await self._unary(self._stub.GetSnapshot, request)
        with self._errors():
            return messages.leaderboard_from_message(answer), answer.next_page_token or None

    async def holder(self, holder_id: str, question: Question) -> HolderReport:
        """One holder, explained."""
        request = pb.GetHolderRequest(
            holder_id=holder_id,
            window=messages.window_from_question(question),
            token_id=question.token_id or "",
        )
        answer = await self._unary(self._stub.GetHolder, request)
        with self._errors():
            return messages.report_from_message(answer)

    async def deficits(
        self, question: Question, size: int, token: str | None
    ) -> tuple[list[Deficit], str | None]:
        """A page of the keys below 0."""
        window = messages.window_from_question(question)
        request = pb.GetDeficitsRequest(
            as_of=window.as_of if window.HasField("as_of") else None,
            token_id=question.token_id or "",
            page_size=self._size("page_size", size),
            page_token=token or "",
        )
        answer = await self._unary(self._stub.GetDeficits, request)
        with self._errors():
            listed = list(map(messages.deficit_from_message, answer.deficits))
            return listed, answer.next_page_token or None

    async def watch(
        self, question: Question, limit: int, interval: float
    ) -> AsyncGenerator[Leaderboard, None]:
        """The rows of the messages so far, whenever one has arrived."""
        seconds, part = divmod(round(interval * 1e9), 10**9)
        request = pb.WatchRequest(
            token_id=question.token_id or "",
            n=self._size("n", limit),
            interval={"seconds": seconds, "nanos": part},
            closed_only=question.closed_only,
        )
        rows: dict[str, HoldStat] = {}
        with self._errors():
            async for change in self._stub.Watch(request, metadata=self._metadata):
                for holder_id in change.left:
                    rows.pop(holder_id, None)
                rows |= {row.holder_id: messages.stat_from_message(row) for row in change.changed}
                yield Leaderboard(
                    as_of=messages.time_from_timestamp(change.as_of),
                    from_=None,
                    closed_only=question.closed_only,
                    holders=tuple(sorted(rows.values(), key=lambda row: (row.rank or 0, row.holder_id))),
                    holders_total=0,
                    deficits=change.deficits,
                    sequence=change.sequence,
                )
        raise ServiceUnavailable(self._url, "the service ended the call")

    async def feed(self, start: FeedStart, wanted: FeedFilter) -> AsyncGenerator[FeedPage, None]:
        """The responses of one call, which has no consumer name and so keeps no position."""
        begin = pb.FeedStart(
            token=wanted.token or "", holder=wanted.holder or "", events_max=_FEED_PAGE_EVENTS
        )
        if isinstance(start, int):
            begin.from_sequence = start
        elif start == BEGINNING:
            begin.from_beginning = True
        requests = iter((pb.FeedRequest(start=begin),))
        with self._errors():
            async for batch in self._stub.Feed(requests, metadata=self._metadata):
                yield messages.feed_page_from_message(batch)
        raise ServiceUnavailable(self._url, "the service ended the call")

    async def seal_round(self, request: Mapping[str, Any]) -> Round:
        """Seal a round."""
        with self._errors():
            message = messages.message_from_round(request)
        answer = await self._unary(self._stub.SealRound, message)
        with self._errors():
            return messages.round_from_message(answer)

    async def rounds(self, size: int, token: str | None) -> tuple[list[Round], str | None]:
        """A page of rounds."""
        request = pb.ListRoundsRequest(page_size=self._size("page_size", size), page_token=token or "")
        answer = await self._unary(self._stub.ListRounds, request)
        with self._errors():
            return list(map(messages.round_from_message, answer.rounds)), answer.next_page_token or None

    async def round(self, round_id: str) -> Round:
        """One round."""
        answer = await self._unary(self._stub.GetRound, pb.GetRoundRequest(id=round_id))
        with self._errors():
            return messages.round_from_message(answer)

    async def round_proof(self, round_id: str, holder: str) -> RoundProof:
        """The proof of a holder."""
        request = pb.GetRoundProofRequest(id=round_id, holder=holder)
        answer = await self._unary(self._stub.GetRoundProof, request)
        with self._errors():
            return messages.proof_from_message(answer)

    async def ready(self) -> bool:
        """Whether the health service reports SERVING."""
        answer = await self._unary(self._health.Check, health_pb2.HealthCheckRequest())
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def version(self) -> str:
        """Not a call of the gRPC interface; a coroutine, as the port asks."""
        raise NotFound(self._url, "version: gRPC has no call for it; use the http:// address of the service")

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close(None)

    async def _unary(self, call: Any, request: object) -> Any:
        with self._errors():
            return await call(request, metadata=self._metadata)

    def _size(self, field: str, size: int) -> int:
        """A number of rows as the wire has it, where 0 would mean the default."""
        if not 0 < size < 2**32:
            raise RequestRefused(
                self._url, f"{field}: must be an integer from 1 to 10000, not {size}", field=field
            )
        return size

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """A context in which a status of gRPC becomes an error of ours."""
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from error
        except (KeyError, TypeError, ValueError, IndexError) as error:
            unavailable = ServiceUnavailable(self._url, NOT_READABLE)
            unavailable.is_temporary = False
            raise unavailable from error

    def _error(self, error: grpc.aio.AioRpcError) -> ClientError:
        code, sentence = error.code(), error.details() or error.code().name
        field, retry_after_seconds = _details(error)
        facts = {"code": code.name, "field": field}
        if code in _AUTHORIZATION:
            return NotAuthorized(self._url, sentence, **facts)
        if code in _ABSENT:
            return NotFound(self._url, sentence, **facts)
        is_exhausted = code == grpc.StatusCode.RESOURCE_EXHAUSTED
        is_too_large = is_exhausted and retry_after_seconds is None
        if code in _REFUSED or is_too_large:
            refused = RequestRefused(self._url, sentence, **facts)
            refused.is_too_large = is_too_large or code == grpc.StatusCode.OUT_OF_RANGE
            return refused
        unavailable = ServiceUnavailable(self._url, sentence, **facts)
        # A connection that is cut within a call has other codes, and no details of the service.
        is_cut = any(text in sentence for text in _CUT)
        is_of_certificate = "CERTIFICATE_VERIFY_FAILED" in sentence
        unavailable.is_temporary = (code in _TEMPORARY or is_exhausted or is_cut) and not is_of_certificate
        unavailable.retry_after_seconds = retry_after_seconds
        return unavailable


def _details(error: grpc.aio.AioRpcError) -> tuple[str, float | None]:
    """The field, and the seconds after which to try again, as the details of google.rpc have them."""
    trailing: Any = error.trailing_metadata() or ()
    found = dict(tuple(trailing)).get(_DETAILS)
    if not isinstance(found, bytes):
        return "", None
    status = status_pb2.Status.FromString(found)
    field, seconds = "", None
    for detail in status.details:
        request, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(request) and request.field_violations:
            field = request.field_violations[0].field
        elif detail.Unpack(retry):
            seconds = retry.retry_delay.ToTimedelta().total_seconds()
    return field, seconds

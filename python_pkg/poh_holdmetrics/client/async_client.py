"""The client of a service, for asyncio. `sync_client` has the same calls without `await`.

Validates arguments, repeats what failed temporarily, and follows pages and streams. What goes over the
network is a `transport`, which is chosen by the address.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Self, TypedDict, TypeVar, Unpack

from poh_holdmetrics.airdrop.rounds import Amount, RoundOptions, round_request
from poh_holdmetrics.client.batches import Event, async_batches
from poh_holdmetrics.client.delivery import Delivery, Progress
from poh_holdmetrics.client.errors import ServiceUnavailable
from poh_holdmetrics.client.patience import Patience, Persistence
from poh_holdmetrics.client.results import (
    Deficit,
    FeedEvent,
    HolderReport,
    Leaderboard,
    LeaderboardChange,
    Round,
    RoundProof,
    SendReport,
)
from poh_holdmetrics.client.target import Target, target
from poh_holdmetrics.client.transport import (
    BEGINNING,
    NOW,
    FeedFilter,
    FeedStart,
    Question,
    Transport,
)
from poh_holdmetrics.data_models import HoldStat
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.instants import Instant, us_from_argument
from poh_holdmetrics.libraries import library

_BATCH_EVENTS_MAX = 1_000
_PAGE_ROWS = 1_000

_Value = TypeVar("_Value")


class ClientOptions(TypedDict, total=False):
    """How to connect.

    `api_key` is that of `HOLDMETRICS_API_KEY` if absent. `ca` is a file of certificate authorities, without
    which those of the system count; `certificate` and `key` are files of the client. An attempt of a call has
    `timeout` seconds (30), and is repeated until `patience` seconds (60) have passed.
    """

    api_key: str | None
    ca: str | Path | None
    certificate: str | Path | None
    key: str | Path | None
    timeout: float
    patience: float


class Asked(TypedDict, total=False):
    """What an answer is about: the time from `from_` (all) until `as_of` (now), and one `token` (all).

    `closed_only` leaves out the time after a key's last mark. `policy` names the rule under which scores are
    published; a report of one holder has none.
    """

    as_of: Instant | None
    from_: Instant | None
    closed_only: bool
    token: str | None
    policy: str | None


class SendOptions(TypedDict, total=False):
    """`batch` events (1,000, the maximum) in a request, `in_flight` requests at a time (4).

    `progress` is called with the report so far after each request.
    """

    batch: int
    in_flight: int
    progress: Progress | None


class AsyncHoldClient:
    """A client of the service at `http://`, `https://`, `grpc://` or `grpcs://HOST:PORT`.

    Connects with the first call; close it with `aclose`, or use it with `async with`. Calls may run at the
    same time, in one event loop. `ClientOptions` says how to connect.
    """

    def __init__(self, url: str, **options: Unpack[ClientOptions]) -> None:
        names = ("api_key", "ca", "certificate", "key")
        self._target: Target = target(url, **{name: options.get(name) for name in names})  # type: ignore[arg-type]
        self._persistence = Persistence(
            self._target.url,
            _positive("timeout", options.get("timeout", 30.0)),
            _positive("patience", options.get("patience", 60.0)),
        )
        if self._target.is_grpc:
            library("grpc", "an address of gRPC", "grpc")
        else:
            library("httpx", "an address of HTTP", "client")
        self._opened: Transport | None = None

    async def __aenter__(self) -> Self:
        """The client itself; a coroutine, as the protocol asks."""
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    async def send(
        self, events: Iterable[Event] | AsyncIterable[Event], **options: Unpack[SendOptions]
    ) -> SendReport:
        """Send events, and return when all that are accepted are acknowledged.

        Takes `HoldEvent`, `Transfer` and dicts with their fields, from a list, a generator or an asynchronous
        one, which is consumed no faster than the service acknowledges. Each batch is repeated until it is
        acknowledged: an event that arrives twice changes nothing. Refused events are listed in the report.
        """
        delivery = self.delivery(options)
        try:
            async with aclosing(async_batches(events, batch_events(options))) as batches:
                async for batch in batches:
                    await delivery.put(batch)
            return await delivery.finish()
        finally:
            await delivery.abandon()

    async def leaderboard(self, limit: int = 100, **asked: Unpack[Asked]) -> Leaderboard:
        """The first `limit` holders, at most 10,000; see `Asked`."""
        question = _question(asked)
        return await self._persistence.answer(lambda: self._transport.leaderboard(question, limit))

    async def stats(
        self, *, page_size: int = _PAGE_ROWS, **asked: Unpack[Asked]
    ) -> AsyncGenerator[HoldStat, None]:
        """All holders in leaderboard order, read in pages of one window; see `Asked`."""
        question = _question(asked)
        token = None
        while True:
            after = token
            page, token = await self._persistence.answer(
                lambda after=after: self._transport.page(question, page_size, after)  # type: ignore[misc]
            )
            for stat in page.holders:
                yield stat
            if token is None:
                return

    async def holder(self, holder_id: str, **asked: Unpack[Asked]) -> HolderReport:
        """The score and rank of a holder and what they are made of; raises `NotFound` for an unknown one."""
        question = _question(asked)
        if not holder_id:
            raise InputError("holder_id", "empty; name a holder")
        if question.policy is not None:
            raise InputError("policy", "a report of one holder has none; use leaderboard or stats")
        return await self._persistence.answer(lambda: self._transport.holder(holder_id, question))

    async def deficits(
        self, *, as_of: Instant | None = None, token: str | None = None, page_size: int = _PAGE_ROWS
    ) -> AsyncGenerator[Deficit, None]:
        """The keys whose balance is below 0 at some instant before `as_of`: events are missing."""
        question = _question({"as_of": as_of, "token": token})
        page_token = None
        while True:
            after = page_token
            listed, page_token = await self._persistence.answer(
                lambda after=after: self._transport.deficits(question, page_size, after)  # type: ignore[misc]
            )
            for deficit in listed:
                yield deficit
            if page_token is None:
                return

    async def seal_round(
        self,
        id: str,  # noqa: A002 - the name of the field
        *,
        pool: Amount,
        decimals: int,
        **options: Unpack[RoundOptions],
    ) -> Round:
        """Seal a round of an airdrop, or find the one that an equal request has sealed.

        Needs a key with the scope admin. Raises `RequestRefused` if another round has the id, or if the
        scores cannot be shared so.
        """
        request = round_request(id, pool=pool, decimals=decimals, **options)
        return await self._persistence.answer(lambda: self._transport.seal_round(request))

    async def rounds(self, *, page_size: int = _PAGE_ROWS) -> list[Round]:
        """All rounds in the order in which they were sealed, without their manifests; read in pages."""
        rounds: list[Round] = []
        page_token = None
        while True:
            after = page_token
            listed, page_token = await self._persistence.answer(
                lambda after=after: self._transport.rounds(page_size, after)  # type: ignore[misc]
            )
            rounds += listed
            if page_token is None:
                return rounds

    async def round(self, id: str) -> Round:  # noqa: A002
        """One round; raises `NotFound` for an unknown one."""
        return await self._persistence.answer(lambda: self._transport.round(id))

    async def round_proof(self, id: str, holder: str) -> RoundProof:  # noqa: A002
        """What a holder shows to the contract; raises `NotFound` without an amount in the round."""
        if not holder:
            raise InputError("holder", "empty; give an address")
        return await self._persistence.answer(lambda: self._transport.round_proof(id, holder))

    async def watch(
        self, limit: int = 10, *, token: str | None = None, closed_only: bool = False, interval: float = 1.0
    ) -> AsyncGenerator[LeaderboardChange, None]:
        """The first `limit` holders, and from then on whenever they have changed, until the caller ends it.

        `interval` is the minimum of seconds between two changes. Reconnects by itself.
        """
        question = _question({"token": token, "closed_only": closed_only})
        known: dict[str, HoldStat] | None = None
        boards = self._following(lambda: self._transport.watch(question, limit, interval))
        async with aclosing(boards):
            async for board in boards:
                change = _change(known, board)
                if change is not None:
                    known = {stat.holder_id: stat for stat in board.holders}
                    yield change

    async def feed(
        self,
        start: FeedStart = NOW,
        *,
        token: str | None = None,
        holder: str | None = None,
        follow: bool = True,
    ) -> AsyncGenerator[FeedEvent, None]:
        """Acknowledged events in the order of their sequence numbers, until the caller ends it.

        Begins with the event `start`, with the facts in force (`beginning`), or after the last event (`now`).
        If the event `start` no longer exists, facts are delivered first. `token` and `holder` are patterns
        (`punk/*`). With `follow` False it ends with the last event that the service has at the start.
        Reconnects by itself, and goes on behind the last event; a connection that is lost within facts begins
        them again.
        """
        if not (start in (BEGINNING, NOW) or (type(start) is int and start > 0)):
            raise InputError("start", f"expected a number from 1, beginning or now; found {excerpt(start)}")
        at, until = start, None
        wanted = FeedFilter(token, holder)
        pages = self._following(lambda: self._transport.feed(at, wanted))
        async with aclosing(pages):
            async for page in pages:
                for event in page.events:
                    yield event
                until = page.newest_sequence if until is None else until
                if page.last_sequence is not None:
                    at = page.last_sequence + 1
                    if not follow and page.last_sequence >= until:
                        return

    async def ready(self) -> bool:
        """Whether the service takes traffic; False if it cannot be reached. One attempt."""
        try:
            return await self._persistence.once(self._transport.ready)
        except ServiceUnavailable:
            return False

    async def version(self) -> str:
        """The version of the service; HTTP alone has it."""
        return await self._persistence.answer(self._transport.version)

    def delivery(self, options: SendOptions) -> Delivery:
        """What one call of `send` puts its batches in."""
        return Delivery(
            self._transport,
            persistence=self._persistence,
            in_flight=int(_positive("in_flight", options.get("in_flight", 4))),
            progress=options.get("progress"),
        )

    @property
    def _transport(self) -> Transport:
        """Made by the first call, because it belongs to the event loop of that call."""
        if self._opened is None:
            if self._target.is_grpc:
                from poh_holdmetrics.client.grpc_transport import GrpcTransport  # noqa: PLC0415 - an extra

                self._opened = GrpcTransport(self._target)
            else:
                from poh_holdmetrics.client.http_transport import HttpTransport  # noqa: PLC0415 - an extra

                self._opened = HttpTransport(self._target, timeout_seconds=self._persistence.attempt_seconds)
        return self._opened

    async def _following(
        self, connect: Callable[[], AsyncGenerator[_Value, None]]
    ) -> AsyncGenerator[_Value, None]:
        """What streams deliver, one after another: a new one begins when one is lost."""
        patience = Patience(self._persistence.patience_seconds)
        while True:
            stream = connect()
            try:
                async for value in stream:
                    yield value
                    patience.reset()
            except ServiceUnavailable as error:
                await patience.pause(error)


def batch_events(options: SendOptions) -> int:
    """The events of a batch; raises `InputError` for more than the service lists refusals of."""
    batch = options.get("batch", _BATCH_EVENTS_MAX)
    if not 1 <= batch <= _BATCH_EVENTS_MAX:
        raise InputError("batch", f"must be from 1 to {_BATCH_EVENTS_MAX}; found {batch}")
    return batch


def _question(asked: Asked) -> Question:
    as_of, since = asked.get("as_of"), asked.get("from_")
    for name in ("token", "policy"):
        if asked.get(name) == "":
            raise InputError(name, "empty; leave it out or give it a value")
    return Question(
        None if as_of is None else us_from_argument("as_of", as_of),
        None if since is None else us_from_argument("from_", since),
        asked.get("closed_only", False),
        asked.get("token"),
        asked.get("policy"),
    )


def _change(known: dict[str, HoldStat] | None, board: Leaderboard) -> LeaderboardChange | None:
    """What is new in a leaderboard; None if nothing is."""
    before = known or {}
    listed = {stat.holder_id for stat in board.holders}
    changed = tuple(stat for stat in board.holders if before.get(stat.holder_id) != stat)
    left = tuple(holder_id for holder_id in before if holder_id not in listed)
    if known is not None and not changed and not left:
        return None
    return LeaderboardChange(board.as_of, board.holders, changed, left, board.sequence, board.deficits)


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise InputError(name, f"must be more than 0; found {excerpt(value)}")
    return value

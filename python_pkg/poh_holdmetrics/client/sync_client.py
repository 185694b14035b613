"""The client without `await`: the calls of `AsyncHoldClient`, run by an event loop in a thread of its own.

So it works in a script and in a notebook, whose own loop is running already. Events that are sent are taken
from the iterable in the caller's thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator
from typing import Any, Self, TypeVar, Unpack

from poh_holdmetrics.airdrop.rounds import Amount, RoundOptions
from poh_holdmetrics.client.async_client import (
    Asked,
    AsyncHoldClient,
    ClientOptions,
    SendOptions,
    batch_events,
)
from poh_holdmetrics.client.batches import Event, batches
from poh_holdmetrics.client.delivery import Delivery
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
from poh_holdmetrics.client.transport import NOW, FeedStart
from poh_holdmetrics.data_models import HoldStat
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.instants import Instant

_Value = TypeVar("_Value")
_END = object()


class HoldClient:
    """A client of the service at `http://`, `https://`, `grpc://` or `grpcs://HOST:PORT`.

    Close it with `close`, or use it with `with`. May be used by several threads. `AsyncHoldClient` describes
    the calls, `ClientOptions` how to connect.
    """

    def __init__(self, url: str, **options: Unpack[ClientOptions]) -> None:
        self._client = AsyncHoldClient(url, **options)
        self._loop: _LoopThread | None = _LoopThread()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.run(self._client.aclose())
            loop.close()

    def send(self, events: Iterable[Event], **options: Unpack[SendOptions]) -> SendReport:
        """Send events, and return when all that are accepted are acknowledged."""
        events_max = batch_events(options)
        delivery = self._run(self._begun(options))
        try:
            for batch in batches(events, events_max):
                self._run(delivery.put(batch))
            return self._run(delivery.finish())
        finally:
            self._run(delivery.abandon())

    def leaderboard(self, limit: int = 100, **asked: Unpack[Asked]) -> Leaderboard:
        """The first `limit` holders, at most 10,000."""
        return self._run(self._client.leaderboard(limit, **asked))

    def stats(self, *, page_size: int = 1_000, **asked: Unpack[Asked]) -> Iterator[HoldStat]:
        """All holders in leaderboard order, read in pages of one window."""
        return self._each(self._client.stats(page_size=page_size, **asked))

    def holder(self, holder_id: str, **asked: Unpack[Asked]) -> HolderReport:
        """The score and rank of a holder and what they are made of; raises `NotFound` for an unknown one."""
        return self._run(self._client.holder(holder_id, **asked))

    def deficits(
        self, *, as_of: Instant | None = None, token: str | None = None, page_size: int = 1_000
    ) -> Iterator[Deficit]:
        """The keys whose balance is below 0 at some instant before `as_of`: events are missing."""
        return self._each(self._client.deficits(as_of=as_of, token=token, page_size=page_size))

    def seal_round(
        self,
        id: str,  # noqa: A002 - the name of the field
        *,
        pool: Amount,
        decimals: int,
        **options: Unpack[RoundOptions],
    ) -> Round:
        """Seal a round of an airdrop, or find the one that an equal request has sealed."""
        return self._run(self._client.seal_round(id, pool=pool, decimals=decimals, **options))

    def rounds(self, *, page_size: int = 1_000) -> list[Round]:
        """All rounds in the order in which they were sealed, without their manifests; read in pages."""
        return self._run(self._client.rounds(page_size=page_size))

    def round(self, id: str) -> Round:  # noqa: A002
        """One round; raises `NotFound` for an unknown one."""
        return self._run(self._client.round(id))

    def round_proof(self, id: str, holder: str) -> RoundProof:  # noqa: A002
        """What a holder shows to the contract; raises `NotFound` without an amount in the round."""
        return self._run(self._client.round_proof(id, holder))

    def watch(
        self, limit: int = 10, *, token: str | None = None, closed_only: bool = False, interval: float = 1.0
    ) -> Iterator[LeaderboardChange]:
        """The first `limit` holders, and from then on whenever they have changed."""
        return self._each(self._client.watch(limit, token=token, closed_only=closed_only, interval=interval))

    def feed(
        self,
        start: FeedStart = NOW,
        *,
        token: str | None = None,
        holder: str | None = None,
        follow: bool = True,
    ) -> Iterator[FeedEvent]:
        """Acknowledged events in the order of their sequence numbers."""
        return self._each(self._client.feed(start, token=token, holder=holder, follow=follow))

    def ready(self) -> bool:
        """Whether the service takes traffic; False if it cannot be reached."""
        return self._run(self._client.ready())

    def version(self) -> str:
        """The version of the service; HTTP alone has it."""
        return self._run(self._client.version())

    async def _begun(self, options: SendOptions) -> Delivery:
        """A delivery; a coroutine, so that it is made within the loop that it belongs to."""
        return self._client.delivery(options)

    def _run(self, call: Coroutine[Any, Any, _Value]) -> _Value:
        if self._loop is None:
            call.close()
            raise InputError("client", "closed; make a new one")
        return self._loop.run(call)

    def _each(self, stream: AsyncGenerator[_Value, None]) -> Iterator[_Value]:
        async def following() -> Any:
            return await anext(stream, _END)

        try:
            while (value := self._run(following())) is not _END:
                yield value
        finally:
            if self._loop is not None:
                self._run(stream.aclose())


class _LoopThread:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_reported)
        self._thread = threading.Thread(target=self._loop.run_forever, name="hold client", daemon=True)
        self._thread.start()

    def run(self, call: Coroutine[Any, Any, _Value]) -> _Value:
        """The result of a coroutine, which is cancelled if the wait is interrupted."""
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the loop and the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _reported(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report a defect as usual; what gRPC reports if two loops of a process use it is not one."""
    if not isinstance(context.get("exception"), BlockingIOError):
        loop.default_exception_handler(context)

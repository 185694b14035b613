"""The calls of a client over HTTP, with httpx: one request for each, its answer, or its problem as an error.

What is in the documents is read in `http_answers`. Repeats nothing.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from poh_holdmetrics.client import http_answers as answers
from poh_holdmetrics.client.batches import Batch
from poh_holdmetrics.client.errors import (
    ClientError,
    NotAuthorized,
    NotFound,
    RequestRefused,
    ServiceUnavailable,
)
from poh_holdmetrics.client.results import Deficit, FeedEvent, HolderReport, Leaderboard, Round, RoundProof
from poh_holdmetrics.client.target import Target
from poh_holdmetrics.client.transport import (
    NOT_READABLE,
    FeedFilter,
    FeedPage,
    FeedStart,
    Question,
    Stored,
)
from poh_holdmetrics.version import __version__

#: The service answers a request for a feed after so long even if there is no event.
_FEED_WAIT_SECONDS = 20
_FEED_PAGE_EVENTS = 1_000
_TEMPORARY = (408, 429, 502, 503, 504)
_JSON = {"content-type": "application/json"}


class HttpTransport:
    """One connection pool; implements `transport.Transport`."""

    def __init__(self, target: Target, *, timeout_seconds: float) -> None:
        """`timeout_seconds` bounds each wait for the network, also within `watch` and `feed`."""
        self._url = target.url
        headers = {"user-agent": f"poh-holdmetrics/{__version__}"}
        if target.api_key is not None:
            headers["authorization"] = f"Bearer {target.api_key}"
        self._http = httpx.AsyncClient(
            base_url=target.url,
            headers=headers,
            verify=target.tls_context() if target.has_tls else True,
            timeout=timeout_seconds + _FEED_WAIT_SECONDS,
            # A proxy of the environment does not reach what is on this machine.
            trust_env=not target.is_own,
        )

    async def store(self, batch: Batch) -> Stored:
        """Store a batch as one array."""
        body = answers.json_from_batch(batch)
        document = await self._json("POST", "/hold", {}, content=body)
        with self._reading():
            return answers.stored_from_document(batch, document)

    async def leaderboard(self, question: Question, limit: int) -> Leaderboard:
        """The first holders."""
        asked = {"limit": str(limit), **answers.parameters_from_question(question)}
        document = await self._json("GET", "/leaderboard", asked)
        with self._reading():
            return answers.leaderboard_from_document(document)

    async def page(self, question: Question, size: int, token: str | None) -> tuple[Leaderboard, str | None]:
        """A page of all holders."""
        document = await self._page("/stats", question, size, token)
        with self._reading():
            return answers.leaderboard_from_document(document), document["next_page_token"]

    async def holder(self, holder_id: str, question: Question) -> HolderReport:
        """One holder, explained."""
        path = f"/holders/{quote(holder_id, safe='')}"
        document = await self._json("GET", path, answers.parameters_from_question(question))
        with self._reading():
            return answers.report_from_document(document)

    async def deficits(
        self, question: Question, size: int, token: str | None
    ) -> tuple[list[Deficit], str | None]:
        """A page of the keys below 0."""
        document = await self._page("/deficits", question, size, token)
        with self._reading():
            listed = [answers.deficit_from_document(each) for each in document["deficits"]]
            return listed, document["next_page_token"]

    async def watch(
        self, question: Question, limit: int, interval: float
    ) -> AsyncGenerator[Leaderboard, None]:
        """The leaderboard at every interval; HTTP has no call for its changes alone."""
        while True:
            yield await self.leaderboard(question, limit)
            await asyncio.sleep(interval)

    async def feed(self, start: FeedStart, wanted: FeedFilter) -> AsyncGenerator[FeedPage, None]:
        """Pages of the feed; facts are passed on while they arrive."""
        wait = "0s"
        while True:
            asked = {"from": str(start), "limit": str(_FEED_PAGE_EVENTS), "wait": wait}
            asked |= {
                name: text for name, text in (("token", wanted.token), ("holder", wanted.holder)) if text
            }
            async with self._response("GET", "/feed", asked) as response:
                with self._reading():
                    headers = response.headers
                    last, newest = int(headers["x-last-sequence"]), int(headers["x-newest-sequence"])
                    is_fact = headers["x-from-facts"] == "true"
                events: list[FeedEvent] = []
                async for line in _lines(response):
                    with self._reading():
                        events.append(answers.feed_event_from_line(line, is_fact=is_fact))
                    if is_fact and len(events) >= _FEED_PAGE_EVENTS:
                        yield FeedPage(events, None, newest)
                        events = []
            yield FeedPage(events, last, newest)
            start, wait = last + 1, f"{_FEED_WAIT_SECONDS}s"

    async def seal_round(self, request: Mapping[str, Any]) -> Round:
        """Seal a round."""
        document = await self._json("POST", "/rounds", {}, content=json.dumps(request).encode())
        with self._reading():
            return answers.round_from_manifest(document)

    async def rounds(self, size: int, token: str | None) -> tuple[list[Round], str | None]:
        """A page of rounds."""
        asked = {"limit": str(size)} | ({"page_token": token} if token else {})
        document = await self._json("GET", "/rounds", asked)
        with self._reading():
            return list(map(answers.round_from_document, document["rounds"])), document["next_page_token"]

    async def round(self, round_id: str) -> Round:
        """One round."""
        document = await self._json("GET", f"/rounds/{quote(round_id, safe='')}", {})
        with self._reading():
            return answers.round_from_manifest(document)

    async def round_proof(self, round_id: str, holder: str) -> RoundProof:
        """The proof of a holder."""
        path = f"/rounds/{quote(round_id, safe='')}/proofs/{quote(holder, safe='')}"
        document = await self._json("GET", path, {})
        with self._reading():
            return answers.proof_from_document(document)

    async def ready(self) -> bool:
        """Whether `/readyz` succeeds."""
        async with self._response("GET", "/readyz", {}):
            return True

    async def version(self) -> str:
        """The version in the OpenAPI document."""
        document = await self._json("GET", "/openapi.json", {})
        with self._reading():
            return str(document["info"]["version"])

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _page(self, path: str, question: Question, size: int, token: str | None) -> Any:
        asked = {"limit": str(size), **answers.parameters_from_question(question)}
        if token is not None:
            asked["page_token"] = token
        return await self._json("GET", path, asked)

    async def _json(
        self, method: str, path: str, asked: Mapping[str, str], content: bytes | None = None
    ) -> Any:
        async with self._response(method, path, asked, content) as response:
            with self._reading():
                await response.aread()
                return response.json()

    @asynccontextmanager
    async def _response(
        self, method: str, path: str, asked: Mapping[str, str], content: bytes | None = None
    ) -> AsyncIterator[httpx.Response]:
        """A successful response, while it is read; errors of httpx become ours."""
        try:
            async with self._http.stream(
                method,
                path,
                params=asked,
                content=content,
                headers=_JSON if content is not None else None,
            ) as response:
                if not response.is_success:
                    await response.aread()
                    raise self._problem(response)
                yield response
        except httpx.TimeoutException as error:
            raise ServiceUnavailable(self._url, "no answer in time") from error
        except httpx.HTTPError as error:
            unavailable = ServiceUnavailable(
                self._url, f"cannot be reached ({error or type(error).__name__})"
            )
            # Who a server is does not change by asking again.
            unavailable.is_temporary = not _is_of_certificate(error)
            raise unavailable from error

    def _problem(self, response: httpx.Response) -> ClientError:
        status = response.status_code
        try:
            document = response.json()
            sentence, field = str(document["detail"]), str(document.get("field") or "")
        except (ValueError, KeyError, TypeError, AttributeError):
            sentence, field = f"{status} {response.reason_phrase}", ""
        facts = {"code": str(status), "field": field}
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return NotAuthorized(self._url, sentence, **facts)
        if status == HTTPStatus.NOT_FOUND:
            return NotFound(self._url, sentence, **facts)
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _TEMPORARY:
            refused = RequestRefused(self._url, sentence, **facts)
            refused.is_too_large = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            return refused
        unavailable = ServiceUnavailable(self._url, sentence, **facts)
        unavailable.is_temporary = status in _TEMPORARY
        unavailable.retry_after_seconds = _seconds(response.headers.get("retry-after"))
        return unavailable

    def _reading(self) -> _Reading:
        return _Reading(self._url)


class _Reading:
    """A context in which a document of another form becomes an error of ours."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (KeyError, TypeError, ValueError, IndexError)):
            unavailable = ServiceUnavailable(self._url, NOT_READABLE)
            unavailable.is_temporary = False
            raise unavailable from error


async def _lines(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The lines of a body; `aiter_lines` would also split at characters that an id may contain."""
    rest = b""
    async for chunk in response.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line


def _is_of_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _seconds(text: str | None) -> float | None:
    """`Retry-After`: seconds, or a date."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None

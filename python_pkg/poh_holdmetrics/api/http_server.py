"""The service over HTTP with FastAPI: the paths of the binary for events and scores, from memory.

Bodies are read in `http_intake`, parameters in `http_parameters`; answers are converted in `http_answers`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote_to_bytes

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from poh_holdmetrics.api import http_answers as answers
from poh_holdmetrics.api import http_parameters as parameters
from poh_holdmetrics.api.access import Access, Denied, Need
from poh_holdmetrics.api.answers import Cursor, Question
from poh_holdmetrics.api.http_intake import stored
from poh_holdmetrics.api.http_metrics import add_metrics_route, measured
from poh_holdmetrics.api.http_problem import Problem
from poh_holdmetrics.api.http_request_ids import REQUEST_ID, RequestIds
from poh_holdmetrics.api.page_tokens import other_question, read_deficit_page_token, read_page_token
from poh_holdmetrics.api.unknown_policy import refuse_policy
from poh_holdmetrics.errors import InputError, Refused, StoreFull
from poh_holdmetrics.version import __version__
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.api.addresses import Address
    from poh_holdmetrics.api.hold_service import HoldService
    from poh_holdmetrics.api.tls import Tls
    from poh_holdmetrics.exporter.figures import Figures

_LEADERBOARD_LIMIT = 100
_PAGE_LIMIT = 1_000
_HOLDERS = b"/holders/"
#: Paths of the binary that are not here.
_BINARY_PATHS = ("/feed", "/admin/")
#: Responses other than the documentation are not pages.
_POLICY = "default-src 'none'; frame-ancestors 'none'"
_EVENTS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One event or transfer, an array of them, or one per line.",
        "content": {
            "application/json": {
                "schema": {"oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
                "example": {
                    "token_id": "gold",
                    "holder_id": "ann",
                    "start": "2025-07-21T00:00:00Z",
                    "end": "2025-07-22T00:00:00Z",
                    "weight": "2.5",
                },
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}


def application(service: HoldService, access: Access | None = None) -> FastAPI:
    """The application, for any ASGI server with one process and one event loop.

    Without `access` every caller may do everything.
    """
    allowed = Access() if access is None else access
    app = FastAPI(
        title="Hold metrics",
        version=__version__,
        description="Exact hold scores: how much was held for how long, from memory. Every error is a "
        "problem document (RFC 9457). Sending an event again changes nothing.",
        redoc_url=None,
    )
    routes = _Routes(service)
    for path in ("/hold", "/transfers"):
        app.add_api_route(path, routes.hold, methods=["POST"], openapi_extra=_EVENTS, name=path[1:])
    for path, route, known in (
        ("/stats", routes.stats, parameters.STATS),
        ("/leaderboard", routes.leaderboard, parameters.LEADERBOARD),
        ("/holders/{holder_id:path}", routes.holder, parameters.HOLDER),
        ("/deficits", routes.deficits, parameters.DEFICITS),
    ):
        documented = {"parameters": known.documented()}
        if path.startswith("/holders"):
            of_path = {"name": "holder_id", "in": "path", "required": True, "schema": {"type": "string"}}
            documented["parameters"].insert(0, of_path)
        app.add_api_route(path, route, methods=["GET"], openapi_extra=documented)
    add_metrics_route(app, service.figures, service.published_counts)
    app.add_api_route("/healthz", _healthz, methods=["GET"])
    app.add_api_route("/readyz", _readyz, methods=["GET"])
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(StoreFull, _full)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(HTTPStatus.INTERNAL_SERVER_ERROR, _defect)
    app.middleware("http")(partial(_observed, allowed, RequestIds(), service.figures))
    service.published_counts.add_to_application(app)
    return app


class _Routes:
    """The handlers of the routes that ask the service."""

    def __init__(self, service: HoldService) -> None:
        self._service = service

    async def hold(self, request: Request) -> dict[str, Any]:
        """Store events and transfers; those that are refused are listed."""
        headers = request.headers
        if len(headers.getlist("content-type")) > 1:
            detail = "content-type: given more than once; send one"
            raise Problem(HTTPStatus.BAD_REQUEST, detail, "content-type")
        return await stored(
            self._service,
            headers.get("content-type", ""),
            headers.get("content-encoding", ""),
            request.stream(),
        )

    async def stats(self, request: Request) -> Response:
        """All holders, page by page."""
        given = parameters.STATS.read(request.url.query)
        question, after = self._page_start(given)
        holder_id = given.get("holder_id")
        refuse_policy(given.get("policy", ""), is_of_one_holder=holder_id is not None)
        if holder_id is not None:
            answer = await self._service.holder(holder_id, question)
            known = None if isinstance(answer, str) else answer
            return _answer(request, answers.listing_from_holder(question, known, self._service.sequence))
        page = await self._service.page(question, after, given.get("limit", _PAGE_LIMIT))
        return _answer(request, answers.listing_from_page(question, page))

    async def leaderboard(self, request: Request) -> Response:
        """The first holders."""
        given = parameters.LEADERBOARD.read(request.url.query)
        refuse_policy(given.get("policy", ""))
        question = self._question(given)
        page = await self._service.page(question, None, given.get("limit", _LEADERBOARD_LIMIT))
        return _answer(request, answers.listing_from_page(question, page, is_paged=False))

    async def holder(self, request: Request) -> Response:
        """One holder, explained."""
        # The path before it was decoded: bytes that are not UTF-8 would be replaced.
        raw = request.scope.get("raw_path", b"").partition(b"?")[0]
        try:
            holder_id = unquote_to_bytes(raw[raw.index(_HOLDERS) + len(_HOLDERS) :]).decode()
        except UnicodeDecodeError:
            raise Refused("holder_id", "not UTF-8 text") from None
        if not holder_id:
            raise Problem.of_status(HTTPStatus.NOT_FOUND)
        question = self._question(parameters.HOLDER.read(request.url.query))
        answer = await self._service.holder(holder_id, question)
        if isinstance(answer, str):
            raise Problem(HTTPStatus.NOT_FOUND, f"holder_id: {answer}", "holder_id")
        return _answer(request, answers.report_from_answer(question, answer))

    async def deficits(self, request: Request) -> Response:
        """Keys whose balance is below 0 at some time."""
        given = parameters.DEFICITS.read(request.url.query)
        question, after = self._deficits_start(given)
        page = await self._service.deficits(question, after, given.get("limit", _PAGE_LIMIT))
        return _answer(request, answers.deficits_from_page(question, page))

    def _question(self, given: dict[str, Any]) -> Question:
        now_us = self._service.now_us()
        window = Window(given.get("as_of", now_us), given.get("from"), given.get("closed_only", False))
        return Question(window, given.get("token_id"))

    def _page_start(self, given: dict[str, Any]) -> tuple[Question, Cursor | None]:
        if "page_token" not in given:
            return self._question(given), None
        question, after = read_page_token(given["page_token"])
        as_of_us, from_us, closed_only = question.window
        same = {"as_of": as_of_us, "from": from_us, "closed_only": closed_only, "token_id": question.token_id}
        if "holder_id" in given or any(given.get(name, value) != value for name, value in same.items()):
            raise other_question()
        return question, after

    def _deficits_start(self, given: dict[str, Any]) -> tuple[Question, tuple[str, str] | None]:
        if "page_token" not in given:
            return self._question(given), None
        question, after = read_deficit_page_token(given["page_token"])
        same = {"as_of": question.window.as_of_us, "token_id": question.token_id}
        if any(given.get(name, value) != value for name, value in same.items()):
            raise other_question()
        return question, after


class HttpServer:
    """A listening HTTP server; used as an async context, at whose end requests may still finish."""

    def __init__(
        self,
        service: HoldService,
        address: Address,
        *,
        tls: Tls | None = None,
        access: Access | None = None,
        drain_seconds: float = 5.0,
    ) -> None:
        """After `drain_seconds` requests are cancelled. `port` is known once the server listens.

        Without `access` every caller may do everything.
        """
        self._address = address
        self.port = 0
        self._config = uvicorn.Config(
            application(service, access),
            access_log=False,
            lifespan="off",
            log_config=None,
            server_header=False,
            ws="none",
            ssl_certfile=None if tls is None else tls.certificate,
            ssl_keyfile=None if tls is None else tls.key,
            ssl_ca_certs=None if tls is None or tls.client_ca is None else str(tls.client_ca),
            ssl_cert_reqs=ssl.CERT_NONE if tls is None or tls.client_ca is None else ssl.CERT_REQUIRED,
            timeout_graceful_shutdown=max(1, round(drain_seconds)),
        )
        self._server = _Uvicorn(self._config)

    async def __aenter__(self) -> Self:
        """Listen; raises `InputError` if that is not possible. A coroutine, as the protocol asks."""
        host, port = self._address.host, self._address.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, port), family=family, backlog=1024)
        except OSError as error:
            problem = f"cannot listen there ({error.strerror or error}); choose another HTTP_PORT"
            raise InputError(str(self._address), problem) from error
        self.port = listener.getsockname()[1]
        # Now, and not in the task: a failure must be seen here.
        self._config.load()
        self._task = asyncio.create_task(self._server.serve([listener]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._task


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the program that runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _healthz() -> Response:
    """Whether the process responds; a coroutine, so that no thread is needed."""
    return PlainTextResponse("ok\n")


async def _readyz() -> Response:
    """Whether the service is ready, which it is once it listens; a coroutine as `healthz` is."""
    return PlainTextResponse("ready\n")


def _need(path: str) -> Need:
    """What a request to a path needs; one that is not listed needs a key."""
    if path in ("/hold", "/transfers"):
        return "write"
    if path in ("/stats", "/leaderboard", "/deficits") or path.startswith("/holders/"):
        return "read"
    if path == "/metrics":
        return "metrics"
    if path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
        return "nothing"
    return "any key"


def _answer(request: Request, document: dict[str, Any]) -> Response:
    return answers.response_with_etag(request.headers.getlist("if-none-match"), document)


async def _problem(_: Request, problem: Exception) -> Response:
    """A coroutine, because FastAPI calls other handlers in a thread."""
    assert isinstance(problem, Problem)  # noqa: S101 - registered for it alone
    return problem.response()


async def _refused(_: Request, refused: Exception) -> Response:
    """A coroutine as `_problem` is."""
    assert isinstance(refused, Refused)  # noqa: S101 - registered for it alone
    return Problem.of_refused(refused).response()


async def _full(_: Request, store_full: Exception) -> Response:
    """A coroutine as `_problem` is."""
    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(store_full))
    return problem.response({"retry-after": "1"})


async def _of_framework(request: Request, error: Exception) -> Response:
    """An unknown path or method; a coroutine as `_problem` is."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND and path.startswith(_BINARY_PATHS):
        sentence = f"{path[:40]} is a path of main_holdmetrics serve; the Python server does not have it"
        return Problem(HTTPStatus.NOT_FOUND, sentence).response()
    return Problem.of_status(error.status_code).response(dict(error.headers or {}))


async def _defect(_request: Request, _error: Exception) -> Response:
    """A coroutine as `_problem` is; the server logs the error."""
    return Problem.of_status(HTTPStatus.INTERNAL_SERVER_ERROR).response()


async def _observed(
    access: Access,
    ids: RequestIds,
    figures: Figures,
    request: Request,
    following: Callable[[Request], Awaitable[Response]],
) -> Response:
    return await measured(figures, request, lambda each: _with_headers(access, ids, each, following))


async def _with_headers(
    access: Access,
    ids: RequestIds,
    request: Request,
    following: Callable[[Request], Awaitable[Response]],
) -> Response:
    try:
        access.check(_need(request.url.path), request.headers.get("authorization"))
    except Denied as denied:
        status = HTTPStatus.UNAUTHORIZED if denied.scope is None else HTTPStatus.FORBIDDEN
        challenge = {"www-authenticate": "Bearer"} if denied.scope is None else {}
        response: Response = Problem(status, str(denied), "authorization").response(challenge)
    else:
        response = await following(request)
    headers = response.headers
    headers[REQUEST_ID] = ids.of(request.headers.get(REQUEST_ID))
    headers["x-content-type-options"] = "nosniff"
    headers.setdefault("cache-control", "no-store")
    if not request.url.path.startswith("/docs"):
        headers["content-security-policy"] = _POLICY
    return response

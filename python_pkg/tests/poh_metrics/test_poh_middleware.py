"""The middleware of `poh_metrics` in real servers on loopback: aiohttp, FastAPI under uvicorn, grpc.aio."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("poh_metrics.registry", reason="poh-metrics is not installed")

from prometheus_client import CollectorRegistry

from poh_metrics.middleware.requests import GrpcRequests
from poh_metrics.registry import exposition

Counts = dict[tuple[str, str], int]


def counts(own: CollectorRegistry, name: str) -> Counts:
    found = re.findall(rf'{name}\{{method="(.*)",status="(.*)"\}} (\d+)', exposition("", own)[0].decode())
    return {(method, status): int(count) for method, status, count in found}


def status(port: int, path: str, method: str = "GET") -> int:
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}{path}", method=method), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


EXPECTED = {("GET", "200"): 2, ("GET", "404"): 1, ("GET", "500"): 1, ("OTHER", "405"): 5}


async def ask(port: int) -> None:
    for path in ("/ok", "/ok", "/nowhere", "/fails"):
        await asyncio.to_thread(status, port, path)
    for method in ("COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND"):
        await asyncio.to_thread(status, port, "/ok", method)


def test_aiohttp_requests_are_counted_by_bounded_labels() -> None:
    web = pytest.importorskip("aiohttp.web", reason="aiohttp is not installed (extra aiohttp)")
    from poh_metrics.middleware import metrics_middleware_for  # noqa: PLC0415

    own = CollectorRegistry()

    async def ok(_: Any) -> Any:
        return web.Response()

    async def fails(_: Any) -> Any:
        raise RuntimeError

    async def run() -> None:
        application = web.Application(middlewares=[metrics_middleware_for(own)])
        application.router.add_get("/ok", ok)
        application.router.add_get("/fails", fails)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            await ask(runner.addresses[0][1])
        finally:
            await runner.cleanup()

    asyncio.run(run())
    assert counts(own, "http_requests_total") == EXPECTED


def test_requests_of_fastapi_are_counted_by_bounded_labels() -> None:
    fastapi = pytest.importorskip("fastapi", reason="fastapi is not installed (extra http)")
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed (extra http)")
    import socket  # noqa: PLC0415

    from poh_metrics.middleware import MetricsMiddleware  # noqa: PLC0415

    own = CollectorRegistry()
    app = fastapi.FastAPI()

    async def ok() -> str:
        return "ok"

    async def fails() -> str:
        raise RuntimeError

    app.add_api_route("/ok", ok)
    app.add_api_route("/fails", fails)

    async def run() -> None:
        # Around the whole application: what its own handler of errors answers is counted as well.
        config = uvicorn.Config(MetricsMiddleware(app, own), log_config=None, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            task = asyncio.create_task(server._serve([listener]))
            await ask(listener.getsockname()[1])
            server.should_exit = True
            await task

    asyncio.run(run())
    assert counts(own, "http_requests_total") == EXPECTED


def test_requests_that_are_cancelled_and_odd_statuses_and_websockets() -> None:
    from poh_metrics.middleware import MetricsMiddleware  # noqa: PLC0415

    own = CollectorRegistry()

    async def application(scope: Any, _: Any, send: Any) -> None:
        if scope["path"] == "/waits":
            raise asyncio.CancelledError
        await send({"type": "http.response.start", "status": 999})

    async def send(_: Any) -> None:
        """Where the response goes."""

    async def receive() -> Any:
        """Nothing is received."""

    async def run() -> None:
        counted = MetricsMiddleware(application, own)
        await counted({"type": "http", "method": "GET", "path": "/"}, receive, send)
        await counted({"type": "websocket", "method": "GET", "path": "/"}, receive, send)
        with pytest.raises(asyncio.CancelledError):
            await counted({"type": "http", "method": "GET", "path": "/waits"}, receive, send)

    asyncio.run(run())
    assert counts(own, "http_requests_total") == {("GET", "OTHER"): 1, ("GET", "499"): 1}


def test_a_cancelled_request_of_aiohttp_is_counted_as_499() -> None:
    pytest.importorskip("aiohttp.web", reason="aiohttp is not installed (extra aiohttp)")
    from poh_metrics.middleware import metrics_middleware_for  # noqa: PLC0415

    own = CollectorRegistry()
    counting: Any = metrics_middleware_for(own)

    async def cancelled(_: Any) -> Any:
        raise asyncio.CancelledError

    async def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            await counting(SimpleNamespace(method="GET"), cancelled)

    asyncio.run(run())
    assert counts(own, "http_requests_total") == {("GET", "499"): 1}


grpc = pytest.importorskip("grpc", reason="grpcio is not installed (extra grpc)")


class Methods:
    """One method of each kind; the request says how it ends."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def unary_unary(self, request: bytes, context: Any) -> bytes:
        if request == b"abort":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no")
        if request == b"fail":
            raise RuntimeError
        if request == b"code":
            context.set_code(grpc.StatusCode.DATA_LOSS)
        if request == b"wait":
            await asyncio.Event().wait()
        return request

    async def unary_stream(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        try:
            yield request
            await self.unary_unary(request, context)
            yield request
        finally:
            self.closed.set()

    async def stream_unary(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        return await self.unary_unary(b"".join([each async for each in requests]), context)

    async def stream_stream(self, requests: AsyncIterator[bytes], context: Any) -> None:
        async for each in requests:
            await context.write(await self.unary_unary(each, context))

    def plain(self, request: bytes, _: Any) -> bytes:
        return request

    def plain_stream(self, request: bytes, _: Any) -> Iterator[bytes]:
        yield request


@asynccontextmanager
async def calling(own: CollectorRegistry) -> AsyncIterator[tuple[Any, Methods]]:
    from poh_metrics.middleware import MetricsInterceptor  # noqa: PLC0415

    methods = Methods()
    server = grpc.aio.server(interceptors=[MetricsInterceptor(own)])
    named = {
        "UU": grpc.unary_unary_rpc_method_handler(methods.unary_unary),
        "US": grpc.unary_stream_rpc_method_handler(methods.unary_stream),
        "SU": grpc.stream_unary_rpc_method_handler(methods.stream_unary),
        "SS": grpc.stream_stream_rpc_method_handler(methods.stream_stream),
        "P": grpc.unary_unary_rpc_method_handler(methods.plain),
        "PS": grpc.unary_stream_rpc_method_handler(methods.plain_stream),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("t.T", named)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel, methods
    finally:
        await server.stop(5)


async def ended(call: Awaitable[Any]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return str(error.code().name)
    return "OK"


async def drained(call: Any) -> list[str]:
    return [each.decode() async for each in call]


ENDS = {"fine": "OK", "abort": "NOT_FOUND", "fail": "UNKNOWN", "code": "DATA_LOSS"}


@pytest.mark.parametrize("kind", ["UU", "US", "SU", "SS"])
def test_calls_of_every_kind_are_counted_with_the_status_that_the_caller_gets(kind: str) -> None:
    own = CollectorRegistry()

    async def run() -> None:
        async with calling(own) as (channel, _):
            for request, code in ENDS.items():
                data = request.encode()
                path = f"/t.T/{kind}"
                if kind == "UU":
                    call: Any = channel.unary_unary(path)(data)
                elif kind == "SU":
                    call = channel.stream_unary(path)(iter([data]))
                elif kind == "US":
                    call = drained(channel.unary_stream(path)(data))
                else:
                    call = drained(channel.stream_stream(path)(iter([data])))
                assert await ended(call) == code

    asyncio.run(run())
    assert counts(own, "grpc_requests_total") == {(f"/t.T/{kind}", code): 1 for code in ENDS.values()}


def test_calls_that_are_cancelled_or_late_or_to_no_method_are_counted() -> None:
    own = CollectorRegistry()

    async def run() -> None:
        async with calling(own) as (channel, methods):
            call = channel.unary_stream("/t.T/US")(b"wait")
            assert await call.read() == b"wait"
            call.cancel()
            await methods.closed.wait()
            assert await ended(channel.unary_unary("/t.T/UU")(b"wait", timeout=0.2)) == "DEADLINE_EXCEEDED"
            for number in range(3):
                path = f"/t.T/Nothing{number}"
                assert await ended(channel.unary_unary(path)(b"x")) == "UNIMPLEMENTED"

    asyncio.run(run())
    assert counts(own, "grpc_requests_total") == {
        ("/t.T/US", "CANCELLED"): 1,
        ("/t.T/UU", "DEADLINE_EXCEEDED"): 1,
        ("OTHER", "UNIMPLEMENTED"): 3,
    }


def test_methods_that_are_plain_functions_are_counted() -> None:
    own = CollectorRegistry()

    async def run() -> None:
        async with calling(own) as (channel, _):
            assert await channel.unary_unary("/t.T/P")(b"x") == b"x"
            assert await drained(channel.unary_stream("/t.T/PS")(b"x")) == ["x"]

    asyncio.run(run())
    assert counts(own, "grpc_requests_total") == {("/t.T/P", "OK"): 1, ("/t.T/PS", "OK"): 1}


def test_a_server_that_makes_a_handler_for_each_call_runs_that_of_the_call() -> None:
    from poh_metrics.middleware import MetricsInterceptor  # noqa: PLC0415

    own = CollectorRegistry()

    async def run() -> None:
        interceptor = MetricsInterceptor(own)
        for number in range(3):

            async def answer(_: Any, __: Any, number: int = number) -> int:
                return number

            async def found(_: Any, answer: Any = answer) -> Any:
                return grpc.unary_unary_rpc_method_handler(answer)

            details: Any = SimpleNamespace(method="/t.T/A")
            handler = await interceptor.intercept_service(found, details)
            assert await handler.unary_unary(b"", SimpleNamespace(code=lambda: 0)) == number

    asyncio.run(run())
    assert counts(own, "grpc_requests_total") == {("/t.T/A", "OK"): 3}


def test_the_handler_of_a_method_is_made_once_for_a_bounded_number_of_methods() -> None:
    from poh_metrics.middleware import MetricsInterceptor  # noqa: PLC0415

    handler = grpc.unary_unary_rpc_method_handler(Methods().unary_unary)

    async def found(_: Any) -> Any:
        return handler

    async def run() -> None:
        interceptor = MetricsInterceptor(CollectorRegistry())
        details: list[Any] = [SimpleNamespace(method=f"/t.T/M{number}") for number in range(300)]
        first = [await interceptor.intercept_service(found, each) for each in details]
        again = [await interceptor.intercept_service(found, each) for each in details]
        is_kept = [one is other for one, other in zip(first, again, strict=True)]
        assert is_kept == [True] * 256 + [False] * 44

    asyncio.run(run())


def test_methods_beyond_the_bound_are_one() -> None:
    own = CollectorRegistry()
    requests = GrpcRequests(own)
    for number in range(1000):
        requests.count(f"/t.T/M{number}", "OK")
    found = counts(own, "grpc_requests_total")
    assert (len(found), found[("OTHER", "OK")]) == (257, 744)

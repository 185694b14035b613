"""What the middleware of poh_metrics adds to a request of ASGI, aiohttp and gRPC, in microseconds.

    PYTHONPATH=python_pkg python benches/middleware.py

ASGI and aiohttp: the application is called in this process, with and without middleware. gRPC: whole calls
over loopback, to a server without interceptors, one with an interceptor that does nothing, and one with ours,
so that what grpc.aio spends on any interceptor is seen apart; and ours called by itself. Figures are CPU time
of this process, in which client and server are. All take turns in one run; medians of the rounds count.
Needs poh_metrics, aiohttp and grpcio.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import grpc
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from prometheus_client import CollectorRegistry

from poh_metrics.middleware import MetricsInterceptor, MetricsMiddleware, metrics_middleware_for

#: What poh_metrics promises.
GOAL_US = 20.0

_Call = Callable[[], Awaitable[object]]


async def _medians(calls: dict[str, _Call], repeats: int, rounds: int) -> dict[str, float]:
    """Microseconds of CPU time of one call each, in turns."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.process_time()
            for _ in range(repeats):
                await call()
            found[name].append((time.process_time() - began) / repeats * 1e6)
    return {name: statistics.median(taken) for name, taken in found.items()}


def _print(what: str, microseconds: float, *, is_goal: bool = False) -> None:
    goal = f"  (at most {GOAL_US:.0f})" if is_goal else ""
    print(f"{what:50} {microseconds:8.2f} us{goal}", flush=True)


async def _asgi(repeats: int, rounds: int) -> None:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(_: Any) -> None:
        """Where the response goes."""

    async def receive() -> Any:
        return {"type": "http.request"}

    counted = MetricsMiddleware(application, CollectorRegistry())
    scope: dict[str, Any] = {"type": "http", "method": "GET"}
    calls: dict[str, _Call] = {
        "plain": lambda: application(scope, receive, send),
        "counted": lambda: counted(scope, receive, send),
    }
    found = await _medians(calls, repeats, rounds)
    _print("ASGI: added", found["counted"] - found["plain"], is_goal=True)


async def _aiohttp(repeats: int, rounds: int) -> None:
    response = web.Response()

    async def handler(_: web.Request) -> web.Response:
        return response

    counting: Any = metrics_middleware_for(CollectorRegistry())
    request = make_mocked_request("GET", "/")
    calls: dict[str, _Call] = {
        "plain": lambda: handler(request),
        "counted": lambda: counting(request, handler),
    }
    found = await _medians(calls, repeats, rounds)
    _print("aiohttp: added", found["counted"] - found["plain"], is_goal=True)


class _Empty(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """An interceptor that does nothing."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """The handler as it is."""
        return await continuation(handler_call_details)


async def _echo(request: bytes, _: Any) -> bytes:
    return request


async def _channel(stack: AsyncExitStack, interceptors: list[Any]) -> Any:
    """A method of a server of its own with these interceptors."""
    server = grpc.aio.server(interceptors=interceptors)
    methods = {"Echo": grpc.unary_unary_rpc_method_handler(_echo)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("bench.Bench", methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stack.push_async_callback(server.stop, None)
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
    return channel.unary_unary("/bench.Bench/Echo")


async def _grpc_calls(repeats: int, rounds: int) -> None:
    async with AsyncExitStack() as stack:
        plain = await _channel(stack, [])
        empty = await _channel(stack, [_Empty()])
        counted = await _channel(stack, [MetricsInterceptor(CollectorRegistry())])
        calls: dict[str, _Call] = {
            "plain": lambda: plain(b"x"),
            "empty": lambda: empty(b"x"),
            "counted": lambda: counted(b"x"),
        }
        # The first calls connect.
        await _medians(calls, 20, 1)
        found = await _medians(calls, repeats, rounds)
    _print("gRPC: a whole call over loopback, no interceptor", found["plain"])
    _print("gRPC: an empty interceptor adds", found["empty"] - found["plain"])
    _print("gRPC: ours adds", found["counted"] - found["plain"], is_goal=True)


async def _grpc_alone(repeats: int, rounds: int) -> None:
    """The code of the interceptor without a server around it."""
    interceptor = MetricsInterceptor(CollectorRegistry())
    handler = grpc.unary_unary_rpc_method_handler(_echo)
    details: Any = SimpleNamespace(method="/bench.Bench/Echo")
    context = SimpleNamespace(code=lambda: 0)

    async def continuation(_: Any) -> Any:
        return handler

    async def plain() -> object:
        found = await continuation(details)
        return await found.unary_unary(b"x", context)

    async def counted() -> object:
        found = await interceptor.intercept_service(continuation, details)
        return await found.unary_unary(b"x", context)

    found = await _medians({"plain": plain, "counted": counted}, repeats, rounds)
    _print("gRPC: our code by itself", found["counted"] - found["plain"])


async def _all(repeats: int, calls: int, rounds: int) -> None:
    await _asgi(repeats, rounds)
    await _aiohttp(repeats, rounds)
    await _grpc_calls(calls, rounds)
    await _grpc_alone(repeats, rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5_000, help="calls in the process a round")
    parser.add_argument("--calls", type=int, default=200, help="gRPC calls a round and server")
    parser.add_argument("--rounds", type=int, default=41, help="rounds (default: %(default)s)")
    arguments = parser.parse_args()
    asyncio.run(_all(arguments.repeats, arguments.calls, arguments.rounds))


if __name__ == "__main__":
    main()

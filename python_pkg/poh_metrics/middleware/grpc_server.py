"""An interceptor of grpc.aio (extra `grpc`) that counts calls of all four kinds when they end.

    server = grpc.aio.server(interceptors=[MetricsInterceptor()])

Put it first, so that it counts what other interceptors refuse. A call whose caller went away is CANCELLED, or
DEADLINE_EXCEEDED if its time was over. Methods that are plain functions pass through a thread of grpc.aio, as
without it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc

from poh_metrics.middleware.requests import GRPC_METHODS_MAX, GrpcRequests

if TYPE_CHECKING:
    from types import TracebackType

    from prometheus_client import CollectorRegistry

_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}
_MAKERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class MetricsInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Counts the calls of a server in `grpc_requests_total`."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Without `registry` that of `get_registry` counts."""
        self._requests = GrpcRequests(registry)
        # Of each method its handler and the counted one, which take longer to make than to use.
        self._handlers: dict[str, tuple[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of a call, counted."""
        handler = await continuation(handler_call_details)
        if handler is None:
            self._requests.count(None, grpc.StatusCode.UNIMPLEMENTED.name)
            return None
        method = handler_call_details.method
        known, counted = self._handlers.get(method, (None, None))
        if known is not handler:
            counted = self._counted_handler(method, handler)
            if known is not None or len(self._handlers) < GRPC_METHODS_MAX:
                self._handlers[method] = (handler, counted)
        return counted

    def _counted_handler(self, method: str, handler: Any) -> Any:
        kind = (handler.request_streaming, handler.response_streaming)
        behavior = (
            handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        )
        return _MAKERS[kind](
            self._counted(method, behavior, streams=kind[1]),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _counted(self, method: str, behavior: Callable[..., Any], *, streams: bool) -> Callable[..., Any]:
        """A method of the same form as `behavior`, by which grpc.aio decides how to call it."""
        requests = self._requests

        async def generated(request: Any, context: Any) -> AsyncIterator[Any]:
            with _Counting(requests, method, context):
                # Closed at once if the caller goes away, and not when garbage is collected.
                async with aclosing(behavior(request, context)) as responses:
                    async for response in responses:
                        yield response

        async def awaited(request: Any, context: Any) -> Any:
            with _Counting(requests, method, context):
                return await behavior(request, context)

        def iterated(request: Any, context: Any) -> Iterator[Any]:
            known = _PlainContext(context)
            with _Counting(requests, method, known):
                yield from behavior(request, known)

        def called(request: Any, context: Any) -> Any:
            known = _PlainContext(context)
            with _Counting(requests, method, known):
                return behavior(request, known)

        if inspect.isasyncgenfunction(behavior):
            return generated
        if inspect.iscoroutinefunction(behavior):
            return awaited
        return iterated if streams else called


class _Counting:
    """The context of one call, at whose end it is counted."""

    __slots__ = ("_context", "_method", "_requests")

    def __init__(self, requests: GrpcRequests, method: str, context: Any) -> None:
        self._requests = requests
        self._method = method
        self._context = context

    def __enter__(self) -> None:
        """Counts nothing yet."""

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            status = _name(self._context)
            if kind is not None and status == "OK":
                # As the server answers it: an error without a code is UNKNOWN.
                status = grpc.StatusCode.UNKNOWN.name
        else:
            left = self._context.time_remaining()
            is_late = left is not None and left <= 0
            status = (grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED).name
        self._requests.count(self._method, status)


class _PlainContext:
    """The context of a plain function, which does not tell the status that was set; this one does."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._code: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def code(self) -> Any:
        return self._code

    def set_code(self, code: Any) -> None:
        self._code = code
        self._context.set_code(code)

    def abort(self, code: Any, *details: Any, **more: Any) -> None:
        self._code = code
        self._context.abort(code, *details, **more)


def _name(context: Any) -> str:
    """The status that a method has set; it may have set a number."""
    code = context.code()
    number = code.value[0] if isinstance(code, grpc.StatusCode) else code or 0
    return _NAMES.get(number, grpc.StatusCode.UNKNOWN.name)

"""An interceptor of grpc.aio (extra `grpc`) that counts calls of all four kinds when they end.

    server = grpc.aio.server(interceptors=[MetricsInterceptor()])

Put it first, so that it counts what other interceptors refuse. A call whose caller went away is CANCELLED, or
DEADLINE_EXCEEDED if its time was over. Methods that are plain functions pass through a thread of grpc.aio, as
without it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from poh_metrics.middleware.requests import GrpcRequests

if TYPE_CHECKING:
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
        kind = (handler.request_streaming, handler.response_streaming)
        behavior = (
            handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        )
        return _MAKERS[kind](
            self._counted(handler_call_details.method, behavior, streams=kind[1]),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _counted(self, method: str, behavior: Callable[..., Any], *, streams: bool) -> Callable[..., Any]:
        """A method of the same form as `behavior`, by which grpc.aio decides how to call it."""

        async def generated(request: Any, context: Any) -> AsyncIterator[Any]:
            with self._counting(method, context):
                # Closed at once if the caller goes away, and not when garbage is collected.
                async with aclosing(behavior(request, context)) as responses:
                    async for response in responses:
                        yield response

        async def awaited(request: Any, context: Any) -> Any:
            with self._counting(method, context):
                return await behavior(request, context)

        def iterated(request: Any, context: Any) -> Iterator[Any]:
            known = _PlainContext(context)
            with self._counting(method, known):
                yield from behavior(request, known)

        def called(request: Any, context: Any) -> Any:
            known = _PlainContext(context)
            with self._counting(method, known):
                return behavior(request, known)

        if inspect.isasyncgenfunction(behavior):
            return generated
        if inspect.iscoroutinefunction(behavior):
            return awaited
        return iterated if streams else called

    @contextmanager
    def _counting(self, method: str, context: Any) -> Iterator[None]:
        try:
            yield
        except Exception:
            code = _name(context)
            # As the server answers it: an error without a code is UNKNOWN.
            self._requests.count(method, grpc.StatusCode.UNKNOWN.name if code == "OK" else code)
            raise
        except BaseException:
            left = context.time_remaining()
            is_late = left is not None and left <= 0
            gone = grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED
            self._requests.count(method, gone.name)
            raise
        self._requests.count(method, _name(context))


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

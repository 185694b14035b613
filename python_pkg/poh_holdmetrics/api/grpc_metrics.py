"""Counts and times every gRPC call of the contract when it has ended, in whatever way.

It is outside the check of API keys, so that a call that is denied counts too. Health and reflection do not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from poh_holdmetrics.api.grpc_handlers import CONTRACT, answers_of, call_of, of_same_kind

if TYPE_CHECKING:
    from poh_holdmetrics.api.grpc_types import Context
    from poh_holdmetrics.exporter.figures import Figures

_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class MetricsInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Measures the calls of the service."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """A handler of the same kind that measures the one of the call."""
        handler = await continuation(handler_call_details)
        path = handler_call_details.method
        if handler is None or not path.startswith(CONTRACT):
            return handler
        method = path.removeprefix(CONTRACT)
        call = call_of(handler)

        async def one(request: object, context: Context) -> object:
            with self._measured(method, context):
                return await call(request, context)

        async def many(request: object, context: Context) -> AsyncIterator[object]:
            with self._measured(method, context):
                async for answer in answers_of(call(request, context)):
                    yield answer

        return of_same_kind(handler, many if handler.response_streaming else one)

    @contextmanager
    def _measured(self, method: str, context: Context) -> Iterator[None]:
        began = time.perf_counter()
        code = ""
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            code = "CANCELLED"
            raise
        except BaseException:
            code = _code_name(context) if _code_name(context) != "OK" else "UNKNOWN"
            raise
        finally:
            self._figures.grpc_ended(method, code or _code_name(context), time.perf_counter() - began)


def _code_name(context: Context) -> str:
    """The name of the status that a call has set; OK if it has set none."""
    code: Any = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else _CODES.get(code, "OK")

"""Ends a call whose message cannot be decoded: INVALID_ARGUMENT with the field `message`.

Without it grpc.aio would end the call with an internal error, and write a traceback to the log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from poh_holdmetrics.api.grpc_handlers import CONTRACT, answers_of, call_of, of_same_kind
from poh_holdmetrics.api.grpc_status import refuse
from poh_holdmetrics.errors import Refused

if TYPE_CHECKING:
    from poh_holdmetrics.api.grpc_types import Context


class DecodingInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Decodes the messages of the service; the last of its interceptors, because the others pass on how."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """A handler of the same kind that refuses what the one of the call could not read."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(CONTRACT):
            return handler
        call = call_of(handler)

        async def one(request: object, context: Context) -> object:
            return await call(await _decoded(request, context), context)

        async def many(request: Any, context: Context) -> AsyncIterator[object]:
            if handler.request_streaming:
                given: object = _all_decoded(request, context)
            else:
                given = await _decoded(request, context)
            async for answer in answers_of(call(given, context)):
                yield answer

        wrapped = many if handler.response_streaming else one
        return of_same_kind(handler, wrapped, _deserializer(handler.request_deserializer))


def _deserializer(read: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Reads a message, or makes a value of the reason why it cannot be read."""

    def read_or_refuse(text: bytes) -> object:
        try:
            return read(text)
        except DecodeError as error:
            return Refused("message", f"not valid for hold.proto ({error})")

    return read_or_refuse


async def _decoded(message: object, context: Context) -> object:
    if isinstance(message, Refused):
        await refuse(context, message)
    return message


async def _all_decoded(messages: AsyncIterator[object], context: Context) -> AsyncIterator[object]:
    async for message in messages:
        yield await _decoded(message, context)

"""What interceptors share: a handler that takes the place of another one, and its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

#: What the paths of the calls of the contract begin with.
CONTRACT = "/poh.HoldMetrics/"


def call_of(handler: Any) -> Callable[..., Any]:
    """The function of a handler, of whichever kind it is."""
    call: Callable[..., Any] = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    return call


def of_same_kind(handler: Any, call: Callable[..., Any], deserializer: Any = None) -> Any:
    """A handler that runs `call` and reads and writes the messages of `handler`, one or a stream of each.

    `deserializer` reads them instead of the one of `handler`.
    """
    kinds = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    make = kinds[handler.request_streaming, handler.response_streaming]
    return make(call, deserializer or handler.request_deserializer, handler.response_serializer)


async def answers_of(answers: Any) -> AsyncIterator[object]:
    """The answers of a call that streams them; one that ends without an answer is a coroutine."""
    if not hasattr(answers, "__aiter__"):
        await answers
        return
    async for answer in answers:
        yield answer

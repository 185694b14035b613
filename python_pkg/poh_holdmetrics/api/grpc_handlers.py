"""What interceptors share: a handler that takes the place of another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc


def of_same_kind(handler: Any, call: Callable[..., Any]) -> Any:
    """A handler that runs `call` and reads and writes the messages of `handler`, one or a stream of each."""
    kinds = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    make = kinds[handler.request_streaming, handler.response_streaming]
    return make(call, handler.request_deserializer, handler.response_serializer)

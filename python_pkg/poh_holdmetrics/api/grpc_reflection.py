"""Reflection, by which tools such as grpcurl learn the calls, under both names of its service.

The package grpcio-reflection has the older name alone; the messages of both are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = "grpc.reflection.v1.ServerReflection"


def add_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Let `server` describe these services, and the reflection itself."""
    names = (*services, reflection.SERVICE_NAME, _NAME)
    servicer = reflection.aio.ReflectionServicer(names)  # type: ignore[attr-defined]
    add: Callable[..., None] = reflection_pb2_grpc.add_ServerReflectionServicer_to_server
    add(servicer, server)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    calls = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_NAME, calls),))

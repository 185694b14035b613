"""Checks the API key of every gRPC call before the call reads a message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc

from poh_holdmetrics.api.access import Access, Denied, Need
from poh_holdmetrics.api.grpc_handlers import of_same_kind
from poh_holdmetrics.api.grpc_status import deny

if TYPE_CHECKING:
    from poh_holdmetrics.api.grpc_types import Context

_WRITES = frozenset(
    {
        *("Record", "Broadcast", "BroadcastBatch"),
        *("RecordTransfer", "BroadcastTransfers", "BroadcastTransferBatch"),
    }
)


def need_of(method: str) -> Need:
    """What the call of this path needs; an unknown one needs a key."""
    service, _, call = method.removeprefix("/").partition("/")
    if service == "grpc.health.v1.Health":
        return "nothing"
    if service != "poh.HoldMetrics":
        return "any key"
    return "write" if call in _WRITES else "read"


class KeyInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Ends a call that is not allowed."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of the call, or one of the same kind that ends it."""
        handler = await continuation(handler_call_details)
        metadata: Any = handler_call_details.invocation_metadata or ()
        authorization = next((value for key, value in metadata if key == "authorization"), None)
        try:
            self._access.check(need_of(handler_call_details.method), authorization)
        except Denied as denied:
            return _ending(handler, denied)
        return handler


def _ending(handler: Any, denied: Denied) -> Any:
    async def end(_: object, context: Context) -> None:
        await deny(context, denied)

    if handler is None:
        return grpc.unary_unary_rpc_method_handler(end)
    return of_same_kind(handler, end)

"""Middleware of ASGI: for FastAPI, Starlette and every other application of this interface.

    app.add_middleware(MetricsMiddleware)

Counts HTTP requests when they end; websockets and the lifespan pass through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from poh_metrics.middleware.requests import CALLER_GONE, SERVER_ERROR, HttpRequests

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_Application = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class MetricsMiddleware:
    """An ASGI application that counts the requests of another one."""

    def __init__(self, app: _Application, registry: CollectorRegistry | None = None) -> None:
        """Without `registry` that of `get_registry` counts."""
        self._app = app
        self._requests = HttpRequests(registry)

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Serve one connection or request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = SERVER_ERROR

        async def sending(message: _Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            status = CALLER_GONE
            raise
        finally:
            self._requests.count(scope["method"], status)

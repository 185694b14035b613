"""Middleware of aiohttp (extra `aiohttp`): counts every request, also those that no route takes.

Put it first in `middlewares`, so that it sees what the others answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from poh_metrics.middleware.requests import CALLER_GONE, SERVER_ERROR, HttpRequests

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware
    from prometheus_client import CollectorRegistry


def metrics_middleware_for(registry: CollectorRegistry | None) -> Middleware:
    """The middleware that counts in a registry; None is that of `get_registry` at each request."""
    requests = HttpRequests(registry)

    @web.middleware
    async def counting(request: web.Request, handler: Handler) -> web.StreamResponse:
        status = SERVER_ERROR
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as answer:
            status = answer.status
            raise
        except asyncio.CancelledError:
            status = CALLER_GONE
            raise
        finally:
            requests.count(request.method, status)
        return response

    return counting


metrics_middleware = metrics_middleware_for(None)

"""Middleware that counts: `http_requests_total` of aiohttp and ASGI, `grpc_requests_total` of grpc.aio.

A name is imported when it is used, so that nobody needs the packages of the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poh_metrics.middleware.aiohttp_server import metrics_middleware, metrics_middleware_for
    from poh_metrics.middleware.asgi import MetricsMiddleware
    from poh_metrics.middleware.grpc_server import MetricsInterceptor

_HOMES = {
    "MetricsInterceptor": "grpc_server",
    "MetricsMiddleware": "asgi",
    "metrics_middleware": "aiohttp_server",
    "metrics_middleware_for": "aiohttp_server",
}

__all__ = ["MetricsInterceptor", "MetricsMiddleware", "metrics_middleware", "metrics_middleware_for"]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)

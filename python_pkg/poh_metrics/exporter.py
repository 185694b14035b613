"""`GET /metrics` with aiohttp (extra `aiohttp`): a handler, an application, and a server of its own.

Answers in the text format or in OpenMetrics, as the scraper asks; in multiprocess mode with the metrics of
all processes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from poh_metrics.registry import exposition

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_REGISTRY: web.AppKey[CollectorRegistry | None] = web.AppKey("registry")


async def metrics_handler(request: web.Request) -> web.Response:
    """The metrics; add it to the routes of any application."""
    registry = request.config_dict.get(_REGISTRY)
    # In a thread, because in multiprocess mode files are read.
    body, content_type = await asyncio.to_thread(exposition, request.headers.get("accept", ""), registry)
    response = web.Response(body=body, headers={"content-type": content_type})
    response.enable_compression()
    return response


def metrics_application(registry: CollectorRegistry | None = None) -> web.Application:
    """An application with `/metrics` alone; also a sub-application of another one."""
    application = web.Application()
    application[_REGISTRY] = registry
    application.router.add_get("/metrics", metrics_handler)
    return application


async def start_http_server(
    host: str = "127.0.0.1", port: int = 9464, registry: CollectorRegistry | None = None
) -> web.AppRunner:
    """Serve `/metrics` until `cleanup` of the runner that is returned; it listens then.

    `runner.addresses` has the address, if `port` is 0. Raises `OSError` if it cannot listen there.
    """
    runner = web.AppRunner(metrics_application(registry), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner

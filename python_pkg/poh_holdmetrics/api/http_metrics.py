"""`GET /metrics`, and the measuring of every HTTP request by the pattern of its route.

Without the package of the exporter the server runs, `/metrics` names it, and nothing is counted.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from starlette.routing import Match, Route

from poh_holdmetrics.api.http_problem import Problem

if TYPE_CHECKING:
    from poh_holdmetrics.api.published_counts import PublishedCounts
    from poh_holdmetrics.exporter.figures import Figures

#: The name under which requests to unknown routes are counted.
_UNKNOWN = "unknown"


def add_metrics_route(app: FastAPI, figures: Figures, published: PublishedCounts) -> None:
    """Count the figures from now on, and answer Prometheus, also with the published counts."""
    try:
        module = importlib.import_module("poh_holdmetrics.exporter.prometheus")
    except ModuleNotFoundError as missing:
        absent = f"the package {missing.name} is not installed; pip install 'poh-holdmetrics[prometheus]'"

        async def metrics(request: Request) -> Response:  # noqa: ARG001
            """For Prometheus; a coroutine, so that no thread is needed."""
            raise Problem(HTTPStatus.NOT_IMPLEMENTED, absent)
    else:
        exporter = module.PrometheusExporter(figures)
        exporter.registry.register(published)

        async def metrics(request: Request) -> Response:
            """Metrics for Prometheus, in its text format."""
            # Those of the process are read from /proc, which blocks.
            media_type, page = await asyncio.to_thread(exporter.page, request.headers.get("accept", ""))
            return Response(page, headers={"content-type": media_type})

    app.add_api_route("/metrics", metrics, methods=["GET"])


async def measured(
    figures: Figures, request: Request, respond: Callable[[Request], Awaitable[Response]]
) -> Response:
    """The response to a request, which is counted and timed."""
    began = time.perf_counter()
    # A defect leaves as an exception, which becomes this status further out.
    status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
    try:
        response = await respond(request)
        status = response.status_code
    finally:
        figures.http_ended(request.method, _route(request), status, time.perf_counter() - began)
    return response


def _route(request: Request) -> str:
    """The pattern of the route, as the binary writes it, also of a request that was denied."""
    for route in request.app.router.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            return route.path.replace(":path}", "}")
    return _UNKNOWN

"""Counts the requests of a service under the published names, with the middleware of `poh_metrics`.

That package is a distribution of its own: without it nothing is counted under these names, and the server
runs all the same. `/metrics` of the HTTP server shows the counts beside the figures of `exporter`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric


class PublishedCounts:
    """`http_requests_total` and `grpc_requests_total` of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry: CollectorRegistry | None = None
        try:
            client = importlib.import_module("prometheus_client")
            importlib.import_module("poh_metrics.registry")
        except ModuleNotFoundError:
            return
        self.registry = client.CollectorRegistry()

    def collect(self) -> Iterator[Metric]:
        """The counts for a registry that this is added to, without the times at which counting began."""
        for metric in () if self.registry is None else self.registry.collect():
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            if metric.samples:
                yield metric

    def add_to_application(self, app: FastAPI) -> None:
        """Count the requests of an application; call it after other middleware is added."""
        if self.registry is not None:
            asgi = importlib.import_module("poh_metrics.middleware.asgi")
            app.add_middleware(asgi.MetricsMiddleware, registry=self.registry)

    def interceptors(self) -> list[Any]:
        """What counts the calls of a gRPC server; it belongs before other interceptors."""
        if self.registry is None:
            return []
        module = importlib.import_module("poh_metrics.middleware.grpc_server")
        return [module.MetricsInterceptor(self.registry)]

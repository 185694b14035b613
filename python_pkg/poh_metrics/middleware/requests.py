"""Counters of requests whose label values are bounded, whatever callers send.

An HTTP method outside the standard ones is `OTHER`, and so is a status that is not a number of three digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from poh_metrics.registry import get_metric

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter

OTHER = "OTHER"
#: The status of a request whose caller went away before the response, as nginx writes it.
CALLER_GONE = 499
SERVER_ERROR = 500
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_STATUSES = range(100, 600)
#: Beyond so many methods of gRPC, which a server with a handler for any name could have, others are one.
GRPC_METHODS_MAX = 256


class HttpRequests:
    """Counts HTTP requests in `http_requests_total`."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._registry = registry

    def count(self, method: str, status: int) -> None:
        """Count one request that was answered with `status`."""
        shown = method if method in _METHODS else OTHER
        counter = cast("Counter", get_metric("http_requests_total", self._registry))
        counter.labels(shown, str(status) if status in _STATUSES else OTHER).inc()


class GrpcRequests:
    """Counts gRPC calls in `grpc_requests_total`."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._registry = registry
        self._methods: set[str] = set()

    def count(self, method: str | None, status: str) -> None:
        """Count one call that ended; None is a method that the server does not have."""
        if method is not None and method not in self._methods:
            if len(self._methods) < GRPC_METHODS_MAX:
                self._methods.add(method)
            else:
                method = None
        counter = cast("Counter", get_metric("grpc_requests_total", self._registry))
        counter.labels(OTHER if method is None else method, status).inc()

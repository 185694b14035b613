"""A receiver of OTLP metrics over gRPC and HTTP in this process, which keeps the last value of each series.

For exact assertions; that real receivers understand an exporter is tested with `collector`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as pb

_EXPORT = "opentelemetry.proto.collector.metrics.v1.MetricsService"

#: Values of the labels by their name, sorted.
Labels = tuple[tuple[str, str], ...]


class Receiver:
    """What has been received: the last of everything."""

    def __init__(self) -> None:
        self.resource: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        #: (help, unit) by name.
        self.metrics: dict[str, tuple[str, str]] = {}
        #: A number, or (count, bounds) of a histogram.
        self.values: dict[tuple[str, Labels], Any] = {}
        self.exports = 0
        self._received = threading.Condition()

    def take(self, request: Any, headers: dict[str, str]) -> None:
        """Keep an export."""
        with self._received:
            self.headers = headers
            for of_resource in request.resource_metrics:
                self.resource = _attributes(of_resource.resource.attributes)
                for scope in of_resource.scope_metrics:
                    for metric in scope.metrics:
                        self._keep(metric)
            self.exports += 1
            self._received.notify_all()

    def wait_for_export(self, seconds: float = 20) -> None:
        """Return when another export has been received."""
        with self._received:
            before = self.exports
            assert self._received.wait_for(lambda: self.exports > before, seconds), "no export"

    def _keep(self, metric: Any) -> None:
        self.metrics[metric.name] = (metric.description, metric.unit)
        kind = metric.WhichOneof("data")
        for point in getattr(metric, kind).data_points:
            labels = tuple(sorted(_attributes(point.attributes).items()))
            if kind == "histogram":
                self.values[metric.name, labels] = (point.count, tuple(point.explicit_bounds))
            else:
                self.values[metric.name, labels] = getattr(point, point.WhichOneof("value"))


@contextmanager
def receiving_grpc(receiver: Receiver, port: int = 0) -> Iterator[str]:
    """Receive over gRPC; returns the endpoint."""

    def export(request: Any, context: Any) -> Any:
        receiver.take(request, {each.key: each.value for each in context.invocation_metadata()})
        return pb.ExportMetricsServiceResponse()

    handler = grpc.unary_unary_rpc_method_handler(
        export,
        pb.ExportMetricsServiceRequest.FromString,
        pb.ExportMetricsServiceResponse.SerializeToString,
    )
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_EXPORT, {"Export": handler}),))
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        try:
            yield f"http://127.0.0.1:{bound}"
        finally:
            server.stop(None).wait()


@contextmanager
def receiving_http(receiver: Receiver, port: int = 0) -> Iterator[str]:
    """Receive over HTTP; returns the endpoint."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            is_known = self.path == "/v1/metrics"
            if is_known:
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.take(pb.ExportMetricsServiceRequest.FromString(body), headers)
            self.send_response(200 if is_known else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tests assert on what is received, not on a log."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _attributes(found: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in found}

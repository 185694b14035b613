"""Exports figures through OpenTelemetry, with `opentelemetry-sdk` (extra `otlp`): pushed by OTLP, or scraped.

    with OtlpExporter(service.figures, endpoint="http://127.0.0.1:4317"):
        ...

The standard OTEL_* variables apply where an argument is absent. A receiver that is away costs the service
nothing: figures are sent from a thread, one warning is logged, and the next export has them all, because they
are totals.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Self

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcSender
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpSender
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from prometheus_client import CollectorRegistry

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.exporter.meter import FiguresMeter
from poh_holdmetrics.exporter.prometheus import listening
from poh_holdmetrics.exporter.reporting_sender import ReportingSender

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.metrics.export import MetricExporter

    from poh_holdmetrics.exporter.figures import Figures

Protocol = Literal["grpc", "http/protobuf"]

#: The first that is set counts.
_PROTOCOL_VARIABLES = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PORT_VARIABLE = "OTEL_EXPORTER_PROMETHEUS_PORT"
_HTTP_PATH = "/v1/metrics"


class OtlpExporter:
    """Sends the figures of one service at intervals, and a last time when it is closed."""

    def __init__(
        self,
        figures: Figures,
        *,
        endpoint: str | None = None,
        protocol: Protocol | None = None,
        interval_seconds: float | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """`endpoint` is the address of the receiver, without the path that OTLP/HTTP adds.

        Without arguments OTEL_EXPORTER_OTLP_ENDPOINT, _PROTOCOL (`grpc` by default), _HEADERS, _CERTIFICATE,
        _COMPRESSION and _TIMEOUT decide, and OTEL_METRIC_EXPORT_INTERVAL (a minute). `timeout_seconds` limits
        one export with its retries. Raises `InputError` that names what is invalid.
        """
        if interval_seconds is not None and interval_seconds <= 0:
            raise InputError("interval_seconds", f"expected more than 0, not {interval_seconds}")
        sender = ReportingSender(_sender(protocol, endpoint, timeout_seconds))
        interval_ms = None if interval_seconds is None else interval_seconds * 1_000
        self._meter = FiguresMeter(figures, PeriodicExportingMetricReader(sender, interval_ms))

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Send a last time. It waits for the receiver, so a coroutine calls it in a thread."""
        self._meter.close(timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MeterScrape:
    """The OpenTelemetry meter of one service, for Prometheus to read; `registry` is one of its own.

    Beside the figures it has `target_info`, with the attributes of the resource.
    """

    def __init__(self, figures: Figures) -> None:
        """Counts from now on."""
        self.registry = CollectorRegistry()
        reader = PrometheusMetricReader(scope_info_enabled=False, registry=self.registry)
        self._meter = FiguresMeter(figures, reader)

    @contextmanager
    def endpoint(self, host: str | None = None, port: int | None = None) -> Iterator[int]:
        """Listen in a thread, and return the port; port 0 chooses a free one.

        OTEL_EXPORTER_PROMETHEUS_HOST and _PORT are the defaults, else 127.0.0.1 and 9464.
        """
        text = os.environ.get(_PORT_VARIABLE) or "9464"
        if port is None and not (text.isascii() and text.isdigit()):
            raise InputError(_PORT_VARIABLE, f"expected a port, not {text[:40]!r}")
        chosen = host or os.environ.get("OTEL_EXPORTER_PROMETHEUS_HOST") or "127.0.0.1"
        with listening(self.registry, chosen, int(text) if port is None else port) as bound:
            yield bound

    def close(self) -> None:
        """Count no more."""
        self._meter.close(timeout_seconds=1.0)


def _sender(protocol: str | None, endpoint: str | None, timeout_seconds: float | None) -> MetricExporter:
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise InputError("endpoint", f"expected http://HOST:PORT or https://HOST:PORT, not {endpoint[:40]!r}")
    where, chosen = "protocol", protocol
    for variable in _PROTOCOL_VARIABLES:
        if chosen is None and os.environ.get(variable):
            where, chosen = variable, os.environ[variable]
    if chosen in (None, "grpc"):
        return GrpcSender(endpoint, timeout=timeout_seconds)
    if chosen != "http/protobuf":
        raise InputError(where, f"expected grpc or http/protobuf, not {chosen[:40]!r}")
    url = None if endpoint is None else endpoint.rstrip("/") + _HTTP_PATH
    return HttpSender(url, timeout=timeout_seconds)

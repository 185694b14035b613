"""Logs once that metrics cannot be exported, and once that they can be again.

The exporters of OpenTelemetry log each attempt, thousands of lines for a receiver that is away for a night.
Their messages are left out of the log while they export for us, and only then.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

_LOG = logging.getLogger(__name__)

_SDK_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
)


class ReportingSender(MetricExporter):
    """Another exporter, whose failures are logged once until it succeeds again."""

    def __init__(self, sender: MetricExporter) -> None:
        super().__init__(sender._preferred_temporality, sender._preferred_aggregation)  # noqa: SLF001
        self._sender = sender
        self._is_failing = False

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Send, and log a change between success and failure."""
        with _Messages() as messages:
            try:
                result = self._sender.export(metrics_data, timeout_millis=timeout_millis, **kwargs)
            except Exception as error:  # noqa: BLE001 - a thread that ends would export no more
                result = MetricExportResult.FAILURE
                messages.last = repr(error)
        is_failing = result is not MetricExportResult.SUCCESS
        if is_failing and not self._is_failing:
            _LOG.warning("Metrics are not exported, which is tried again at each interval: %s", messages.last)
        elif self._is_failing and not is_failing:
            _LOG.info("Metrics are exported again.")
        self._is_failing = is_failing
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Send what the other exporter has buffered."""
        return self._sender.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """End the other exporter."""
        self._sender.shutdown(timeout_millis=timeout_millis, **kwargs)


class _Messages(logging.Filter):
    """Keeps what the exporters log in this thread out of the log; `last` is the last of it."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        self.last = record.getMessage()
        return False

    def __enter__(self) -> Self:
        for name in _SDK_LOGGERS:
            logging.getLogger(name).addFilter(self)
        return self

    def __exit__(self, *_: object) -> None:
        for name in _SDK_LOGGERS:
            logging.getLogger(name).removeFilter(self)

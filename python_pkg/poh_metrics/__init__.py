"""Prometheus metrics of a PoH service: one registry, helpers that record, an exporter and middleware.

Needs `prometheus_client` alone; what needs aiohttp or grpcio is in modules that are imported for it
(`exporter`, `middleware.aiohttp_server`, `middleware.grpc_server`). Knows no service.
"""

from poh_metrics.collector import (
    increment_poh,
    observe_issue,
    observe_verify,
    record_gc,
    set_active_peers,
)
from poh_metrics.gc_watch import watch_gc
from poh_metrics.registry import get_metric, get_registry, push_metrics, set_registry, write_metrics
from poh_metrics.version import __version__

__all__ = [
    "__version__",
    "get_metric",
    "get_registry",
    "increment_poh",
    "observe_issue",
    "observe_verify",
    "push_metrics",
    "record_gc",
    "set_active_peers",
    "set_registry",
    "watch_gc",
    "write_metrics",
]

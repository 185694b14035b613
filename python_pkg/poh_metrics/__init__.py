"""Prometheus metrics of a PoH service: one registry, helpers that record, an exporter and middleware.

Needs `prometheus_client` alone; what needs aiohttp or grpcio is in modules that are imported for it
(`exporter`, `middleware.aiohttp_server`, `middleware.grpc_server`). Knows no service. The names below are
imported on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from poh_metrics.version import __version__

if TYPE_CHECKING:
    from poh_metrics.collector import (
        increment_poh,
        observe_issue,
        observe_verify,
        record_gc,
        set_active_peers,
    )
    from poh_metrics.gc_watch import watch_gc
    from poh_metrics.registry import get_metric, get_registry, push_metrics, set_registry, write_metrics

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

_HOMES = {
    "get_metric": "registry",
    "get_registry": "registry",
    "increment_poh": "collector",
    "observe_issue": "collector",
    "observe_verify": "collector",
    "push_metrics": "registry",
    "record_gc": "collector",
    "set_active_peers": "collector",
    "set_registry": "registry",
    "watch_gc": "gc_watch",
    "write_metrics": "registry",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__

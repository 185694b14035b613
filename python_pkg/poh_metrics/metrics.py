"""The metrics by their names: `get_metric` makes one when it is needed, `register_metrics` makes all at once.

Registering all at the start shows metrics without labels as 0 before anything happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_metrics.definitions import DEFINITIONS
from poh_metrics.registry import get_metric

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["get_metric", "register_metrics"]


def register_metrics(registry: CollectorRegistry | None = None) -> None:
    """Register every metric; repeating it changes nothing."""
    for name in DEFINITIONS:
        get_metric(name, registry)

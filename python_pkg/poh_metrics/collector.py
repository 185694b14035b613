"""What an application calls to record: one coroutine for each kind of event.

They never wait; they are coroutines, so that a recorder with I/O can take their place. A label value that
`types` does not list is refused, because every new value is a new time series for good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from poh_metrics.registry import get_metric
from poh_metrics.types import GcType, PoHResult

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

_RESULTS = get_args(PoHResult)
_GC_TYPES = get_args(GcType)


async def increment_poh(result: PoHResult, registry: CollectorRegistry | None = None) -> None:
    """Count one proof issued, or not issued."""
    _check("result", result, _RESULTS)
    cast("Counter", get_metric("poh_issued_total", registry)).labels(result).inc()


async def observe_issue(result: PoHResult, latency: float, registry: CollectorRegistry | None = None) -> None:
    """Record the duration of issuing a proof, in seconds."""
    _check("result", result, _RESULTS)
    for name in ("poh_issue_latency_seconds", "poh_issue_latency_summary_seconds"):
        cast("Histogram | Summary", get_metric(name, registry)).labels(result).observe(latency)


async def observe_verify(
    result: PoHResult, latency: float, registry: CollectorRegistry | None = None
) -> None:
    """Record the duration of verifying a proof, in seconds."""
    _check("result", result, _RESULTS)
    cast("Histogram", get_metric("poh_verify_latency_seconds", registry)).labels(result).observe(latency)


async def record_gc(event_type: GcType, count: int = 1, registry: CollectorRegistry | None = None) -> None:
    """Count collections of garbage; `gc_watch.watch_gc` does it for those of the interpreter."""
    _check("event_type", event_type, _GC_TYPES)
    cast("Counter", get_metric("gc_events_total", registry)).labels(event_type).inc(count)


async def set_active_peers(count: int, registry: CollectorRegistry | None = None) -> None:
    """Set the number of connected peers of this process."""
    cast("Gauge", get_metric("active_peers", registry)).set(count)


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(known)}, not {value[:40]!r}")

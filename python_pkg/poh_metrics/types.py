"""The values that labels may have, and the names of the metrics, as literal types."""

from __future__ import annotations

from typing import Literal, TypeAlias

#: How the issue or the verification of a proof ended.
PoHResult: TypeAlias = Literal["success", "failure", "timeout"]
#: Which collection of garbage ran: of young objects, or of all.
GcType: TypeAlias = Literal["minor", "major"]
#: The published spelling of `GcType` in upper case.
GCType: TypeAlias = GcType
#: The metrics that `registry.get_metric` makes.
MetricName: TypeAlias = Literal[
    "poh_issued_total",
    "poh_issue_latency_seconds",
    "poh_issue_latency_summary_seconds",
    "poh_verify_latency_seconds",
    "gc_events_total",
    "active_peers",
    "http_requests_total",
    "grpc_requests_total",
]

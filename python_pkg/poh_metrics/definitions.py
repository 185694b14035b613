"""The table of metrics: name, kind, help text and labels of each. Registers nothing; see `registry`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram, Summary

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

Metric = Counter | Gauge | Histogram | Summary

#: Upper bounds of the buckets of latencies, in seconds.
LATENCY_SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One metric."""

    name: str
    help: str
    kind: type[Metric]
    labels: tuple[str, ...] = ()

    def make(self, registry: CollectorRegistry) -> Metric:
        """Register the metric; raises `ValueError` if the registry has one of this name."""
        if self.kind is Histogram:
            return Histogram(self.name, self.help, self.labels, registry=registry, buckets=LATENCY_SECONDS)
        if self.kind is Gauge:
            # Each process knows its own peers; the living ones are summed.
            return Gauge(self.name, self.help, self.labels, registry=registry, multiprocess_mode="livesum")
        return self.kind(self.name, self.help, self.labels, registry=registry)


DEFINITIONS = {
    definition.name: definition
    for definition in (
        Definition(
            name="poh_issued_total", help="Proofs issued, by result.", kind=Counter, labels=("result",)
        ),
        Definition(
            name="poh_issue_latency_seconds",
            help="Duration of issuing a proof, by result.",
            kind=Histogram,
            labels=("result",),
        ),
        Definition(
            name="poh_issue_latency_summary_seconds",
            help="Number and total duration of issued proofs, by result.",
            kind=Summary,
            labels=("result",),
        ),
        Definition(
            name="poh_verify_latency_seconds",
            help="Duration of verifying a proof, by result.",
            kind=Histogram,
            labels=("result",),
        ),
        Definition(
            name="gc_events_total",
            help="Collections of garbage, by type: minor or major.",
            kind=Counter,
            labels=("type",),
        ),
        Definition(name="active_peers", help="Peers that are connected.", kind=Gauge),
        Definition(
            name="http_requests_total",
            help="HTTP requests answered, by method and status code; 499 if the caller went away.",
            kind=Counter,
            labels=("method", "status"),
        ),
        Definition(
            name="grpc_requests_total",
            help="gRPC calls ended, by method and status code.",
            kind=Counter,
            labels=("method", "status"),
        ),
    )
}

"""Every figure that is exported: its name, help text, kind, labels, and how it is read.

A figure that the binary exports too has the same name, labels and help text there (tests/golden/metrics.txt
of the repository). Some are read when they are asked for; the others are counted when something happens, see
`figures`. Knows no exporter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from poh_holdmetrics import native
from poh_holdmetrics.version import __version__

if TYPE_CHECKING:
    from poh_holdmetrics.storage.port import Storage
    from poh_holdmetrics.tracker import AsyncTracker

#: Values of the labels, and the value of the figure.
Sample = tuple[tuple[str, ...], float]

#: Upper bounds of the buckets of durations, those of the binary.
SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


@runtime_checkable
class KeepsEvents(Protocol):
    """A storage that keeps events in memory while its server cannot be reached."""

    @property
    def kept(self) -> int: ...  # noqa: D102
    @property
    def dropped(self) -> int: ...  # noqa: D102


class Flushes(Protocol):
    """A `storage.flush.StorageFlush`: it has events in memory that wait until they are saved."""

    @property
    def waiting(self) -> int: ...  # noqa: D102


@dataclass(kw_only=True, slots=True)
class Sources:
    """What figures are read from, from any thread; each may be absent, and set later."""

    tracker: AsyncTracker | None = None
    storage: Storage | None = None
    flush: Flushes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Instrument:
    """One figure."""

    name: str
    help: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...] = ()
    #: None if it is counted and not read. No samples mean that its source is absent.
    read: Callable[[Sources], Iterable[Sample]] | None = None

    @property
    def unit(self) -> str:
        """The unit in OpenTelemetry."""
        return "s" if self.name.endswith("_seconds") else "1"


def _of_tracker(read: Callable[[AsyncTracker], int]) -> Callable[[Sources], Iterable[Sample]]:
    def samples(sources: Sources) -> Iterable[Sample]:
        return [] if sources.tracker is None else [((), read(sources.tracker))]

    return samples


def _of_storage(read: Callable[[Storage], int]) -> Callable[[Sources], Iterable[Sample]]:
    def samples(sources: Sources) -> Iterable[Sample]:
        return [] if sources.storage is None else [((), read(sources.storage))]

    return samples


def _of_kept_events(read: Callable[[KeepsEvents], int]) -> Callable[[Sources], Iterable[Sample]]:
    def samples(sources: Sources) -> Iterable[Sample]:
        return [((), read(sources.storage))] if isinstance(sources.storage, KeepsEvents) else []

    return samples


def _waiting(sources: Sources) -> Iterable[Sample]:
    return [] if sources.flush is None else [((), sources.flush.waiting)]


def _build(_: Sources) -> Iterable[Sample]:
    return [((__version__, native.source()), 1)]


EVENTS_REFUSED = Instrument(
    name="holdmetrics_events_refused_total",
    kind="counter",
    labels=("reason",),
    help="Events refused, by the field that is invalid; json or line if there was no event, before_accept "
    "if a pipeline refused it.",
)
QUESTION = Instrument(
    name="holdmetrics_question_seconds",
    kind="histogram",
    labels=("question",),
    help="Duration of computing one answer: a snapshot page, a leaderboard, a holder.",
)
GRPC_REQUESTS = Instrument(
    name="holdmetrics_grpc_requests_total",
    kind="counter",
    labels=("method", "code"),
    help="gRPC calls ended, by method and status code.",
)
GRPC_REQUEST = Instrument(
    name="holdmetrics_grpc_request_seconds",
    kind="histogram",
    labels=("method",),
    help="Duration of gRPC calls, streams included, by method.",
)
HTTP_REQUESTS = Instrument(
    name="holdmetrics_http_requests_total",
    kind="counter",
    labels=("method", "route", "code"),
    help="HTTP requests answered, by method, route and status code.",
)
HTTP_REQUEST = Instrument(
    name="holdmetrics_http_request_seconds",
    kind="histogram",
    labels=("route",),
    help="Duration of HTTP requests, by route.",
)

#: The table, in the order in which it is exported.
INSTRUMENTS = (
    Instrument(
        name="holdmetrics_build_info",
        kind="gauge",
        labels=("version", "features"),
        help="Always 1; its labels name the build.",
        read=_build,
    ),
    Instrument(
        name="holdmetrics_sequence",
        kind="gauge",
        help="Number of the last applied event, counted over the life of the store.",
        read=_of_tracker(lambda tracker: tracker.events),
    ),
    Instrument(
        name="holdmetrics_holders",
        kind="gauge",
        help="Number of holders.",
        read=_of_tracker(lambda tracker: tracker.holders),
    ),
    Instrument(
        name="holdmetrics_keys",
        kind="gauge",
        help="Number of pairs of token and holder.",
        read=_of_tracker(lambda tracker: tracker.engine.keys),
    ),
    Instrument(
        name="holdmetrics_events_accepted_total",
        kind="counter",
        help="Events acknowledged: durable (unless the service is ephemeral) and applied.",
        read=_of_tracker(lambda tracker: tracker.events),
    ),
    EVENTS_REFUSED,
    QUESTION,
    GRPC_REQUESTS,
    GRPC_REQUEST,
    HTTP_REQUESTS,
    HTTP_REQUEST,
    Instrument(
        name="holdmetrics_storage_waiting_events",
        kind="gauge",
        help="Events in memory that are not flushed to the storage yet; they are lost if the process is "
        "killed.",
        read=_waiting,
    ),
    Instrument(
        name="holdmetrics_storage_fallback",
        kind="gauge",
        help="1 while events are kept in memory because the server of the storage cannot be reached; "
        "0 otherwise.",
        read=_of_storage(lambda storage: int(storage.is_fallback)),
    ),
    Instrument(
        name="holdmetrics_storage_kept_events",
        kind="gauge",
        help="Events in memory that wait until the server of the storage can be reached.",
        read=_of_kept_events(lambda storage: storage.kept),
    ),
    Instrument(
        name="holdmetrics_storage_dropped_events_total",
        kind="counter",
        help="Events lost because more than the limit were to be kept in memory.",
        read=_of_kept_events(lambda storage: storage.dropped),
    ),
)

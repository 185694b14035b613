"""The figures of one service: the objects they are read from, and the exporters that count requests.

    figures = Figures(tracker=tracker, storage=storage)
    exporter = PrometheusExporter(figures)

Keeps no count itself: each exporter has its own, from the time it was made. An exporter that is to see every
request is made before the service listens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from poh_holdmetrics.exporter.instruments import (
    EVENTS_REFUSED,
    GRPC_REQUEST,
    GRPC_REQUESTS,
    HTTP_REQUEST,
    HTTP_REQUESTS,
    QUESTION,
    Instrument,
    Sample,
    Sources,
)

#: For each figure that is counted, what adds to a counter or observes a duration: values of labels, value.
Recorders = Mapping[str, Callable[[tuple[str, ...], float], None]]

_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


@dataclass(kw_only=True, slots=True)
class Figures(Sources):
    """The sources of figures, and the exporters that count."""

    _followers: list[Recorders] = field(default_factory=list, init=False)

    def follow(self, recorders: Recorders) -> None:
        """Tell an exporter of all that is counted from now on; `recorders` has one by name of instrument."""
        self._followers.append(recorders)

    def unfollow(self, recorders: Recorders) -> None:
        """Tell an exporter no more."""
        self._followers = [each for each in self._followers if each is not recorders]

    def samples(self, instrument: Instrument) -> Iterable[Sample]:
        """The values of a figure that is read, now."""
        assert instrument.read is not None, f"{instrument.name} is counted"  # noqa: S101 - by its own table
        return instrument.read(self)

    def refused(self, reason: str, events: int = 1) -> None:
        """Count refused events; `reason` is a field or one of a few fixed words, never text of a sender."""
        self._record(EVENTS_REFUSED, (reason,), events)

    def answered(self, question: str, seconds: float) -> None:
        """Count an answer; `question` is one of a few fixed words."""
        self._record(QUESTION, (question,), seconds)

    def grpc_ended(self, method: str, code: str, seconds: float) -> None:
        """Count a gRPC call; `method` is a name of the contract, `code` is as in `NOT_FOUND`."""
        self._record(GRPC_REQUESTS, (method, code), 1)
        self._record(GRPC_REQUEST, (method,), seconds)

    def http_ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an HTTP request; `route` is a pattern of the router, never the path that was sent."""
        self._record(HTTP_REQUESTS, (method if method in _METHODS else "other", route, str(status)), 1)
        self._record(HTTP_REQUEST, (route,), seconds)

    def _record(self, instrument: Instrument, labels: tuple[str, ...], value: float) -> None:
        for recorders in self._followers:
            recorders[instrument.name](labels, value)

"""Exports figures to Prometheus, with `prometheus_client` (extra `prometheus`) and a registry of its own.

    exporter = PrometheusExporter(service.figures)
    app = exporter.application()                       # for any ASGI server
    with exporter.endpoint(Address("127.0.0.1", 9464)):  # or a listener in a thread
        ...

The registry of `prometheus_client` that a process shares is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    make_asgi_app,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.exporter.instruments import INSTRUMENTS, SECONDS, Instrument

if TYPE_CHECKING:
    from poh_holdmetrics.exporter.figures import Figures

_Counted = Counter | Histogram


class PrometheusExporter:
    """The figures of one service, with those of its process, in `registry`; others may be added to it."""

    def __init__(self, figures: Figures) -> None:
        """Counts from now on."""
        self._figures = figures
        self._counted = {each.name: _counted(each) for each in INSTRUMENTS if each.read is None}
        self._recorders = {name: _recorder(metric) for name, metric in self._counted.items()}
        self.registry = CollectorRegistry()
        self.registry.register(_FiguresCollector(figures, self._counted))
        ProcessCollector(registry=self.registry)
        figures.follow(self._recorders)

    def close(self) -> None:
        """Count no more."""
        self._figures.unfollow(self._recorders)

    def page(self, accept: str = "") -> tuple[str, bytes]:
        """The content type and the text that Prometheus reads; `accept` is its header of that name."""
        encoder, content_type = choose_encoder(accept)
        return content_type, encoder(self.registry)

    def application(self) -> Callable[..., Any]:
        """An ASGI application that answers every path with the page."""
        return make_asgi_app(self.registry)

    @contextmanager
    def endpoint(self, host: str = "127.0.0.1", port: int = 9464) -> Iterator[int]:
        """Listen in a thread, and return the port; port 0 chooses a free one.

        It has no TLS and asks for no key. Raises `InputError` if it cannot listen.
        """
        with listening(self.registry, host, port) as chosen:
            yield chosen


@contextmanager
def listening(registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    """Answer with the figures of a registry from a thread; returns the port."""
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        problem = f"cannot listen there ({error.strerror or error}); choose another port"
        raise InputError(f"{host}:{port}", problem) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _FiguresCollector(Collector):
    """Gives a registry the figures, in the order of the table and with no others."""

    def __init__(self, figures: Figures, counted: dict[str, _Counted]) -> None:
        self._figures = figures
        self._counted = counted

    def collect(self) -> Iterable[Metric]:
        """All figures now."""
        for instrument in INSTRUMENTS:
            if instrument.read is None:
                yield from map(_without_created, self._counted[instrument.name].collect())
                continue
            family: CounterMetricFamily | GaugeMetricFamily = (
                CounterMetricFamily if instrument.kind == "counter" else GaugeMetricFamily
            )(instrument.name, instrument.help, labels=instrument.labels)
            for labels, value in self._figures.samples(instrument):
                family.add_metric(labels, value)
            if family.samples:
                yield family


def _counted(instrument: Instrument) -> _Counted:
    """A metric in no registry."""
    given = (instrument.name, instrument.help, instrument.labels)
    if instrument.kind == "counter":
        return Counter(*given, registry=None)
    return Histogram(*given, buckets=SECONDS, registry=None)


def _recorder(metric: _Counted) -> Callable[[tuple[str, ...], float], None]:
    if isinstance(metric, Counter):
        return lambda labels, value: metric.labels(*labels).inc(value)
    return lambda labels, value: metric.labels(*labels).observe(value)


def _without_created(family: Metric) -> Metric:
    """The family without the times at which its series began, which the binary does not export."""
    family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
    return family

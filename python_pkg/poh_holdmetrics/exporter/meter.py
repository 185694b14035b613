"""The figures as instruments of an OpenTelemetry meter, for readers that push or are scraped.

Names, help texts and labels are those of the table, the bounds of durations those of Prometheus. The meter is
one of its own: the provider that a process shares is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource

from poh_holdmetrics.exporter.instruments import INSTRUMENTS, SECONDS, Instrument
from poh_holdmetrics.version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics.export import MetricReader

    from poh_holdmetrics.exporter.figures import Figures

SCOPE = "poh_holdmetrics"
_SERVICE_NAME = "service.name"


class FiguresMeter:
    """A meter of all figures with one reader, which it ends."""

    def __init__(self, figures: Figures, reader: MetricReader) -> None:
        """Counts from now on. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES describe the service."""
        self._figures = figures
        self._provider = MeterProvider([reader], resource=_resource(), shutdown_on_exit=False)
        meter = self._provider.get_meter(SCOPE, __version__)
        for instrument in INSTRUMENTS:
            if instrument.read is not None:
                _observe(meter, instrument, figures)
        self._recorders = {each.name: _recorder(meter, each) for each in INSTRUMENTS if each.read is None}
        figures.follow(self._recorders)

    def close(self, timeout_seconds: float) -> None:
        """Count no more, and let the reader end, which may send a last time."""
        self._figures.unfollow(self._recorders)
        self._provider.shutdown(timeout_seconds * 1_000)


def _resource() -> Resource:
    """That of the variables; the service has the name of the binary unless they give another."""
    found = Resource.create()
    is_named = not str(found.attributes.get(_SERVICE_NAME, "")).startswith("unknown_service")
    return found if is_named else found.merge(Resource({_SERVICE_NAME: "holdmetrics"}))


def _observe(meter: Meter, instrument: Instrument, figures: Figures) -> None:
    def observed(_: CallbackOptions) -> Iterable[Observation]:
        for labels, value in figures.samples(instrument):
            yield Observation(value, dict(zip(instrument.labels, labels, strict=True)))

    create = (
        meter.create_observable_counter if instrument.kind == "counter" else meter.create_observable_gauge
    )
    create(instrument.name, [observed], instrument.unit, instrument.help)


def _recorder(meter: Meter, instrument: Instrument) -> Callable[[tuple[str, ...], float], None]:
    name, unit, text, names = instrument.name, instrument.unit, instrument.help, instrument.labels
    if instrument.kind == "counter":
        counter = meter.create_counter(name, unit, text)
        return lambda labels, value: counter.add(value, dict(zip(names, labels, strict=True)))
    histogram = meter.create_histogram(name, unit, text, explicit_bucket_boundaries_advisory=SECONDS)
    return lambda labels, value: histogram.record(value, dict(zip(names, labels, strict=True)))

"""Exports the figures of a service to Prometheus and OpenTelemetry.

`figures` collects them, `instruments` lists their names. The names below are imported on first use, because
an exporter needs packages that may not be installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.lazy_names import lazy_names

if TYPE_CHECKING:
    from poh_holdmetrics.exporter.figures import Figures
    from poh_holdmetrics.exporter.otlp import MeterScrape, OtlpExporter
    from poh_holdmetrics.exporter.prometheus import PrometheusExporter

__all__ = ["Figures", "MeterScrape", "OtlpExporter", "PrometheusExporter"]

_get, __dir__ = lazy_names(
    __name__,
    {
        "Figures": "poh_holdmetrics.exporter.figures",
        "MeterScrape": "poh_holdmetrics.exporter.otlp",
        "OtlpExporter": "poh_holdmetrics.exporter.otlp",
        "PrometheusExporter": "poh_holdmetrics.exporter.prometheus",
    },
)


def __getattr__(name: str) -> object:
    try:
        return _get(name)
    except ModuleNotFoundError as missing:
        extra = "prometheus" if name == "PrometheusExporter" else "otlp"
        sentence = (
            f"{name}: the package {missing.name} is not installed; pip install 'poh-holdmetrics[{extra}]'"
        )
        raise ModuleNotFoundError(sentence, name=missing.name) from missing

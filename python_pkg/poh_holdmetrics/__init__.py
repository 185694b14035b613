"""Exact hold scores: how much was held, for how long, by whom.

The public names below are imported on first use, so that importing the package costs next to nothing.
Start with `HoldEvent` and `calculate_score` for a list of events, `AsyncTracker` for a stream of them;
`python -m poh_holdmetrics score FILE` scores a file.

The package alone keeps events in memory or in a `storage`, reads JSONL and CSV, and serves from memory
(`app_holdmetrics`): the durable service, its client, Parquet and Arrow files are parts of the binary
`main_holdmetrics`. Exporters and feeds do not exist yet.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from poh_holdmetrics.version import __version__

if TYPE_CHECKING:
    from poh_holdmetrics.calculator import ExactScore, calculate_score, merge_overlaps, score_exact
    from poh_holdmetrics.data_models import HoldEvent, HoldStat, Transfer
    from poh_holdmetrics.errors import HoldMetricsError, Refused
    from poh_holdmetrics.pipeline.definition import Pipeline
    from poh_holdmetrics.scheduler import AsyncScheduler
    from poh_holdmetrics.tracker import AsyncTracker, HoldSnapshot

__all__ = [
    "AsyncScheduler",
    "AsyncTracker",
    "ExactScore",
    "HoldEvent",
    "HoldMetricsError",
    "HoldSnapshot",
    "HoldStat",
    "Pipeline",
    "Refused",
    "Transfer",
    "__version__",
    "calculate_score",
    "merge_overlaps",
    "score_exact",
]

_HOMES = {
    "AsyncScheduler": "scheduler",
    "AsyncTracker": "tracker",
    "ExactScore": "calculator",
    "HoldEvent": "data_models",
    "HoldMetricsError": "errors",
    "HoldSnapshot": "tracker",
    "HoldStat": "data_models",
    "Pipeline": "pipeline.definition",
    "Refused": "errors",
    "Transfer": "data_models",
    "calculate_score": "calculator",
    "merge_overlaps": "calculator",
    "score_exact": "calculator",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Exact hold scores: how much was held, for how long, by whom.

The public names below are imported on first use, so that importing the package costs next to nothing.
Start with `score` for a data frame or a file, `HoldEvent` and `calculate_score` for a list of events,
`AsyncTracker` for a stream of them, `HoldClient` to talk to a running service;
`python -m poh_holdmetrics score FILE` scores a file.

The package alone keeps events in memory or in a `storage`, reads JSONL and CSV, and serves from memory
(`app_holdmetrics`): the durable service is the binary `main_holdmetrics`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.lazy_names import lazy_names
from poh_holdmetrics.version import __version__

if TYPE_CHECKING:
    from poh_holdmetrics.calculator import ExactScore, calculate_score, merge_overlaps, score_exact
    from poh_holdmetrics.client.async_client import AsyncHoldClient
    from poh_holdmetrics.client.sync_client import HoldClient
    from poh_holdmetrics.data_models import HoldEvent, HoldStat, Transfer
    from poh_holdmetrics.errors import HoldMetricsError, Refused
    from poh_holdmetrics.frames.result import HoldScores
    from poh_holdmetrics.frames.scoring import score
    from poh_holdmetrics.hold_warnings import DataWarning
    from poh_holdmetrics.pipeline.definition import Pipeline
    from poh_holdmetrics.row_mapping import RowMapping
    from poh_holdmetrics.scheduler import AsyncScheduler
    from poh_holdmetrics.tracker import AsyncTracker, HoldSnapshot

__all__ = [
    "AsyncHoldClient",
    "AsyncScheduler",
    "AsyncTracker",
    "DataWarning",
    "ExactScore",
    "HoldClient",
    "HoldEvent",
    "HoldMetricsError",
    "HoldScores",
    "HoldSnapshot",
    "HoldStat",
    "Pipeline",
    "Refused",
    "RowMapping",
    "Transfer",
    "__version__",
    "calculate_score",
    "merge_overlaps",
    "score",
    "score_exact",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AsyncHoldClient": "poh_holdmetrics.client.async_client",
        "AsyncScheduler": "poh_holdmetrics.scheduler",
        "AsyncTracker": "poh_holdmetrics.tracker",
        "DataWarning": "poh_holdmetrics.hold_warnings",
        "ExactScore": "poh_holdmetrics.calculator",
        "HoldClient": "poh_holdmetrics.client.sync_client",
        "HoldEvent": "poh_holdmetrics.data_models",
        "HoldMetricsError": "poh_holdmetrics.errors",
        "HoldScores": "poh_holdmetrics.frames.result",
        "HoldSnapshot": "poh_holdmetrics.tracker",
        "HoldStat": "poh_holdmetrics.data_models",
        "Pipeline": "poh_holdmetrics.pipeline.definition",
        "Refused": "poh_holdmetrics.errors",
        "RowMapping": "poh_holdmetrics.row_mapping",
        "Transfer": "poh_holdmetrics.data_models",
        "calculate_score": "poh_holdmetrics.calculator",
        "merge_overlaps": "poh_holdmetrics.calculator",
        "score": "poh_holdmetrics.frames.scoring",
        "score_exact": "poh_holdmetrics.calculator",
    },
)

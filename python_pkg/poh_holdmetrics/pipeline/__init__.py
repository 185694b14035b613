"""Pipelines: an operator's functions over acknowledged events, the same in service, tests and plain Python.

`Pipeline` is where a file begins (`definition`), `Batch`, `HoldEvent` and `Context` are what its handlers are
given. The names below are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.lazy_names import lazy_names

if TYPE_CHECKING:
    from poh_holdmetrics.data_models import HoldEvent, Transfer
    from poh_holdmetrics.pipeline.context import Context
    from poh_holdmetrics.pipeline.definition import Pipeline
    from poh_holdmetrics.pipeline.port import Batch
    from poh_holdmetrics.policies.segments import Segments

__all__ = ["Batch", "Context", "HoldEvent", "Pipeline", "Segments", "Transfer"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Batch": "poh_holdmetrics.pipeline.port",
        "Context": "poh_holdmetrics.pipeline.context",
        "HoldEvent": "poh_holdmetrics.data_models",
        "Pipeline": "poh_holdmetrics.pipeline.definition",
        "Segments": "poh_holdmetrics.policies.segments",
        "Transfer": "poh_holdmetrics.data_models",
    },
)

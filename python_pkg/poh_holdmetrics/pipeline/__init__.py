"""Pipelines: an operator's functions over acknowledged events, the same in service, tests and plain Python.

`Pipeline` is where a file begins (`definition`), `Batch`, `HoldEvent` and `Context` are what its handlers are
given. The names below are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poh_holdmetrics.data_models import HoldEvent, Transfer
    from poh_holdmetrics.pipeline.context import Context
    from poh_holdmetrics.pipeline.definition import Pipeline
    from poh_holdmetrics.pipeline.port import Batch
    from poh_holdmetrics.policies.segments import Segments

__all__ = ["Batch", "Context", "HoldEvent", "Pipeline", "Segments", "Transfer"]

_HOMES = {
    "Batch": "pipeline.port",
    "Context": "pipeline.context",
    "HoldEvent": "data_models",
    "Pipeline": "pipeline.definition",
    "Segments": "policies.segments",
    "Transfer": "data_models",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"poh_holdmetrics.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

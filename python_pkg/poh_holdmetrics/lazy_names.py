"""Public names of a package that are imported on first use, so that importing it costs next to nothing.

    __getattr__, __dir__ = lazy_names(__name__, {"HoldEvent": "poh_holdmetrics.data_models"})

The package lists the same names under `TYPE_CHECKING` for type checkers, and in `__all__`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package; `homes` maps each name to the module that has it."""

    def get(name: str) -> object:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(home), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names

"""Optional libraries, imported when first needed; a sentence names the extra if one is missing.

Only import failures are handled here; nothing is installed.
"""

from __future__ import annotations

import importlib
from typing import Any


def library(module: str, purpose: str, extra: str) -> Any:
    """The module, or `ImportError` that says what it is needed for and what to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        package = module.partition(".")[0]
        if missing.name != package:
            raise
        raise ImportError(
            f"{purpose} needs {package}, which is not installed; run pip install 'poh-holdmetrics[{extra}]'"
        ) from missing


def pyarrow() -> Any:
    """pyarrow, which reads every frame and makes every table."""
    return library("pyarrow", "a data frame", "frames")

"""The paths of the checkout, of the benchmark's virtual environment, of the cache and of the binary.

Looks up and checks; creates and downloads nothing (`make bench` creates the virtual environment).
"""

from __future__ import annotations

import os
from pathlib import Path

PEERS = Path(__file__).resolve().parent.parent
CHECKOUT = PEERS.parent.parent
WORKERS = PEERS / "workers"
PYTHON_PACKAGE = CHECKOUT / "python_pkg"
VENV = PEERS / ".venv"


class Unusable(Exception):
    """Something that the run needs is missing; the text is one sentence that names the cure."""


def cache_folder() -> Path:
    """The default folder of generated inputs and raw samples, outside the checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "holdmetrics" / "peers"


def binary(given: Path | None) -> Path:
    """The `main_holdmetrics` to measure; raises `Unusable` if it is not built."""
    path = (given or CHECKOUT / "target" / "release" / "main_holdmetrics").resolve()
    if not path.is_file():
        raise Unusable(f"no binary at {path}: build it with `make build`, or name it with --binary")
    return path


def venv_python() -> Path:
    """The interpreter that runs the workers; raises `Unusable` if there is none."""
    path = VENV / "bin" / "python"
    if not path.is_file():
        raise Unusable(
            f"no Python at {path}: `make bench` creates it, or `python3.12 -m venv {VENV}` and "
            f"`{path} -m pip install -r {PEERS / 'requirements.txt'}`"
        )
    return path

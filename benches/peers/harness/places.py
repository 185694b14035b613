"""Where things lie: the checkout, the virtual environment of the benchmark, the cache, the binary.

Looks up and checks; makes and downloads nothing (`make bench` makes the virtual environment).
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
    """Something that the run needs is not there; the text is one sentence with the cure in it."""


def cache_folder() -> Path:
    """The default home of generated inputs and raw samples, outside the checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "holdmetrics" / "peers"


def binary(given: Path | None) -> Path:
    """The `main_holdmetrics` to measure; raises `Unusable` where it is not built."""
    path = (given or CHECKOUT / "target" / "release" / "main_holdmetrics").resolve()
    if not path.is_file():
        raise Unusable(f"no binary at {path}: build it with `make build`, or name it with --binary")
    return path


def venv_python() -> Path:
    """The interpreter that runs the workers; raises `Unusable` where there is none."""
    path = VENV / "bin" / "python"
    if not path.is_file():
        raise Unusable(
            f"no Python at {path}: `make bench` makes it, or `python3.12 -m venv {VENV}` and "
            f"`{path} -m pip install -r {PEERS / 'requirements.txt'}`"
        )
    return path

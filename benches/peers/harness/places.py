"""Where things lie: the checkout, the virtual environment of the benchmark, the cache, the binary.

Looks up and checks, and makes the virtual environment when asked. Downloads nothing by itself otherwise.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).resolve().parent.parent
CHECKOUT = PEERS.parent.parent
WORKERS = PEERS / "workers"
VENV = PEERS / ".venv"
REQUIREMENTS = PEERS / "requirements.txt"
PYTHON_OLDEST = (3, 12)


class Unusable(Exception):
    """Something that the run needs is not there; the text is one sentence with the cure in it."""


def cache_folder() -> Path:
    """The default home of generated inputs and raw samples, outside the checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "holdmetrics" / "peers"


def binary(given: Path | None) -> Path:
    """The `main_holdmetrics` to measure; raises `Unusable` where it is not built."""
    name = "main_holdmetrics.exe" if os.name == "nt" else "main_holdmetrics"
    path = (given or CHECKOUT / "target" / "release" / name).resolve()
    if not path.is_file():
        raise Unusable(f"no binary at {path}: build it with `make build`, or name it with --binary")
    return path


def venv_python() -> Path:
    """The interpreter that runs the workers; raises `Unusable` where it was not prepared."""
    path = _python_in(VENV)
    if not path.is_file() or not _stamp().is_file() or _stamp().read_text() != _wanted():
        raise Unusable(
            f"{VENV} is missing or out of date: make it with `python3.12 {PEERS / 'run.py'} --prepare`"
        )
    return path


def prepare_venv() -> None:
    """Make the virtual environment with the running Python, unless it is there and as pinned."""
    if _stamp().is_file() and _stamp().read_text() == _wanted() and _python_in(VENV).is_file():
        return
    if sys.version_info[:2] < PYTHON_OLDEST:
        raise Unusable(
            f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old for the pinned packages: "
            f"run --prepare with Python {PYTHON_OLDEST[0]}.{PYTHON_OLDEST[1]} or later"
        )
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        [str(_python_in(VENV)), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)],
    ):
        if subprocess.run(command, check=False).returncode:
            raise Unusable(f"{VENV} could not be made; `{' '.join(command)}` failed with the lines above")
    _stamp().write_text(_wanted())


def _python_in(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _stamp() -> Path:
    return VENV / "requirements.stamp"


def _wanted() -> str:
    return REQUIREMENTS.read_text(encoding="utf-8")

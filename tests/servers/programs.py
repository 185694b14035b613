"""Finds the programs of real servers, and installs them into the cache folder of the project.

With HOLDMETRICS_CACHE, as in CI, a missing program is installed there, and a test fails if it cannot be.
Without it, as on a user's machine, nothing is installed: a test is skipped with the name of what is missing.
The programs are tools for tests and no part of a package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

_VARIABLE = "HOLDMETRICS_CACHE"


def cache_folder() -> Path:
    """Where installed programs lie."""
    return Path(os.environ.get(_VARIABLE) or Path.home() / ".cache" / "holdmetrics")


def unavailable(reason: str) -> NoReturn:
    """Fail the test where everything should be there, and skip it elsewhere."""
    if os.environ.get(_VARIABLE):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def find_program(
    name: str,
    *,
    variable: str,
    cure: str,
    cached: Path | None = None,
    install: Callable[[], None] | None = None,
    version: str = "--version",
) -> str:
    """The path of a program that runs, which its argument `version` shows.

    `variable` names an environment variable that a user may set to a path. `cached` is where `install` puts
    the program; without them it must be on the PATH. `cure` says how a user gets it.
    """
    if cached is not None and install is not None and os.environ.get(_VARIABLE) and not cached.exists():
        install()
    found = os.environ.get(variable) or (str(cached) if cached and cached.exists() else shutil.which(name))
    if not found:
        unavailable(f"no {name}: {cure}, or set {variable} to its path")
    ended = subprocess.run([found, version], capture_output=True, check=False, text=True)
    if ended.returncode:
        unavailable(f"{found} does not run on this machine: {ended.stderr.strip()[-200:]}")
    return found


def pip_install(folder: Path, requirement: str, *, sha256: str | None = None) -> None:
    """Install one package of PyPI, without its dependencies, into a folder of its own."""
    requirements = folder.with_suffix(".txt")
    requirements.parent.mkdir(parents=True, exist_ok=True)
    requirements.write_text(requirement + (f" --hash=sha256:{sha256}\n" if sha256 else "\n"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    command += ["--require-hashes"] if sha256 else []
    run_installer([*command, "--requirement", str(requirements)])


def run_installer(
    command: Sequence[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> None:
    """Run one command of an installation; the test ends with what it said if it fails."""
    if shutil.which(command[0]) is None:
        unavailable(f"{command[0]} is not installed, which {' '.join(command)} needs")
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        check=False,
        text=True,
    )
    if ended.returncode:
        unavailable(f"{' '.join(command)} failed: {(ended.stderr or ended.stdout).strip()[-500:]}")

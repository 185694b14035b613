"""Runs pip as a child process of the program, and says in one sentence why it failed.

A child, so that whatever it does or dies of, the program that started it decides what becomes current. Knows
nothing of environments.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from poh_holdmetrics.environments.folder import PYTHON, EnvironmentsError

#: Of a virtual environment, the bundle's pip must not see what only it has: a service may run without it.
_START = """
import os, runpy, sys
if sys.prefix != sys.base_prefix and os.path.isdir(os.path.join(sys.base_prefix, "site")):
    sys.path[:] = [each for each in sys.path if not each.startswith(sys.prefix + os.sep)]
    sys.prefix = sys.base_prefix
    sys.exec_prefix = sys.base_exec_prefix
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
#: Settings of pip that would put packages elsewhere.
_ELSEWHERE = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_DRY_RUN", "PIP_REQUIRE_VIRTUALENV")
_CURRENT = "POH_PYTHON_ENVIRONMENT"
_NOT_FOUND = re.compile(r"No matching distribution found for (?P<requirement>[^\n]+)")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_UNSUPPORTED = re.compile(r"(?P<wheel>\S+\.whl) is not a supported wheel on this platform")
_HASH = re.compile(r"(?P<name>\S+) .*?Expected sha256 +(?P<expected>\w+).*?Got +(?P<got>\w+)", re.DOTALL)
#: Of what pip says, and what that means here.
_REASONS = {
    "No module named pip": "this Python has no pip: install it beside the other packages of the program",
    "No space left on device": "the disk is full",
    "Hashes are required": "a requirement has no hash: --require-hashes wants one for each, and dependencies",
    "must have their versions pinned": "--require-hashes wants NAME==VERSION --hash=... for each requirement",
}


def pip(words: Sequence[str], *, scratch: Path, find_links: Iterable[str]) -> None:
    """Run pip with `words`; raises `EnvironmentsError` with the reason if it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in {*_ELSEWHERE, _CURRENT}}
    environment["TMPDIR"] = environment["TEMP"] = environment["TMP"] = str(scratch)
    # A user without a home folder has no cache there.
    environment.setdefault("HOME", str(scratch))
    options = ["--disable-pip-version-check", "--no-input", "--no-color", "--progress-bar=off", "--retries=2"]
    command = [sys.executable, "-c", _START, words[0], *options, "--timeout=15", *words[1:]]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if run.returncode:
        raise EnvironmentsError(f"{_reason(run.stderr, find_links)}; nothing was changed")


def this_python() -> str:
    """What wheels must be for, as a sentence names it."""
    return f"Python {PYTHON} on {platform.system()} {platform.machine()}"


def _reason(said: str, find_links: Iterable[str]) -> str:
    for sign, reason in _REASONS.items():
        if sign in said:
            return reason
    if "DO NOT MATCH THE HASHES" in said:
        found = _HASH.search(said.partition("DO NOT MATCH THE HASHES")[2])
        facts = f": expected sha256 {found['expected']}, got {found['got']}" if found else ""
        return f"a file has another hash than the requirements give{facts}"
    if found := _UNSUPPORTED.search(said):
        return (
            f"{Path(found['wheel']).name} is for another Python or system; this program has {this_python()}"
        )
    if found := _NOT_FOUND.search(said):
        return _not_found(found["requirement"].strip(), said, find_links)
    return _last_error(said)


def _not_found(requirement: str, said: str, find_links: Iterable[str]) -> str:
    match = _NAME.match(requirement)
    name = re.sub(r"[-_.]+", "_", match[0] if match else requirement).lower()
    for folder in find_links:
        wheels = sorted(Path(folder).glob("*.whl")) if Path(folder).is_dir() else []
        others = [wheel.name for wheel in wheels if wheel.name.lower().startswith(f"{name}-")]
        if others:
            return (
                f"{requirement}: {folder} has {', '.join(others)}, which does not fit {this_python()}, "
                "or has another version"
            )
    if "Retrying (" in said:
        return (
            f"{requirement}: the index cannot be reached; use --no-index --find-links DIR without a network"
        )
    return f"{requirement}: no wheel for {this_python()} was found"


def _last_error(said: str) -> str:
    lines = [line.removeprefix("ERROR: ").strip() for line in said.splitlines() if line.startswith("ERROR: ")]
    others = [line.strip() for line in said.splitlines() if line.strip()]
    return (lines or others or ["pip has failed without a word"])[-1].rstrip(".")

"""Asks and debugs a process with the remote debugging of Python 3.14, from the same version.

`sys.remote_exec` lets the thread that owns the interpreter run a file between two lines of Python. A thread
that is inside code of C runs it later; `stacks` needs no such line.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.attachment.target import TargetError

if TYPE_CHECKING:
    from poh_holdmetrics.attachment.target import Target

_WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.01
_TEMPORARY = "/tmp"  # noqa: S108 - a folder of its own is made in it


def report(target: Target) -> dict[str, Any]:
    """What `report.write` says in that process; raises `TargetError`."""
    target.same_python()
    with _shared_folder(target) as (ours, theirs):
        script, answer = ours / "script.py", ours / "report.json"
        module = f"{__package__}.report"
        _replace(script, f"from {module} import write\nwrite({str(theirs / answer.name)!r})\n")
        _execute(target, theirs / script.name)
        end = time.monotonic() + _WAIT_SECONDS
        while not answer.exists():
            if time.monotonic() > end:
                # It is run all the same, when that thread is back in Python: then it only cleans up.
                _replace(script, f"import shutil\nshutil.rmtree({str(theirs)!r})\n")
                raise _UnansweredError(
                    f"process {target.pid} came to no line of Python within {_WAIT_SECONDS:.0f} s: py stack "
                    f"{target.pid} shows in which call it is"
                )
            time.sleep(_POLL_SECONDS)
        found: dict[str, Any] = json.loads(answer.read_text("utf-8"))
        return found


def debug(target: Target) -> None:
    """Run pdb in the process, until the user leaves it; raises `TargetError`."""
    target.same_python()
    if not _has_our_files(target):
        raise TargetError(
            f"process {target.pid} sees another {_TEMPORARY} (a container, or PrivateTmp of systemd): enter "
            f"it first, with nsenter --target {target.pid} --mount --pid"
        )
    print(
        f"All of Python in process {target.pid} stands still at each prompt; a service ends itself after "
        "pipelines.fatal_limit. c goes on, Ctrl-C stops it again, q leaves it running.",
        file=sys.stderr,
    )
    with _refusals(target):
        # Later than the message: pdb takes the terminal.
        importlib.import_module("pdb").attach(target.pid)


class _UnansweredError(TargetError):
    """The process has not run the script yet."""


def _execute(target: Target, script: Path) -> None:
    with _refusals(target):
        # Since 3.14; mypy reads the oldest version that is supported.
        vars(sys)["remote_exec"](target.pid, str(script))


@contextlib.contextmanager
def _refusals(target: Target) -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise target.untraceable() from None
    except (OSError, RuntimeError) as error:
        # A number below zero is one of the resolver, in the socket that pdb opens.
        if isinstance(error, OSError) and (error.errno or 0) < 0:
            cure = "give /etc/hosts the line 127.0.0.1 localhost"
            raise TargetError(f"localhost cannot be resolved, over which pdb talks: {cure}") from None
        raise TargetError(f"process {target.pid}: {error}: has it booted Python, and not ended?") from None


def _has_our_files(target: Target) -> bool:
    try:
        return Path(_TEMPORARY).samefile(f"{target.folder}/root{_TEMPORARY}")
    except OSError:
        return False


@contextlib.contextmanager
def _shared_folder(target: Target) -> Iterator[tuple[Path, Path]]:
    """A temporary folder as we and as the process see it, which may have another root or /tmp."""
    root = "" if _has_our_files(target) else f"{target.folder}/root"
    try:
        ours = Path(tempfile.mkdtemp(prefix="holdmetrics-", dir=root + _TEMPORARY))
        if os.geteuid() == 0:
            os.chown(ours, target.user, -1)
    except PermissionError:
        raise target.untraceable() from None
    except OSError as error:
        raise TargetError(f"{root + _TEMPORARY}: {error.strerror}: process {target.pid} needs it") from None
    keeps = False
    try:
        yield ours, Path(_TEMPORARY) / ours.name
    except _UnansweredError:
        keeps = True
        raise
    finally:
        if not keeps:
            shutil.rmtree(ours, ignore_errors=True)


def _replace(file: Path, text: str) -> None:
    partial = file.with_suffix(".partial")
    partial.write_text(text, "utf-8")
    partial.chmod(0o644)
    partial.replace(file)

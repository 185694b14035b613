"""The stacks of a service, written by itself at a signal, also if a handler never ends.

The service writes into a file in memory at SIGUSR1 (src/host/pipeline/stacks.rs). It is looked for among the
descriptors of the process, because the signal would end a process without it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.attachment.target import TargetError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from poh_holdmetrics.attachment.target import Target

#: As src/host/pipeline/stacks.rs names it.
_FILE = "holdmetrics-stacks"
#: How long the stacks may take, and how often they are looked for.
_WAIT_SECONDS = 4.0
_LOOK_SECONDS = 0.05
#: They have no mark at their end: they are whole if nothing more comes for this long.
_QUIET_SECONDS = 0.4
_THREAD = re.compile(r"^(?P<current>Current thread|Thread) (?P<id>0x[0-9a-f]+)(?: \[(?P<name>.*)\])? \(most")
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+|\?\?\?) in (?P<function>.*)$')


def ask(target: Target) -> str:
    """The stacks of all threads as faulthandler writes them; raises `TargetError`."""
    with _stacks_file(target) as file:
        os.ftruncate(file, 0)
        os.kill(target.pid, signal.SIGUSR1)
        now = changed_at = time.monotonic()
        end = now + _WAIT_SECONDS
        text = b""
        while now < end:
            time.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            before, text = text, os.pread(file, 1 << 20, 0)
            if text != before:
                changed_at = now
            elif text and now - changed_at >= _QUIET_SECONDS:
                return text.decode("utf-8", "replace")
    raise TargetError(f"process {target.pid} has not written its stacks within {_WAIT_SECONDS:.0f} s")


def parsed(text: str) -> dict[str, Any]:
    """The threads with their frames, the innermost first."""
    threads: list[dict[str, Any]] = []
    for line in text.splitlines():
        if thread := _THREAD.match(line):
            threads.append({"id": thread["id"], "name": thread["name"], "frames": []})
        elif threads and (frame := _FRAME.match(line)):
            number = int(frame["line"]) if frame["line"].isdigit() else None
            threads[-1]["frames"].append(
                {"function": frame["function"], "file": frame["file"], "line": number}
            )
    return {"threads": threads}


@contextlib.contextmanager
def _stacks_file(target: Target) -> Iterator[int]:
    try:
        links = list((target.folder / "fd").iterdir())
        found = [link for link in links if _name(link).startswith(f"/memfd:{_FILE}")]
        if not found:
            raise TargetError(
                f"process {target.pid} is not a service with pipelines or stores: SIGUSR1 asks a worker of a "
                "pipeline for its stacks, which are then in the log of its service"
            )
        file = os.open(found[0], os.O_RDWR)
    except PermissionError:
        raise target.untraceable() from None
    except (FileNotFoundError, ProcessLookupError):
        raise TargetError(f"process {target.pid} has ended") from None
    try:
        # One reader at a time.
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _name(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""

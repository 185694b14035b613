"""What a worker process may use, set by itself before it loads the operator's file.

Memory, processor time and processes are limits of the operating system; the parent watches memory and
processes as well (`worker_process`), because some systems do not enforce them: Linux counts no processes of
root. A worker writes no core dump. What ends it with the service is in `guardian`. On Windows, which cannot
import this, its job does both from outside (`windows_child`).
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

_RESERVED_BYTES = 128 << 20


def apply(*, memory_bytes_max: int, processor_seconds_max: float, processes_max: int) -> None:
    """Limit this process; 0 means no limit of processor time."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Address space, of which an interpreter and each thread reserve much more than they use.
    _lower(resource.RLIMIT_AS, _address_space_bytes() + memory_bytes_max + _RESERVED_BYTES)
    if processor_seconds_max:
        _lower(resource.RLIMIT_CPU, max(1, int(processor_seconds_max)))
    _lower(resource.RLIMIT_NPROC, _tasks_of_this_user() + processes_max)


def _lower(what: int, value: int) -> None:
    _, most = resource.getrlimit(what)
    if most != resource.RLIM_INFINITY:
        value = min(value, most)
    # macOS refuses some of them.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(what, (value, value))


def _address_space_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except OSError:
        return 1 << 30
    return pages * resource.getpagesize()


def _tasks_of_this_user() -> int:
    """Threads of all processes of this user, which is what RLIMIT_NPROC counts."""
    tasks = 0
    own = os.getuid()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == own:
                tasks += sum(1 for _ in (folder / "task").iterdir())
    return tasks

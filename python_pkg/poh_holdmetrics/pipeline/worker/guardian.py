"""The guardian of a worker process on Linux: ends all that the worker has started, however the service ends.

The process that the service starts divides in two before it loads anything: the child becomes the worker, the
parent stays as its guardian. Whatever loses its parent below it becomes a child of the guardian, also in a
session of its own, so none escapes. The guardian runs no code of a script. It ends as the worker ended, so
that the service sees one process. When to end a worker is decided in `process`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
#: A child has ended; the service has ended or wants the worker ended; the service wants the worker's stacks.
_SIGNALS = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1})


def divide(service: int, descriptors: Iterable[int]) -> None:
    """Return in the worker alone, whose guardian never returns; elsewhere than on Linux in this process.

    `service` is the id of the process that has started this one; the guardian closes `descriptors`.
    """
    if sys.platform != "linux":
        return
    # Signals that arrive before the guardian waits for them stay pending.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _die_with(service, signal.SIGTERM)
    guardian = os.getpid()
    worker = os.fork()
    if worker == 0:
        # A group of its own, so that a signal to all of it does not reach the guardian.
        os.setpgid(0, 0)
        _die_with(guardian, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    for descriptor in descriptors:
        os.close(descriptor)
    _leave_as(_watched(worker))


def processes_below(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have; without zombies."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            # The name of the program stands in parentheses and may contain anything.
            fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(folder.name)] = int(fields[1])
    found: list[int] = []
    level = {pid}
    while level:
        level = {child for child, parent in parents.items() if parent in level}
        found += level
    return found


def _watched(worker: int) -> int:
    """Wait until the worker has ended or must end, and end all below; returns the worker's wait status."""
    while True:
        match signal.sigwait(_SIGNALS):
            case signal.SIGUSR1:
                os.kill(worker, signal.SIGUSR1)
            case signal.SIGTERM:
                break
            case _:
                # Not reaped, so that no other process gets its number before all below has ended.
                info = os.waitid(os.P_PID, worker, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if info is not None:
                    break
                _reap_others(worker)
    return _ended(worker)


def _reap_others(worker: int) -> None:
    """Reap what has lost its parent and ended."""
    for child in children_of(os.getpid()):
        if child != worker:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)


def children_of(pid: int) -> list[int]:
    """The children of a process that has one thread, zombies included."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def _ended(worker: int) -> int:
    """Kill everything below until nothing is left."""
    status = 0
    _kill(-worker)
    while True:
        for each in processes_below(os.getpid()):
            _kill(each)
        try:
            child, ended_so = os.waitpid(-1, 0)
        except ChildProcessError:
            return status
        if child == worker:
            status = ended_so


def _leave_as(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        ended_by = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if ended_by not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(ended_by, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {ended_by})
        os.kill(os.getpid(), ended_by)
    os._exit(os.WEXITSTATUS(status))


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _die_with(parent: int, by: signal.Signals) -> None:
    """Get a signal when the parent, which has this id, ends; if it has ended already, end at once."""
    _prctl(_PR_SET_PDEATHSIG, by)
    if os.getppid() != parent:
        os._exit(0)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)

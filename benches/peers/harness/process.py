"""Runs one program in a fresh process and measures wall time, CPU time and peak memory.

Kills a program that exceeds the time or memory allowed, and reports that instead of raising. POSIX only
(`wait4`). The kernel counts the memory of the parent into the peak of the child that it spawns, so the
harness must stay smaller than anything it measures: it imports only the standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: ru_maxrss counts KiB on Linux and bytes on macOS.
_PEAK_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
_WATCH_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The time and memory after which a program is killed."""

    seconds_max: float
    memory_bytes_max: int


@dataclass(frozen=True, kw_only=True)
class Run:
    """One finished process. `failure` is None if it succeeded, else one clause that says how it failed."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str
    failure: str | None


def run(command: Sequence[str], limits: Limits, environment: Mapping[str, str]) -> Run:
    """Run `command` to its end under `limits`; `environment` is added to the current one."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        watch = _Watch(child.pid, limits)
        watch.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - began
        except BaseException:
            _end(child.pid)
            os.wait4(child.pid, 0)
            raise
        finally:
            watch.stop()
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        return Run(
            seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_bytes=usage.ru_maxrss * _PEAK_UNIT_BYTES,
            output=output.read().decode(errors="replace"),
            failure=watch.verdict or _failure(child.returncode, errors.read().decode(errors="replace")),
        )


def _failure(code: int, errors: str) -> str | None:
    if code == 0:
        return None
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    last = lines[-1][:300] if lines else "no output"
    how = f"ended by signal {-code}" if code < 0 else f"exit {code}"
    return f"{how}: {last}"


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


class _Watch(threading.Thread):
    """Kills one process group when it exceeds a limit; `verdict` then says which."""

    def __init__(self, pid: int, limits: Limits) -> None:
        super().__init__(daemon=True)
        self.verdict: str | None = None
        self._pid = pid
        self._limits = limits
        self._stopped = threading.Event()

    def run(self) -> None:
        deadline = time.monotonic() + self._limits.seconds_max
        while not self._stopped.wait(_WATCH_SECONDS):
            if time.monotonic() > deadline:
                self.verdict = f"killed after {self._limits.seconds_max:g} s, the time allowed"
            elif _resident_bytes(self._pid) > self._limits.memory_bytes_max:
                self.verdict = f"killed at {self._limits.memory_bytes_max / 1e9:.2f} GB, the memory allowed"
            if self.verdict:
                _end(self._pid)
                return

    def stop(self) -> None:
        """Stop watching; returns when the thread has ended."""
        self._stopped.set()
        self.join()


def _resident_bytes(pid: int) -> int:
    """Resident memory now; 0 if /proc does not tell, so that there is no limit."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGESIZE")

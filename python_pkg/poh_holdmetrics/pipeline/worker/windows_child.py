"""A worker process on Windows: in a job object, which limits it and ends all of it with the service.

Its sockets are duplicated for it and named on its standard input, where it waits until it belongs to the
job; its page is memory with a name. The event loop of pipelines watches sockets alone, so that threads read
what it prints.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import struct
import subprocess
import sys
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from ctypes import wintypes
from typing import IO

from poh_holdmetrics.pipeline.worker.link import socket_pairs
from poh_holdmetrics.pipeline.worker.page import WorkerPage

assert sys.platform == "win32"  # noqa: S101 - so that type checks for other systems end here

#: Before each of the two sockets on standard input.
SHARED_LENGTH = struct.Struct("!I")
#: What an interpreter takes without a script.
_RESERVED_BYTES = 128 << 20
_KILLED = 137

_LIMIT_PROCESS_TIME = 0x2
_LIMIT_ACTIVE_PROCESS = 0x8
_LIMIT_JOB_MEMORY = 0x200
_LIMIT_DIE_ON_UNHANDLED_EXCEPTION = 0x400
_LIMIT_KILL_ON_JOB_CLOSE = 0x2000
_EXTENDED_LIMIT_INFORMATION = 9
_TICKS_PER_SECOND = 10_000_000


class _BasicLimits(ctypes.Structure):
    _fields_ = [
        ("process_time", wintypes.LARGE_INTEGER),
        ("job_time", wintypes.LARGE_INTEGER),
        ("flags", wintypes.DWORD),
        ("working_set_min", ctypes.c_size_t),
        ("working_set_max", ctypes.c_size_t),
        ("processes", wintypes.DWORD),
        ("affinity", ctypes.c_size_t),
        ("priority", wintypes.DWORD),
        ("scheduling", wintypes.DWORD),
    ]


class _Limits(ctypes.Structure):
    _fields_ = [
        ("basic", _BasicLimits),
        ("io", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("process_memory_peak", ctypes.c_size_t),
        ("job_memory_peak", ctypes.c_size_t),
    ]


class _Job:
    """A job object; its processes end when it is closed, which the end of this process does too."""

    def __init__(self, memory_bytes_max: int, processor_seconds_max: float, processes_max: int) -> None:
        self._system = system = ctypes.WinDLL("kernel32", use_last_error=True)
        system.CreateJobObjectW.restype = wintypes.HANDLE
        self._handle = wintypes.HANDLE(self._checked(system.CreateJobObjectW(None, None)))
        limits = _Limits()
        limits.basic.flags = (
            _LIMIT_ACTIVE_PROCESS
            | _LIMIT_JOB_MEMORY
            | _LIMIT_DIE_ON_UNHANDLED_EXCEPTION
            | _LIMIT_KILL_ON_JOB_CLOSE
        )
        limits.basic.processes = processes_max + 1
        limits.job_memory = memory_bytes_max + _RESERVED_BYTES
        if processor_seconds_max:
            limits.basic.flags |= _LIMIT_PROCESS_TIME
            limits.basic.process_time = int(processor_seconds_max * _TICKS_PER_SECOND)
        self._checked(
            system.SetInformationJobObject(
                self._handle, _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
            )
        )

    def add(self, process: int) -> None:
        """Let a process, by its handle, belong to the job, and so what it starts."""
        self._checked(self._system.AssignProcessToJobObject(self._handle, wintypes.HANDLE(process)))

    def end(self) -> None:
        """End all its processes."""
        self._system.TerminateJobObject(self._handle, _KILLED)

    def close(self) -> None:
        """Release it, once."""
        self._system.CloseHandle(self._handle)

    def _checked(self, result: int | None) -> int:
        if not result:
            raise ctypes.WinError(ctypes.get_last_error())
        return result


class _Printed:
    """A pipe, read by a thread. What is not read waits in the process."""

    def __init__(self, pipe: IO[bytes], threads: ThreadPoolExecutor) -> None:
        self._pipe = pipe
        self._threads = threads

    async def read(self, count: int) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, os.read, self._pipe.fileno(), count)


class WindowsChild:
    """A `Child` of `process`. Its job limits it."""

    def __init__(self, memory_bytes_max: int, processor_seconds_max: float, processes_max: int) -> None:
        """Start nothing yet."""
        self._page_name = f"Local\\holdmetrics-{uuid.uuid4()}"
        self.page = WorkerPage(self._page_name)
        self._job = _Job(memory_bytes_max, processor_seconds_max, processes_max)
        # Two streams and the end.
        self._threads = ThreadPoolExecutor(max_workers=3, thread_name_prefix="holdmetrics-pipes")
        self._process: subprocess.Popen[bytes] | None = None

    async def start(
        self, module: str, environment: Mapping[str, str]
    ) -> tuple[list[socket.socket], _Printed, _Printed]:
        """Run a module in it; returns our ends of its sockets, and what it prints. Raises `OSError`.

        A coroutine as that of the other systems, where starting takes time.
        """
        # A console of its own, so that Ctrl-C reaches the service alone.
        self._process = process = subprocess.Popen(  # noqa: S603, ASYNC220 - ours; it returns at once
            [sys.executable, "-m", module, str(os.getpid()), self._page_name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            creationflags=subprocess.CREATE_NO_WINDOW,
        )
        assert process.stdin is not None  # noqa: S101 - asked for above
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        with socket_pairs() as pairs:
            try:
                self._job.add(int(process._handle))  # noqa: SLF001 - one of its own would need another right
                with process.stdin as told:
                    for _, theirs in pairs:
                        shared = theirs.share(process.pid)
                        told.write(SHARED_LENGTH.pack(len(shared)) + shared)
            except OSError:
                process.kill()
                raise
        printed = _Printed(process.stdout, self._threads), _Printed(process.stderr, self._threads)
        return [ours for ours, _ in pairs], *printed

    async def wait(self) -> int:
        """Wait for the end of the process, and end what it has started; returns its exit code."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._started().wait)
        finally:
            self.end()

    def ask_for_stacks(self) -> None:
        """Nothing: a worker that hangs writes them by itself, shortly before it is killed."""

    def end(self) -> None:
        """End the process and all that it has started."""
        self._job.end()

    def resident_bytes(self) -> int:
        """0: the job limits memory, and an allocation beyond that fails."""
        return 0

    async def processes(self) -> int:
        """0: the job limits them, and starting one more fails. A coroutine as elsewhere."""
        return 0

    def close(self) -> None:
        """Release what the two processes shared."""
        self.page.close()
        self._job.close()
        for pipe in (self._started().stdout, self._started().stderr):
            if pipe is not None:
                # While a thread reads a pipe, closing it waits for that: not the loop, but another thread.
                self._threads.submit(pipe.close)
        self._threads.shutdown(wait=False)

    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None  # noqa: S101 - `start` comes first
        return self._process

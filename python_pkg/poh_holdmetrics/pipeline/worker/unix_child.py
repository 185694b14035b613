"""A worker process on Linux and macOS: its sockets and its page are descriptors that it inherits.

On Linux it has a `guardian`, which ends all that it has started with it; elsewhere it is a session of its
own, whose processes are killed with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from poh_holdmetrics.pipeline.worker.guardian import children_of, processes_below
from poh_holdmetrics.pipeline.worker.link import socket_pairs
from poh_holdmetrics.pipeline.worker.page import PAGE_BYTES, WorkerPage


class UnixChild:
    """A `Child` of `process`. It limits itself."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._page_file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._page_file.truncate(PAGE_BYTES)
        self.page = WorkerPage(self._page_file.fileno())
        self._process: asyncio.subprocess.Process | None = None

    async def start(
        self, module: str, environment: Mapping[str, str]
    ) -> tuple[list[socket.socket], asyncio.StreamReader, asyncio.StreamReader]:
        """Run a module in it; returns our ends of its sockets, and what it prints. Raises `OSError`."""
        with socket_pairs() as pairs:
            descriptors = [theirs.fileno() for _, theirs in pairs] + [self._page_file.fileno()]
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", module),
                *(str(os.getpid()), *map(str, descriptors)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=descriptors,
                start_new_session=True,
                env=environment,
            )
        assert process.stdout is not None  # noqa: S101 - asked for above
        assert process.stderr is not None  # noqa: S101
        return [ours for ours, _ in pairs], process.stdout, process.stderr

    async def wait(self) -> int:
        """Wait for the end of the process, and end what it has started; returns its exit code."""
        process = self._started()
        try:
            return await process.wait()
        finally:
            # What it has started must neither run on nor hold its output open, even if we are cancelled.
            if process.returncode is None or sys.platform != "linux":
                self.end()

    def ask_for_stacks(self) -> None:
        """Let the process write the stacks of its threads."""
        with contextlib.suppress(ProcessLookupError):
            self._started().send_signal(signal.SIGUSR1)

    def end(self) -> None:
        """Let a guardian end what is below it; without one, kill the session."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "linux":
                os.kill(self._started().pid, signal.SIGTERM)
            else:
                os.killpg(self._started().pid, signal.SIGKILL)

    def resident_bytes(self) -> int:
        """How much memory the process uses; 0 if the system does not tell."""
        try:
            pages = int(Path(f"/proc/{self.page.pid}/statm").read_text("ascii").split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def processes(self) -> int:
        """How many processes there are below; counted only if the worker has started any."""
        guardian = self._started().pid
        if not _has_started_any(guardian, self.page.pid):
            return 0
        return len(await asyncio.to_thread(processes_below, guardian))

    def close(self) -> None:
        """Release what the two processes shared."""
        self.page.close()
        self._page_file.close()

    def _started(self) -> asyncio.subprocess.Process:
        assert self._process is not None  # noqa: S101 - `start` comes first
        return self._process


def _has_started_any(guardian: int, worker: int) -> bool:
    """Whether the worker has started processes; those that have lost their parent are the guardian's."""
    try:
        tasks = [task / "children" for task in Path(f"/proc/{worker}/task").iterdir()]
        return len(children_of(guardian)) > 1 or any(each.read_bytes() for each in tasks)
    except OSError:
        return False

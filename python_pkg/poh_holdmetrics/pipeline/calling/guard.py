"""What protects a process from the handlers that it runs: limits, worker threads, a look at leftovers.

One for a process, shared by the calls of all handlers (`calls`) and closed at its end. Puts `limits`,
`worker_threads` and `strays` together and decides nothing itself.
"""

from __future__ import annotations

import asyncio

from poh_holdmetrics.pipeline.calling.limits import Limits
from poh_holdmetrics.pipeline.calling.strays import TaskOwners, Threads
from poh_holdmetrics.pipeline.calling.worker_threads import WorkerThreads


class Guard:
    """The limits and threads of one event loop."""

    def __init__(
        self, *, soft_seconds: float = 10.0, hard_seconds: float = 30.0, threads_max: int = 4
    ) -> None:
        """The limits of handlers that name none, and the number of blocking calls at a time."""
        self.limits = Limits(soft_seconds=soft_seconds, hard_seconds=hard_seconds)
        self.threads = WorkerThreads(self.limits, threads_max=threads_max)
        self._new_threads = Threads()
        self._owners: TaskOwners | None = None

    def attach(self) -> None:
        """Notice the tasks that handlers start on the running loop; can be repeated."""
        loop = asyncio.get_running_loop()
        if self._owners is None or self._owners.loop is not loop:
            self._owners = TaskOwners(self.limits, loop)

    def new_threads(self) -> list[str]:
        """The names of threads that handlers have started since the last call and that still run."""
        return self._new_threads.new()

    def close(self) -> None:
        """Stop watching, let idle worker threads end, and give the loop its task factory back."""
        if self._owners is not None:
            self._owners.restore()
            self._owners = None
        self.threads.close()
        self.limits.close()

"""What a handler leaves behind when its call has ended: tasks, threads, closed standard streams.

Tasks that a handler starts are its own: their steps have the hard limit, their `sys.exit` ends no loop, and
unloading the handler cancels them. Threads cannot be ended, so they are only noticed. Standard streams that a
script has closed are opened again, because other scripts print as well. Nothing is noticed of callbacks and
subprocesses.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import weakref
from collections.abc import Coroutine
from typing import Any, cast

from poh_holdmetrics.pipeline.calling.limits import Limits
from poh_holdmetrics.pipeline.calling.slots import Watched
from poh_holdmetrics.pipeline.calling.worker_threads import NAME_PREFIX

#: Threads of asyncio's own executor, of this package, and those that Python did not start.
_KNOWN_THREADS = ("asyncio_", NAME_PREFIX, "py-watch", "holdmetrics-", "Dummy-")


class TaskOwners:
    """Knows which handler has started which task of a loop; `restore` gives the loop its factory back."""

    def __init__(self, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self._limits = limits
        self.loop = loop
        self._before = loop.get_task_factory()
        loop.set_task_factory(cast("Any", self._create))  # the stubs differ by version

    def restore(self) -> None:
        """Notice no more tasks."""
        if self.loop.get_task_factory() == self._create:
            self.loop.set_task_factory(self._before)

    def _create(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Future[Any]:
        # A task's steps run under the name of its owner, so this finds the owner of a task's tasks as well.
        owner = self._limits.running()
        if owner is not None and asyncio.iscoroutine(coroutine):
            coroutine = _tended(self._limits, owner, coroutine)
        task: asyncio.Future[Any]
        if self._before is None:
            task = asyncio.Task(coroutine, loop=loop, **options)
        else:
            task = self._before(loop, coroutine, **options)
        if owner is not None and isinstance(task, asyncio.Task):
            owner.tasks.add(task)
            task.add_done_callback(owner.tasks.discard)
        return task


async def _tended(limits: Limits, owner: Watched, coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await limits.drive_unlimited(owner, coroutine)
    except (SystemExit, KeyboardInterrupt) as error:
        # asyncio ends the loop when a task raises one of these.
        raise RuntimeError(f"a task of {owner.label} raised {type(error).__name__}") from error


class Threads:
    """Notices new threads."""

    def __init__(self) -> None:
        self._count = 0
        self._known: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self.new()

    def new(self) -> list[str]:
        """The names of threads that are new since the last call and still run; cheap if there are none."""
        count = threading.active_count()
        if count == self._count:
            return []
        self._count = count
        found = []
        for thread in threading.enumerate():
            if thread not in self._known:
                self._known.add(thread)
                if not thread.name.startswith(_KNOWN_THREADS):
                    found.append(thread.name)
        return found


def reopened_streams() -> list[str]:
    """Open `sys.stdout` and `sys.stderr` again if they were closed; returns the names of those."""
    found = []
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None or not getattr(stream, "closed", False):
            continue
        try:
            fresh = open(  # noqa: SIM115 - it stays open
                descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
            )
        except OSError:
            continue  # The descriptor itself is closed.
        setattr(sys, name, fresh)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is stream:
                handler.stream = fresh
        found.append(f"sys.{name}")
    return found

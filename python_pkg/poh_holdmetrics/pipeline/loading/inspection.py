"""What the interpreter does at the moment: the tasks of the running loop, and the stack of each thread.

For operators who ask why something is slow or stuck; changes nothing.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Iterable

#: Frames of a stack that are shown, the innermost ones.
_FRAMES_MAX = 12
#: Tasks that are listed; more are only counted.
_TASKS_MAX = 500


def inspected() -> dict[str, object]:
    """The tasks and threads as plain values."""
    tasks = sorted(asyncio.all_tasks(), key=lambda task: task.get_name())
    return {
        "task_count": len(tasks),
        "tasks": [_task(task) for task in tasks[:_TASKS_MAX]],
        "threads": _threads(),
    }


def _task(task: asyncio.Task[object]) -> dict[str, object]:
    coroutine = task.get_coro()
    return {
        "name": task.get_name(),
        "coroutine": getattr(coroutine, "__qualname__", type(coroutine).__name__),
        "stack": _lines(
            traceback.FrameSummary(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
            for frame in task.get_stack(limit=_FRAMES_MAX)
        ),
    }


def _threads() -> list[dict[str, object]]:
    names = {thread.ident: thread for thread in threading.enumerate()}
    found = []
    for identity, frame in sys._current_frames().items():  # noqa: SLF001 - the documented way
        thread = names.get(identity)
        stack = traceback.extract_stack(frame)[-_FRAMES_MAX:]
        found.append(
            {
                "name": f"thread {identity}" if thread is None else thread.name,
                "is_daemon": thread is None or thread.daemon,
                "stack": _lines(stack),
            }
        )
    return sorted(found, key=lambda each: str(each["name"]))


def _lines(frames: Iterable[traceback.FrameSummary]) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]

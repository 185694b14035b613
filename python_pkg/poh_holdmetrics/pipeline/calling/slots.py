"""The call that a thread runs now, and the exception that ends it from another thread.

The exception must never reach code outside of the call. Each thread therefore has a slot. A call ends by
setting `is_over`, a plain store that nothing can interrupt. The watcher raises only under the lock of the
slot and if `is_over` is not set. So after the store at most two exceptions can still arrive: one that was
already pending and one of a watcher that had just looked. `Limits.run` therefore settles in up to three
attempts, and clears under the lock what is still pending.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Protocol

_OWN_FOLDER = str(Path(__file__).parent)
#: A call that is so long over its limit in spite of the exceptions is reported as stuck.
STUCK_SECONDS = 1.0

_raise = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.py_object)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)
_clear = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)


class HardLimitExceeded(BaseException):
    """Raised in a handler that is over its hard limit; not an `Exception`, so that few scripts catch it."""

    def __str__(self) -> str:
        return "the call took longer than its limit and was interrupted"


class SoftLimitExceeded(TimeoutError):  # noqa: N818 - named by what happened
    """An asynchronous handler was cancelled at its soft limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the call took longer than {seconds:g} s and was cancelled")


class Watched(Protocol):
    """Whose call it is."""

    @property
    def label(self) -> str:
        """`PIPELINE/HANDLER`."""

    @property
    def tasks(self) -> set[asyncio.Task[Any]]:
        """The tasks that its code has started and that have not ended."""

    @property
    def is_closed(self) -> bool:
        """Whether the handler is unloaded, so that nothing of it may go on."""

    def interrupted(self) -> None:
        """Its call was over the limit; can be repeated. Called by the watcher or at the end of the call."""

    def stuck(self, seconds: float, where: str) -> None:
        """The call does not end; `where` is its stack. Called in the watcher's thread, once a call."""


class Slot:
    """The call that one thread runs now. Written by that thread, read by the watcher."""

    __slots__ = ("began", "is_over", "is_reported", "limit_seconds", "lock", "raised", "thread_id", "watched")

    def __init__(self) -> None:
        self.thread_id = threading.get_ident()
        self.lock = threading.Lock()
        self.is_over = True
        self.began = 0.0
        self.limit_seconds = 0.0
        self.raised = False
        self.is_reported = False
        self.watched: Watched | None = None

    def settle(self) -> None:
        """Clear an exception that is still pending; can be repeated."""
        with self.lock:
            self.watched = None
            if self.raised:
                self.raised = False
                _clear(self.thread_id, None)

    def interrupt(self, now: float) -> bool:
        """Raise in the thread if its call is over the limit; returns whether it is."""
        with self.lock:
            watched = self.watched
            if self.is_over or watched is None:
                return False
            over = now - self.began - self.limit_seconds
            if over < 0:
                return False
            self.raised = True
            _raise(self.thread_id, HardLimitExceeded)
            watched.interrupted()
            is_stuck = over >= STUCK_SECONDS and not self.is_reported
            self.is_reported |= is_stuck
        if is_stuck:
            watched.stuck(now - self.began, _stack(self.thread_id))
        return True


def _stack(thread_id: int) -> str:
    """Where a thread is, innermost call last."""
    frame = sys._current_frames().get(thread_id)  # noqa: SLF001 - the one way to another thread's frame
    if frame is None:
        return ""
    found = [each for each in traceback.extract_stack(frame) if not each.filename.startswith(_OWN_FOLDER)]
    return "".join(traceback.format_list(found[-8:]))

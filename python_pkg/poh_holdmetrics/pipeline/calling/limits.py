"""Time limits of the code of handlers, on the loop and in worker threads.

The soft limit cancels an asynchronous handler (`asyncio.timeout`). The hard limit raises
`HardLimitExceeded` in the thread that runs the handler, again and again if the script swallows it. It ends
Python code; it cannot end `time.sleep` or a long call into C, which is reported as stuck. What a failure
means is decided in `calls`; how the exception is raised is in `slots`, and threads for blocking handlers are
in `worker_threads`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import types
import weakref
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from poh_holdmetrics.pipeline.calling.slots import (
    HardLimitExceeded,
    Slot,
    SoftLimitExceeded,
    Watched,
)

_Value = TypeVar("_Value")

#: How often the exception is raised in a call that is over its limit.
_AGAIN_SECONDS = 0.05
#: How often an asynchronous handler is interrupted at its `await` before it is dropped.
_THROWS_MAX = 10


class Limits:
    """Runs functions and coroutines of handlers within limits."""

    def __init__(
        self,
        *,
        soft_seconds: float = 10.0,
        hard_seconds: float = 30.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`soft_seconds` and `hard_seconds` are the limits of handlers that name none."""
        self.soft_seconds = soft_seconds
        self.hard_seconds = hard_seconds
        self.now = now
        self._slots: dict[int, Slot] = {}
        self._watcher: _Watcher | None = None
        self._starting = threading.Lock()

    def close(self) -> None:
        """Stop watching; a call that still runs is not interrupted any more."""
        with self._starting:
            watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop.set()

    def slot(self) -> Slot:
        """The slot of this thread."""
        found = self._slots.get(threading.get_ident())
        return self._new_slot() if found is None else found

    def slots(self) -> tuple[Slot, ...]:
        """The slots of all threads that have run handlers."""
        return tuple(self._slots.values())

    def running(self) -> Watched | None:
        """Whose code this thread runs now."""
        slot = self._slots.get(threading.get_ident())
        return None if slot is None else slot.watched

    def run(
        self,
        watched: Watched,
        limit_seconds: float | None,
        function: Callable[..., _Value],
        *arguments: object,
    ) -> _Value:
        """Call the function in this thread; raises `HardLimitExceeded` if it was ended at the limit.

        `limit_seconds` None means the hard limit. A call that has ended by itself beyond the limit, before
        the watcher had a turn, keeps its outcome and counts as interrupted.
        """
        slot = self.slot()
        try:
            slot.is_reported = False
            slot.watched = watched
            slot.limit_seconds = self.hard_seconds if limit_seconds is None else limit_seconds
            slot.began = self.now()
            slot.is_over = False
            return function(*arguments)
        finally:
            slot.is_over = True
            try:
                slot.settle()
            except HardLimitExceeded:
                try:
                    slot.settle()
                except HardLimitExceeded:
                    slot.settle()
            if self.now() - slot.began >= slot.limit_seconds:
                watched.interrupted()

    async def drive(
        self, watched: Watched, coroutine: Coroutine[Any, Any, _Value], soft_seconds: float | None = None
    ) -> _Value:
        """Await the coroutine in the current task.

        The hard limit counts for each step between two awaits, because only a step occupies the thread, and
        for the whole: a coroutine that swallows its cancellation is then interrupted at its `await` and
        dropped in the end. Raises `SoftLimitExceeded` or `HardLimitExceeded`.
        """
        try:
            waits_for = self.run(watched, None, coroutine.send, None)
        except StopIteration as done:
            value: _Value = done.value
            return value
        # Only a coroutine that waits needs timers, and most calls do not wait.
        soft = self.soft_seconds if soft_seconds is None else soft_seconds
        hard = max(self.hard_seconds, soft)
        ends_at = asyncio.get_running_loop().time() + hard
        try:
            async with asyncio.timeout(hard), asyncio.timeout(soft) as limit:
                return await self._rest(watched, coroutine, waits_for, ends_at)
        except TimeoutError as error:
            if limit.expired():
                raise SoftLimitExceeded(soft) from error
            raise

    async def drive_unlimited(self, watched: Watched, coroutine: Coroutine[Any, Any, _Value]) -> _Value:
        """Await the coroutine of a task of its own; each step has the hard limit, the whole has none."""
        try:
            waits_for = self.run(watched, None, coroutine.send, None)
        except StopIteration as done:
            value: _Value = done.value
            return value
        return await self._rest(watched, coroutine, waits_for, None)

    @types.coroutine
    def _rest(
        self,
        watched: Watched,
        coroutine: Coroutine[Any, Any, _Value],
        waits_for: object,
        ends_at: float | None,
    ) -> Generator[Any, Any, _Value]:
        """The steps after the first one, each watched."""
        while True:
            is_cancelled = False
            step: Callable[[Any], object] = coroutine.send
            argument: Any = None
            try:
                argument = yield waits_for
            except BaseException as error:  # noqa: BLE001 - it is passed on to the coroutine
                step, argument = coroutine.throw, error
                is_cancelled = isinstance(error, asyncio.CancelledError)
            try:
                waits_for = self.run(watched, None, step, argument)
                if is_cancelled and (watched.is_closed or self._has_passed(ends_at)):
                    self._drop(watched, coroutine)
            except StopIteration as done:
                value: _Value = done.value
                return value
            finally:
                argument = None

    @staticmethod
    def _has_passed(ends_at: float | None) -> bool:
        return ends_at is not None and asyncio.get_running_loop().time() >= ends_at

    def _drop(self, watched: Watched, coroutine: Coroutine[Any, Any, Any]) -> None:
        """End a coroutine that has swallowed its cancellation; nothing runs it any more afterwards."""
        for _ in range(_THROWS_MAX):
            self.run(watched, None, coroutine.throw, HardLimitExceeded())
        frame = getattr(coroutine, "cr_frame", None)
        where = (
            f"{frame.f_code.co_filename}, line {frame.f_lineno}, in {frame.f_code.co_name}" if frame else ""
        )
        # It may ignore GeneratorExit as well.
        with contextlib.suppress(RuntimeError):
            self.run(watched, None, coroutine.close)
        error = HardLimitExceeded()
        error.add_note(f"it swallows its cancellation and was dropped in {where}")
        raise error

    def _new_slot(self) -> Slot:
        slot = self._slots[threading.get_ident()] = Slot()
        with self._starting:
            if self._watcher is None:
                self._watcher = _Watcher(self)
                self._watcher.start()
        return slot


class _Watcher(threading.Thread):
    """Interrupts the calls that are over their limit; ends with its limits."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(name="py-watch", daemon=True)
        self.stop = threading.Event()
        self._limits = weakref.ref(limits)

    def run(self) -> None:
        pause = _AGAIN_SECONDS
        while not self.stop.wait(pause):
            limits = self._limits()
            if limits is None:
                return
            now = limits.now()
            are_over = [slot.interrupt(now) for slot in limits.slots()]
            # Looking rarely is enough for long limits, and leaves the interpreter alone.
            pause = _AGAIN_SECONDS if any(are_over) else min(0.5, max(0.01, limits.hard_seconds / 10))
            del limits

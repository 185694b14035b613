"""A fixed few threads for blocking handlers.

Like an executor, with three differences: the threads are daemons, so that a stuck one does not hold up the
end of the process; a call that does not end at its limit is abandoned, and another thread takes the place
of its thread; a call whose caller is cancelled is interrupted. Limits themselves are in `limits`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any

from poh_holdmetrics.pipeline.calling.limits import Limits
from poh_holdmetrics.pipeline.calling.slots import Watched

#: Threads with these names are not left behind by a handler.
NAME_PREFIX = "py-work"


class StuckCall(Exception):  # noqa: N818 - a state of the call, named as such
    """A blocking call did not end at its limit; `ended` is set when it does."""

    def __init__(self, seconds: float, ended: threading.Event) -> None:
        super().__init__(f"the call has not ended after {seconds:.1f} s; it still runs in its thread")
        self.ended = ended


class _Call:
    """One call; the `Watched` of its thread."""

    def __init__(
        self,
        threads: WorkerThreads,
        watched: Watched,
        limit_seconds: float | None,
        function: Callable[..., object],
        arguments: tuple[object, ...],
    ) -> None:
        self.threads = threads
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.context = contextvars.copy_context()
        self.watched = watched
        self.limit_seconds = limit_seconds
        self.function = function
        self.arguments = arguments
        self.ended = threading.Event()
        self.is_stuck = False

    @property
    def label(self) -> str:
        return self.watched.label

    @property
    def tasks(self) -> set[asyncio.Task[Any]]:
        return self.watched.tasks

    @property
    def is_closed(self) -> bool:
        return self.watched.is_closed

    def interrupted(self) -> None:
        self.watched.interrupted()

    def stuck(self, seconds: float, where: str) -> None:
        if self.threads.lose(self):
            self.watched.stuck(seconds, where)
            self.answer(None, StuckCall(seconds, self.ended))

    def answer(self, value: object, error: BaseException | None) -> None:
        """Pass the result to the loop, if that still runs and nobody has done so before."""
        # If the loop is closed, nobody waits for it.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._answer, value, error)

    def _answer(self, value: object, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result((value, None))
        else:
            # Not set_exception: a future takes no StopIteration, and SystemExit would end the loop.
            self.future.set_result((None, error))


class WorkerThreads:
    """Runs blocking calls, at most `threads_max` at a time without the stuck ones."""

    def __init__(self, limits: Limits, *, threads_max: int = 4) -> None:
        self._limits = limits
        self._threads_max = threads_max
        self._waiting: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._awaited = 0
        self._idle = 0
        self._started = 0

    async def run(
        self,
        watched: Watched,
        limit_seconds: float | None,
        function: Callable[..., object],
        *arguments: object,
    ) -> object:
        """Call the function in a worker thread; raises what it raised, or `StuckCall`."""
        call = _Call(self, watched, limit_seconds, function, arguments)
        self._waiting.put(call)
        with self._lock:
            self._start_if_needed()
        self._awaited += 1
        try:
            value, error = await call.future
        except asyncio.CancelledError:
            self._interrupt(call)
            raise
        finally:
            self._awaited -= 1
        if error is not None:
            raise error
        return value

    @property
    def is_busy(self) -> bool:
        """Whether the loop waits for the end of a call."""
        return self._awaited > 0

    def close(self) -> None:
        """Let idle threads end; one that runs a call ends with it."""
        with self._lock:
            for _ in range(self._threads):
                self._waiting.put(None)

    def lose(self, call: _Call) -> bool:
        """Give the thread of a stuck call up and let another take its place; False if it has just ended."""
        with self._lock:
            if call.ended.is_set():
                return False
            call.is_stuck = True
            self._threads -= 1
            self._start_if_needed()
            return True

    def _start_if_needed(self) -> None:
        if self._idle >= self._waiting.qsize() or self._threads >= self._threads_max:
            return
        self._threads += 1
        self._started += 1
        name = f"{NAME_PREFIX}-{self._started}"
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _interrupt(self, call: _Call) -> None:
        call.limit_seconds = 0.0
        for slot in self._limits.slots():
            with slot.lock:
                if slot.watched is call and not slot.is_over:
                    slot.limit_seconds = 0.0

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            call = self._waiting.get()
            with self._lock:
                self._idle -= 1
            if call is None:
                break
            if call.future.cancelled():
                continue
            value, error = None, None
            try:
                value = call.context.run(
                    self._limits.run, call, call.limit_seconds, call.function, *call.arguments
                )
            except BaseException as raised:  # noqa: BLE001 - whatever a script raises is its caller's result
                error = raised
            with self._lock:
                call.ended.set()
                is_lost = call.is_stuck
            call.answer(value, error)
            del call, value, error
            if is_lost:
                return
        with self._lock:
            self._threads -= 1

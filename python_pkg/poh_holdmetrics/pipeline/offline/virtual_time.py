"""An event loop whose time moves only when told to, so that tests of pipelines never wait for it.

Everything that waits in asyncio is part of it: `asyncio.sleep`, time limits, schedulers. When nothing is
ready, the loop goes on to the next timer that is due before the time that it may reach, or stops. Work in
threads and input from outside take real time, for which it waits.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_Value = TypeVar("_Value")
_Returned = TypeVar("_Returned")

_MICROS = 1_000_000
#: Real time between two looks at work that runs elsewhere, and the longest wait for it.
_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 30.0


class _Selector(selectors.SelectSelector):
    """Calls `idle` when no callback and no file is ready, and nothing works elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.is_busy: Callable[[], bool] = lambda: False
        self.idle: Callable[[float | None], None] = lambda _timeout: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The ready files; waits only for work elsewhere."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.is_busy():
            return super().select(_LOOK_SECONDS)
        self.idle(timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop for one test, used by one thread."""

    def __init__(self, is_busy_elsewhere: Callable[[], bool] = lambda: False) -> None:
        """`is_busy_elsewhere` says whether threads work on something that the loop will be told of."""
        self._now_us = 0
        self._until_us = 0
        self._in_executor = 0
        self._idle_since: float | None = None
        self._is_busy_elsewhere = is_busy_elsewhere
        selector = _Selector()
        super().__init__(selector)
        # asyncio calls a timer that is due before the time plus this, which must be more than the distance of
        # two floats after years.
        self._clock_resolution = 1 / _MICROS
        selector.is_busy, selector.idle = self._is_busy, self._idle
        self._files = selector.get_map
        #: The loop wakes itself by one file.
        self._own_files = len(self._files())

    @property
    def now_us(self) -> int:
        """Microseconds since the loop was made."""
        return self._now_us

    @property
    def waits_for_files(self) -> bool:
        """Whether somebody waits for a socket or a pipe."""
        return len(self._files()) > self._own_files

    def time(self) -> float:
        """The virtual time in seconds."""
        return self._now_us / _MICROS

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., _Returned], *args: Any
    ) -> asyncio.Future[_Returned]:
        """Run in a thread, for whose end the loop waits in real time."""

        def ended(_future: object) -> None:
            self._in_executor -= 1

        future = super().run_in_executor(executor, func, *args)
        self._in_executor += 1
        future.add_done_callback(ended)
        return future

    def advance(self, us: int) -> None:
        """Run until nothing is ready and so much time has passed."""
        self._until_us = self._now_us + us
        self._idle_since = None
        self.run_forever()

    def complete(self, coroutine: Coroutine[Any, Any, _Value], limit_us: int = 60 * _MICROS) -> _Value:
        """Run until the coroutine returns; raises `TimeoutError` if so much time has passed before."""
        task = self.create_task(coroutine)
        task.add_done_callback(lambda _task: self.stop())
        before_us = self._now_us
        self.advance(limit_us)
        self._until_us = self._now_us
        if not task.done():
            task.cancel()
            self.advance(0)
            raise TimeoutError(f"not done after {(self._now_us - before_us) / _MICROS:g} s of virtual time")
        return task.result()

    def _is_busy(self) -> bool:
        """Whether there is something to wait for in real time."""
        if not (self._in_executor or self._is_busy_elsewhere()):
            self._idle_since = None
            return False
        now = time.monotonic()
        if self._idle_since is None:
            self._idle_since = now
        return now - self._idle_since < _PATIENCE_SECONDS

    def _idle(self, timeout: float | None) -> None:
        """Go on to the next timer, or stop."""
        # Rounded up, so that the timer is due then.
        due_us = None if timeout is None else self._now_us + max(1, -int(-timeout * _MICROS // 1))
        if due_us is not None and due_us <= self._until_us:
            self._now_us = due_us
        else:
            self._now_us = self._until_us
            self.stop()

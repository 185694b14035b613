"""Calls one handler, and survives whatever it does.

`HandlerCalls` turns everything that the function of a handler raises (see `invocation`) into a logged and
counted failure; retries, waits while the circuit breaker is open, and disables the handler, as its options
say. Knows no cursor: what a failure means
for events is decided in `runtime` and `delivery`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.errors import excerpt
from poh_holdmetrics.pipeline.calling import strays
from poh_holdmetrics.pipeline.calling.breaker import Backoff, Breaker
from poh_holdmetrics.pipeline.calling.called import DONE, Called, Outcome
from poh_holdmetrics.pipeline.calling.failure_log import FailureLog, traceback_text
from poh_holdmetrics.pipeline.calling.invocation import END, Invocation
from poh_holdmetrics.pipeline.calling.slots import HardLimitExceeded, SoftLimitExceeded
from poh_holdmetrics.pipeline.calling.worker_threads import StuckCall
from poh_holdmetrics.pipeline.context import Context
from poh_holdmetrics.pipeline.handlers import CLOSE

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.calling.guard import Guard
    from poh_holdmetrics.pipeline.handlers import Handler
    from poh_holdmetrics.pipeline.port import Meter

#: Kinds whose functions return nothing.
_RETURN_NOTHING = frozenset({"on_batch", "on_event", "every", "sink"})
#: Kinds that share a cursor with others of their pipeline.
_SHARE_CURSOR = frozenset({"on_batch", "on_event"})
#: How long unloading waits for the tasks of a handler after it has cancelled them.
_CLOSE_SECONDS = 1.0
#: How long it waits until the handler has closed what it holds open.
_RELEASE_SECONDS = 10.0


class HandlerCalls:
    """All calls of one handler of one pipeline."""

    def __init__(
        self,
        pipeline: str,
        handler: Handler,
        meter: Meter,
        guard: Guard,
        clock: Clock,
        *,
        breaker: Breaker | None = None,
        retry_backoff: Backoff | None = None,
    ) -> None:
        """`clock` times back-offs and the limit of the log; time limits run on real time."""
        self.handler = handler
        self.label = f"{pipeline}/{handler.name}"
        self.tasks: set[asyncio.Task[Any]] = set()
        self.is_closed = False
        self._meter = meter
        self._guard = guard
        self._limits = guard.limits
        self._clock = clock
        random = Random(self.label)  # noqa: S311 - spreads retries, guards no secret
        self._breaker = breaker or Breaker(backoff=Backoff(random=random))
        self._retry_backoff = retry_backoff or Backoff(random=random, first_seconds=0.2, longest_seconds=30.0)
        self._log = FailureLog(logging.getLogger(f"pipeline.{pipeline}.{handler.name}"), self.label)
        kind, on_error = handler.kind, handler.options.on_error
        self._passes_over = kind == "before_accept" or (kind in _SHARE_CURSOR and on_error == "log")
        self._invocation = Invocation(handler, self, guard)
        self._running = 0
        self._is_disabled = False
        self._waiting = 0
        self._is_among_many = False
        self._stuck_at = ""
        self._was_interrupted = False
        self._enabled = asyncio.Event()
        self._is_return_noted = False
        self._tasks_noted: set[asyncio.Task[Any]] = set()

    @property
    def is_disabled(self) -> bool:
        """Whether the handler is not called until `enable`."""
        return self._is_disabled

    @property
    def is_waiting(self) -> bool:
        """Whether a call waits for its back-off to pass."""
        return self._waiting > 0

    @property
    def is_backing_off(self) -> bool:
        """Whether its breaker is open: the next call waits."""
        return self._breaker.open_until > 0

    def enable(self) -> None:
        """Call a disabled handler again, and one whose breaker is open at once."""
        self._is_disabled = False
        self._breaker.succeeded()
        self._enabled.set()
        self._meter.state("running")

    async def back_off(self, attempt: int) -> None:
        """Wait before the attempt after this one, if the breaker does not make it wait anyway."""
        if not self._breaker.open_until:
            await self._sleep(self._retry_backoff.seconds(attempt))

    @contextmanager
    def many(self) -> Iterator[None]:
        """Look for what calls leave behind only once, after many of them."""
        self._is_among_many = True
        try:
            yield
        finally:
            self._is_among_many = False
            self._look_for_strays()

    async def call(self, *arguments: object, events: int = 1) -> Called:
        """Call the handler once, or again with back-off if its failures are retried.

        Raises nothing but the cancellation of the caller's own task. While the breaker is open it waits.
        Others would wait for `before_accept`, and for `on_batch` and `on_event` that only log their failures:
        such a call fails at once.
        """
        self._guard.attach()
        # `delivery` retries sinks, because it parks what cannot be delivered.
        is_retried = self.handler.options.on_error == "retry" and self.handler.kind != "sink"
        retries = self.handler.options.retries if is_retried else 0
        attempt = 1
        while True:
            if self._is_disabled:
                return Called(Outcome.DISABLED)
            if self._breaker.open_until and not await self._waited():
                return Called(Outcome.FAILED)
            called = await self._once(partial(self._invocation.call, arguments), events)
            if called.outcome is not Outcome.FAILED or attempt > retries or self.is_closed:
                return called
            self._meter.count("retried")
            await self.back_off(attempt)
            attempt += 1
            for each in arguments:
                if isinstance(each, Context):
                    each.drop()  # What the failed attempt has emitted and changed.

    async def items(self, *arguments: object) -> AsyncIterator[Any]:
        """The items of a source, a generator function of either kind; ends early if it fails.

        Each item is one watched call. The last thing that it yields is a `Called`, as the outcome.
        """
        self._guard.attach()
        if self._is_disabled:
            yield Called(Outcome.DISABLED)
            return
        if self._breaker.open_until:
            await self._waited()
        called = await self._once(partial(self._invocation.opened, arguments), 0)
        produced = called.value
        try:
            while called.outcome is Outcome.DONE:
                called = await self._once(partial(self._invocation.next, produced), 1)
                if called.value is END:
                    yield DONE
                    return
                if called.outcome is Outcome.DONE:
                    yield called.value
            yield called
        finally:
            closing = self._invocation.closing(produced)
            if closing is not None:
                await self._once(closing, 0)

    async def close(self) -> None:
        """Unload the handler: cancel the tasks that it has left behind, and close what it holds open.

        Says which tasks go on, and what could not be closed.
        """
        self.is_closed = True
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(tuple(self.tasks), timeout=_CLOSE_SECONDS)
        for task in self.tasks:
            self._log.warn("task %s cannot be cancelled", task.get_name())
        close = getattr(self.handler.function, CLOSE, None)
        if inspect.iscoroutinefunction(close):
            await self._release(close)
        self._meter.state("stopped")

    def interrupted(self) -> None:
        """Remember that a call went over its limit, in case that it hides the exception."""
        self._was_interrupted = True

    def stuck(self, seconds: float, where: str) -> None:
        """Name the handler as the one in which a thread is stuck; see `limits`."""
        self._stuck_at = f"stuck for {seconds:.1f} s in {_last_line(where)}"
        self._meter.state("running", self._stuck_at)
        self._log.warn("has run for %.1f s and cannot be interrupted; it is in\n%s", seconds, where.rstrip())

    async def _release(self, close: Callable[[], Coroutine[Any, Any, object]]) -> None:
        closing = asyncio.create_task(close())
        await asyncio.wait({closing}, timeout=_RELEASE_SECONDS)
        if not closing.done():
            closing.cancel()
            self._log.warn("was not closed within %g s", _RELEASE_SECONDS)
        elif not closing.cancelled() and (error := closing.exception()) is not None:
            self._log.warn("was not closed: %s", error)

    async def _once(self, invoke: Callable[[], Awaitable[Any]], events: int) -> Called:
        self._meter.begin()
        self._running += 1
        try:
            value = await invoke()
        except BaseException as error:
            # A script may raise anything, and stops no other.
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                self._meter.end(0)
                raise
            return self._failed(error)
        else:
            self._meter.end(events)
            if self._was_interrupted:
                self._meter.count("timed_out")
                self._log.warn(
                    "took longer than its limit: the exception was swallowed, or a call into C was too long"
                )
            if self._breaker.failures:
                self._breaker.succeeded()
                self._meter.state("running")
            if value is None:
                return DONE
            if self.handler.kind in _RETURN_NOTHING:
                self._note_return(value)
            return Called(Outcome.DONE, value)
        finally:
            self._was_interrupted = False
            self._running -= 1
            if not self._running and not self._is_among_many:
                self._look_for_strays()

    def _failed(self, error: BaseException) -> Called:
        if isinstance(error, HardLimitExceeded | SoftLimitExceeded | StuckCall):
            self._meter.count("timed_out")
        # The text of an exception is the script's code as well.
        text = traceback_text(error, partial(self._limits.run, self, None))
        self._meter.failed(text)
        now = self._clock.now()
        if self.handler.options.on_error == "disable":
            self._is_disabled = True
            self._meter.state("disabled", _last_line(text))
            self._log.failure(now, f"is disabled after a failure\n{text}")
            return Called(Outcome.DISABLED, error=error, reason=text)
        seconds = self._breaker.failed(now)
        if seconds is not None:
            self._enabled.clear()
            detail = f"{self._breaker.failures} failures in a row, the next call in {seconds:.1f} s"
            self._meter.state("backing_off", f"{detail}; {_last_line(text)}")
            self._log.failure(now, f"failed: {detail}\n{text}")
        else:
            self._log.failure(now, f"failed\n{text}")
        return Called(Outcome.FAILED, error=error, reason=text)

    async def _waited(self) -> bool:
        """Wait until the breaker lets a call through; False if others would wait for this handler."""
        if self._passes_over:
            return self._clock.now() >= self._breaker.open_until
        while (seconds := self._breaker.open_until - self._clock.now()) > 0:
            await self._sleep(seconds)
        return True

    async def _sleep(self, seconds: float) -> None:
        """Sleep in the clock's time; `enable` ends it."""
        self._enabled.clear()
        self._waiting += 1
        ways = {
            asyncio.ensure_future(self._clock.sleep_until(self._clock.now() + seconds)),
            asyncio.ensure_future(self._enabled.wait()),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting -= 1
            for way in ways:
                way.cancel()

    def _note_return(self, value: object) -> None:
        if not self._is_return_noted:
            self._is_return_noted = True
            self._log.warn("returned %s, which is ignored; return nothing", excerpt(type(value).__name__))

    def _look_for_strays(self) -> None:
        if self._stuck_at:
            self._stuck_at = ""
            self._meter.state("disabled" if self._is_disabled else "running")
        found = [f"thread {name}" for name in self._guard.new_threads()]
        for task in self.tasks - self._tasks_noted:
            self._tasks_noted.add(task)
            task.add_done_callback(self._stray_ended)
            found.append(f"task {task.get_name()}")
        for stream in strays.reopened_streams():
            self._log.warn("has closed %s; it is open again", stream)
        if found:
            self._meter.count("left_behind", len(found))
            self._log.warn("has left behind: %s", ", ".join(found[:10]))

    def _stray_ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks_noted.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            text = traceback_text(error, partial(self._limits.run, self, None))
            self._log.failure(
                self._clock.now(), f"has left behind task {task.get_name()}, which failed\n{text}"
            )


def _is_cancelled() -> bool:
    """Whether somebody cancels the current task, as against a handler that raised CancelledError itself."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return excerpt(lines[-1].strip()) if lines else ""

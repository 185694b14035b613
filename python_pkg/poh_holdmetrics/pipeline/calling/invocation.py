"""Runs the function of a handler, whatever kind it has: `def` or `async def`, blocking, a generator of items.

It is run on the loop or in a worker thread, within the limits. What the function raises is passed on; what
that means is decided in `calls`.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.pipeline.calling.called import NonsenseReturned, StillRunning
from poh_holdmetrics.pipeline.calling.worker_threads import StuckCall

if TYPE_CHECKING:
    import threading

    from poh_holdmetrics.pipeline.calling.guard import Guard
    from poh_holdmetrics.pipeline.calling.slots import Watched
    from poh_holdmetrics.pipeline.handlers import Handler

#: The item after the last one.
END = object()


class Invocation:
    """The function of one handler."""

    def __init__(self, handler: Handler, watched: Watched, guard: Guard) -> None:
        """`watched` is told when the function goes over its limit."""
        self._handler = handler
        self._watched = watched
        self._guard = guard
        self._limits = guard.limits
        self._is_async = inspect.iscoroutinefunction(handler.function)
        self._lost: threading.Event | None = None

    async def call(self, arguments: tuple[object, ...]) -> Any:
        """What the function returns; a coroutine is awaited."""
        options, function = self._handler.options, self._handler.function
        if options.blocking:
            value = await self._in_thread(function, arguments)
        elif self._is_async:
            return await self._limits.drive(self._watched, function(*arguments), options.timeout_seconds)
        else:
            value = self._limits.run(self._watched, options.timeout_seconds, function, *arguments)
        if value is None:
            return None
        if inspect.isgenerator(value) or inspect.isasyncgen(value):
            raise NonsenseReturned(
                f"{self._handler.kind} returned a generator, so that its code never ran; remove its yield"
            )
        if inspect.isawaitable(value):
            if options.blocking:
                if inspect.iscoroutine(value):
                    value.close()
                raise NonsenseReturned("a blocking handler returned a coroutine; remove blocking=True")
            return await self._limits.drive(self._watched, _awaited(value), options.timeout_seconds)
        return value

    async def _in_thread(self, function: Callable[..., object], arguments: tuple[object, ...]) -> object:
        if self._lost is not None:
            if not self._lost.is_set():
                raise StillRunning
            self._lost = None
        try:
            return await self._guard.threads.run(
                self._watched, self._handler.options.timeout_seconds, function, *arguments
            )
        except StuckCall as stuck:
            self._lost = stuck.ended
            raise

    async def opened(self, arguments: tuple[object, ...]) -> Any:
        """The iterator of a generator function of either kind."""
        produced = self._limits.run(self._watched, None, self._handler.function, *arguments)
        if inspect.isawaitable(produced):
            produced = await self._limits.drive(
                self._watched, _awaited(produced), self._handler.options.timeout_seconds
            )
        if isinstance(produced, AsyncIterator):
            return produced
        return self._limits.run(self._watched, None, iter, produced)

    async def next(self, produced: AsyncIterator[Any] | Iterator[Any]) -> Any:
        """The next item; `END` if there are no more."""
        options = self._handler.options
        if isinstance(produced, AsyncIterator):
            # The pair keeps StopAsyncIteration apart from one that the handler lets escape.
            return await self._limits.drive(self._watched, _anext(produced), options.timeout_seconds)
        if options.blocking:
            return await self._in_thread(next, (produced, END))
        return self._limits.run(self._watched, options.timeout_seconds, next, produced, END)

    def closing(self, produced: object) -> Callable[[], Awaitable[Any]] | None:
        """What lets a generator that is not read to its end clean up; None if it needs nothing."""
        timeout_seconds = self._handler.options.timeout_seconds
        if inspect.isasyncgen(produced) and produced.ag_frame is not None:
            return partial(self._limits.drive, self._watched, _awaited(produced.aclose()), timeout_seconds)
        if inspect.isgenerator(produced) and produced.gi_frame is not None:
            if self._handler.options.blocking:
                return partial(self._in_thread, produced.close, ())
            return partial(self._close_here, produced)
        return None

    async def _close_here(self, produced: Generator[Any, Any, Any]) -> None:
        """A coroutine, as closing in a thread is."""
        self._limits.run(self._watched, self._handler.options.timeout_seconds, produced.close)


async def _awaited(value: Any) -> Any:
    return await value


async def _anext(produced: AsyncIterator[Any]) -> Any:
    return await anext(produced, END)

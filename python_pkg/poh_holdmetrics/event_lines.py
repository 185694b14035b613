"""Events as JSON lines from an open file, usually standard input, recorded into a tracker as they arrive.

A daemon thread reads: a thread can read a file, a pipe and a terminal alike, and a daemon one that waits for
input does not keep the process from ending. It passes one chunk at a time, so input is not read faster than
it is recorded. Refused lines are logged, counted and change nothing; parsing is that of `row_reader`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.row_reader import RowReader

if TYPE_CHECKING:
    from poh_holdmetrics.tracker import AsyncTracker
    from poh_holdmetrics.validation import Record

_log = logging.getLogger(__name__)

_CHUNK_BYTES = 64 * 1024
#: A longer line is refused, so that input without an end of line does not fill the memory.
_LINE_BYTES_MAX = 1024 * 1024


class EventLines:
    """Reads lines to the end of the input; `accepted` and `refused` count them."""

    def __init__(self, tracker: AsyncTracker, room: Callable[[], Awaitable[None]], *, name: str) -> None:
        """`room` is awaited before each recording; `name` is that of the input, in messages."""
        self.refused = 0
        self._tracker = tracker
        self._room = room
        self._name = name
        self._records: list[Record] = []
        self._reader = RowReader(self._records.append)
        self._number = 1
        self._partial = b""

    @property
    def accepted(self) -> int:
        """Lines recorded."""
        return self._reader.accepted

    async def read(self, descriptor: int) -> None:
        """Record everything until the end of the input; raises `InputError` if it cannot be read on."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        thread = threading.Thread(
            target=self._read_in_thread, args=(descriptor, loop, ended), name="event lines", daemon=True
        )
        thread.start()
        await ended

    def _read_in_thread(
        self, descriptor: int, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]
    ) -> None:
        problem: Exception | None = None
        try:
            chunk = b"\n"
            while chunk:
                chunk = os.read(descriptor, _CHUNK_BYTES)
                asyncio.run_coroutine_threadsafe(self._take(chunk), loop).result()
        except OSError as error:
            problem = InputError(self._name, f"cannot be read: {error.strerror or error}")
        except (concurrent.futures.CancelledError, RuntimeError):
            return  # The loop has ended.
        except Exception as error:  # noqa: BLE001 - raised again by `read`
            problem = error
        loop.call_soon_threadsafe(_end, ended, problem)

    async def _take(self, chunk: bytes) -> None:
        """Record the lines that are whole; an empty chunk is the end of the input."""
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if not chunk:
            lines, self._partial = [self._partial], b""
        if len(self._partial) > _LINE_BYTES_MAX:
            raise InputError(
                f"{self._name} line {self._number + len(lines)}", f"longer than {_LINE_BYTES_MAX} bytes"
            )
        self._reader.feed_jsonl(lines, self._name, self._number)
        self._number += len(lines)
        for _, line, reason in self._reader.rejected:
            _log.warning("%s line %d is refused: %s", self._name, line, reason)
        self.refused += len(self._reader.rejected)
        self._reader.rejected.clear()
        if self._records:
            await self._room()
            await self._tracker.record_batch([HoldEvent.from_record(record) for record in self._records])
            _log.debug("%d events recorded from %s.", len(self._records), self._name)
            self._records.clear()


def _end(ended: asyncio.Future[None], problem: Exception | None) -> None:
    if ended.done():
        return
    if problem is None:
        ended.set_result(None)
    else:
        ended.set_exception(problem)

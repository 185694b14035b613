"""Feeds the lines of a stream to a batcher, and knows through which line everything is stored.

A thread reads the stream, so that a terminal or a pipe without data stops nothing else. A line that is
refused goes to `on_refused`, and the rest goes on. Prints nothing; see `cli`.
"""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import TypeAdapter, ValidationError

from poh_batcher.errors import BatcherError, excerpt

if TYPE_CHECKING:
    from poh_batcher.batcher import AsyncBatcher

_CHUNK_BYTES = 256 * 1024
#: Chunks that are read ahead.
_CHUNKS_MAX = 4


@dataclass(frozen=True, kw_only=True)
class RefusedLine:
    """A line that is not in a batch: its number from 1, its bytes, and one sentence."""

    number: int
    line: bytes
    reason: str


class LineFeed:
    """Lines of JSON on their way into a batcher."""

    def __init__(self, model: TypeAdapter[Any], on_refused: Callable[[RefusedLine], None]) -> None:
        self._model = model
        self._on_refused = on_refused
        self._number = 0
        self.refused = 0
        # Numbers of lines that are in no batch, behind the last stored one.
        self._skipped: deque[int] = deque()
        self._stored_through = 0

    async def feed(self, chunks: AsyncIterator[bytes], batcher: AsyncBatcher) -> None:
        """Enqueue every line; the last one needs no line break."""
        rest = b""
        async for chunk in chunks:
            *complete, rest = (rest + chunk).split(b"\n")
            for line in complete:
                await self._enqueue(line, batcher)
        if rest:
            await self._enqueue(rest, batcher)

    def stored_through(self, stored: int) -> int:
        """The line through which all is stored, after `stored` more items are."""
        for _ in range(stored):
            self._skip()
            self._stored_through += 1
        self._skip()
        return self._stored_through

    def _skip(self) -> None:
        while self._skipped and self._skipped[0] == self._stored_through + 1:
            self._skipped.popleft()
            self._stored_through += 1

    async def _enqueue(self, line: bytes, batcher: AsyncBatcher) -> None:
        self._number += 1
        if not line.strip():
            self._skipped.append(self._number)
            return
        try:
            item = self._model.validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"])) or "line"
            shown = excerpt(line.decode("utf-8", "replace").strip())
            self._skipped.append(self._number)
            self.refused += 1
            reason = f"{field}: {first['msg']}; found {shown}"
            self._on_refused(RefusedLine(number=self._number, line=line, reason=reason))
        else:
            await batcher.enqueue(item)


async def chunks_of(stream: BinaryIO, stopped: asyncio.Event) -> AsyncIterator[bytes]:
    """What a stream holds, up to its end or until `stopped` is set; then up to the last whole line."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes | OSError] = asyncio.Queue(_CHUNKS_MAX)
    read = _reader(stream)

    def run() -> None:
        chunk: bytes | OSError = b"-"
        while chunk and not isinstance(chunk, OSError):
            try:
                chunk = read()
            except OSError as error:
                chunk = error
            try:
                asyncio.run_coroutine_threadsafe(queue.put(chunk), loop).result()
            except RuntimeError:  # The loop has ended, and nobody waits for this chunk.
                return

    threading.Thread(target=run, name="poh-batcher-input", daemon=True).start()
    stop = asyncio.ensure_future(stopped.wait())
    try:
        while True:
            get = asyncio.ensure_future(queue.get())
            await asyncio.wait([get, stop], return_when=asyncio.FIRST_COMPLETED)
            if not get.done():
                get.cancel()
                return
            chunk = get.result()
            if isinstance(chunk, OSError):
                raise BatcherError(f"standard input: {chunk.strerror or chunk}") from chunk
            if not chunk:
                return
            if stopped.is_set():
                # The rest of a line that is cut here would be refused; it was never enqueued.
                yield chunk[: chunk.rfind(b"\n") + 1]
                return
            yield chunk
    finally:
        stop.cancel()


def _reader(stream: BinaryIO) -> Callable[[], bytes]:
    """Reads what is there; by the descriptor, whose lock cannot hold up the end of the process."""
    try:
        descriptor = stream.fileno()
    except (OSError, io.UnsupportedOperation):
        return lambda: stream.read(_CHUNK_BYTES)
    return lambda: os.read(descriptor, _CHUNK_BYTES)

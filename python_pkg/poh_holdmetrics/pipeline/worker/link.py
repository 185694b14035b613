"""Requests, answers and notes between a worker process and its parent, over a stream socket.

A frame is two lengths, a JSON object and raw bytes. Both sides may ask and both answer; notes have no
answer. Nothing that arrives is executed or imported, and lengths are bounded, so that a parent can read
what a damaged worker writes. Which requests there are is in `host_server` (of the worker) and `worker` (of
the parent).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from poh_holdmetrics.errors import HoldMetricsError, InputError, Refused

_log = logging.getLogger(__name__)

_LENGTHS = struct.Struct("!II")
_JSON_BYTES_MAX = 64 << 20
_BODY_BYTES_MAX = 512 << 20
#: Requests of the other side that are answered at a time; more wait in the socket.
_ANSWERING_MAX = 64

Arguments = Mapping[str, Any]
Answer = tuple[Any, bytes]


@contextlib.contextmanager
def socket_pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Two pairs of sockets for a new worker, our ends first; closes its ends, and ours after an `OSError`."""
    pairs = [socket.socketpair() for _ in range(2)]
    try:
        yield pairs
    except OSError:
        for ours, _ in pairs:
            ours.close()
        raise
    finally:
        for _, theirs in pairs:
            theirs.close()


class LinkClosed(HoldMetricsError):  # noqa: N818 - a state of the link, named as such
    """The other process has ended, or has sent something other than a frame."""


class RemoteError(HoldMetricsError):
    """The other process has failed to answer; the text is its own."""

    def __init__(self, text: str, traceback: str = "") -> None:
        """`traceback` is that of the other process."""
        super().__init__(text)
        self.traceback = traceback


class Peer(Protocol):
    """What answers the other side."""

    async def answer(self, method: str, arguments: Arguments, body: bytes) -> Answer:
        """The answer to a request: a JSON value and bytes."""

    def noted(self, method: str, arguments: Arguments) -> None:
        """A note has arrived."""


class Link:
    """One end of the socket. `run` reads until the other end closes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> None:
        self._reader = reader
        self._writer = writer
        self._peer = peer
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(_ANSWERING_MAX)
        self._is_closed = False

    @classmethod
    async def over(cls, end: socket.socket, peer: Peer) -> Link:
        """A link over a connected socket, which it closes at its end."""
        end.settimeout(0)
        reader, writer = await asyncio.open_connection(sock=end)
        return cls(reader, writer, peer)

    @property
    def unsent_bytes(self) -> int:
        """How many bytes wait to be sent."""
        return self._writer.transport.get_write_buffer_size()

    async def run(self) -> None:
        """Read frames until the other end closes; raises `LinkClosed` if it sends something else."""
        try:
            while True:
                try:
                    lengths = _LENGTHS.unpack(await self._reader.readexactly(_LENGTHS.size))
                    frame = _frame(await self._reader.readexactly(_checked(*lengths)))
                    body = await self._reader.readexactly(lengths[1])
                except (asyncio.IncompleteReadError, ConnectionError):
                    return
                await self._take(frame, body)
        finally:
            self.close()

    async def request(self, method: str, arguments: Arguments | None = None, body: bytes = b"") -> Answer:
        """Ask the other side; raises what it raised, as `Refused`, `InputError` or `RemoteError`."""
        if self._is_closed:
            raise LinkClosed("the other process has ended")
        if len(body) > _BODY_BYTES_MAX:
            raise InputError(method, f"{len(body):,} bytes are more than a process can be sent at once")
        number = next(self._numbers)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._write({"ask": number, "method": method, "arguments": arguments or {}}, body)
            await self._drain()
            return await answer
        finally:
            self._asked.pop(number, None)

    def note(self, method: str, arguments: Arguments) -> None:
        """Tell the other side something; nothing happens if it has ended."""
        if not self._is_closed:
            self._write({"note": method, "arguments": arguments})

    def close(self) -> None:
        """Close this end; what is being asked and answered ends."""
        self._is_closed = True
        for answering in self._answering:
            answering.cancel()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(LinkClosed("the other process has ended"))
        self._writer.close()

    async def _take(self, frame: dict[str, Any], body: bytes) -> None:
        if "note" in frame:
            self._peer.noted(str(frame["note"]), _arguments(frame))
        elif "ask" in frame:
            await self._free.acquire()
            answering = asyncio.create_task(self._answer(frame, body), name="answer to a process")
            self._answering.add(answering)
            answering.add_done_callback(self._answered)
        else:
            answer = self._asked.get(frame.get("answer", 0))
            if answer is not None and not answer.done():
                if "error" in frame:
                    answer.set_exception(_error(frame["error"]))
                else:
                    answer.set_result((frame.get("value"), body))

    async def _answer(self, frame: dict[str, Any], body: bytes) -> None:
        try:
            value, own_body = await self._peer.answer(str(frame.get("method")), _arguments(frame), body)
            self._write({"answer": frame["ask"], "value": value}, own_body)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - passed on to who has asked
            self._write({"answer": frame["ask"], "error": _described(error)})
        await self._drain()

    def _answered(self, answering: asyncio.Task[None]) -> None:
        self._answering.discard(answering)
        self._free.release()
        if not answering.cancelled() and (error := answering.exception()) is not None:
            _log.error("An answer to a process cannot be sent.", exc_info=error)

    async def _drain(self) -> None:
        try:
            await self._writer.drain()
        except ConnectionError:
            self.close()

    def _write(self, frame: Mapping[str, Any], body: bytes = b"") -> None:
        if not self._is_closed:
            self._writer.write(packed(frame, body))


class BlockingLink:
    """The asking end for code that cannot await: one request at a time."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(None)
        self._end = end
        self._file = end.makefile("rb")

    def request(self, method: str, arguments: Arguments) -> Any:
        """Ask, and wait for the answer."""
        try:
            self._end.sendall(packed({"ask": 1, "method": method, "arguments": arguments}))
            json_bytes, body_bytes = _LENGTHS.unpack(self._exactly(_LENGTHS.size))
            frame = _frame(self._exactly(json_bytes))
            self._exactly(body_bytes)
        except OSError as error:
            raise LinkClosed("the other process has ended") from error
        if "error" in frame:
            raise _error(frame["error"])
        return frame.get("value")

    def _exactly(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise LinkClosed("the other process has ended")
        return data


def packed(frame: Mapping[str, Any], body: bytes = b"") -> bytes:
    """A frame as bytes."""
    text = json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")
    return _LENGTHS.pack(len(text), len(body)) + text + body


def _checked(json_bytes: int, body_bytes: int) -> int:
    if json_bytes > _JSON_BYTES_MAX or body_bytes > _BODY_BYTES_MAX:
        raise LinkClosed(f"the other process sends a frame of {json_bytes} and {body_bytes} bytes")
    return json_bytes


def _frame(text: bytes) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LinkClosed("the other process sends something other than a frame") from error
    if not isinstance(frame, dict):
        raise LinkClosed("the other process sends something other than a frame")
    return frame


def _arguments(frame: dict[str, Any]) -> Arguments:
    arguments = frame.get("arguments")
    return arguments if isinstance(arguments, dict) else {}


def _described(error: Exception) -> dict[str, str]:
    if isinstance(error, Refused):
        return {"kind": "refused", "where": error.field, "text": str(error)}
    if isinstance(error, InputError):
        return {"kind": "input", "where": error.where, "text": str(error)}
    text = str(error) if isinstance(error, HoldMetricsError) else f"{type(error).__name__}: {error}"
    return {"kind": "error", "text": text, "traceback": str(getattr(error, "traceback", ""))}


def _error(described: Any) -> HoldMetricsError:
    if not isinstance(described, dict):
        return RemoteError("the other process has failed")
    text, where = str(described.get("text")), str(described.get("where"))
    match described.get("kind"):
        case "refused":
            refused = Refused("", text)
            refused.field = where
            return refused
        case "input":
            return InputError(where, text.removeprefix(f"{where}: "))
        case _:
            return RemoteError(text, str(described.get("traceback") or ""))

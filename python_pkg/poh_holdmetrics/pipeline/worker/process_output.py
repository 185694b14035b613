"""What a worker process prints and logs, in the parent's log: bounded, under the label of the process."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol

_LINES_MAX = 1000
_WINDOW_SECONDS = 60.0
_READ_BYTES = 1 << 16
#: The pause after each read while nothing more is logged.
_FLOOD_SECONDS = 0.005
_LINE_BYTES_MAX = 4096
_LAST_CHARACTERS_MAX = 8192

_LOGGER = logging.getLogger("poh_holdmetrics.pipeline.output")


class Printed(Protocol):
    """What a process prints."""

    async def read(self, count: int, /) -> bytes:
        """Wait for some bytes, at most `count`; nothing at the end."""


class _Budget:
    """A thousand lines a minute; more are counted instead of logged."""

    def __init__(self, label: str, what: str) -> None:
        self._label = label
        self._what = what
        self._began = time.monotonic()
        self._lines = 0

    @property
    def has_room(self) -> bool:
        """Whether lines are logged at present."""
        return self._lines < _LINES_MAX

    def is_left(self) -> bool:
        """Count a line; returns whether it may be logged."""
        now = time.monotonic()
        if now - self._began >= _WINDOW_SECONDS:
            if self._lines > _LINES_MAX:
                left_out = self._lines - _LINES_MAX
                _LOGGER.warning("%s: %d more %s are not logged", self._label, left_out, self._what)
            self._began, self._lines = now, 0
        self._lines += 1
        return self._lines <= _LINES_MAX


class ProcessOutput:
    """The output of one process. What it prints cannot crowd out what it logs."""

    def __init__(self, label: str) -> None:
        self.last = ""
        """The end of what it has written to standard error."""
        self._label = label
        self._printed = _Budget(label, "lines")
        self._logged = _Budget(label, "records")

    async def read(self, stream: Printed, level: int) -> None:
        """Log the lines of a stream until it is closed; a line that is too long is split."""
        rest = b""
        while data := await stream.read(_READ_BYTES):
            if not self._printed.has_room:
                # The loop has better things to do than to read what is not logged.
                await asyncio.sleep(_FLOOD_SECONDS)
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _LINE_BYTES_MAX:
                lines.append(rest)
                rest = b""
            for line in lines:
                self._line(level, line)
        if rest:
            self._line(level, rest)

    def record(self, level: int, logger: str, text: str) -> None:
        """Log a record of the process under its own logger."""
        if self._logged.is_left():
            logging.getLogger(logger).log(level, "%s", text)

    def _line(self, level: int, line: bytes) -> None:
        text = line[:_LINE_BYTES_MAX].decode(errors="replace")
        if level >= logging.WARNING:
            self.last = f"{self.last}{text}\n"[-_LAST_CHARACTERS_MAX:]
        if self._printed.is_left():
            _LOGGER.log(level, "%s: %s", self._label, text)

"""The log of one handler's failures: each with its chained traceback, but only so many a minute.

The others are counted, and the next message says how many there were.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

_WINDOW_SECONDS = 60.0
_FAILURES_MAX = 5
_WARNINGS_MAX = 100
_TEXT_CHARACTERS_MAX = 16_384

_OWN_FOLDER = str(Path(__file__).parent)


class FailureLog:
    """Writes to a logger under the label of a handler."""

    def __init__(self, logger: logging.Logger, label: str) -> None:
        self._logger = logger
        self._label = label
        self._began = float("-inf")
        self._written = 0
        self._left_out = 0
        self._warnings = 0

    def failure(self, now: float, what: str) -> None:
        """Log a failure, if there were few in the last minute."""
        if now - self._began >= _WINDOW_SECONDS:
            self._began = now
            self._written = 0
        if self._written >= _FAILURES_MAX:
            self._left_out += 1
            return
        self._written += 1
        before = f" ({self._left_out} failures before it are not logged)" if self._left_out else ""
        self._left_out = 0
        self._logger.error("%s%s %s", self._label, before, what)

    def warn(self, message: str, *arguments: object) -> None:
        """Log something to be known about the handler, at most a hundred times."""
        self._warnings += 1
        if self._warnings <= _WARNINGS_MAX:
            self._logger.warning(f"%s {message}", self._label, *arguments)  # noqa: G004 - a format of ours


def traceback_text(error: BaseException, run: Callable[..., list[str]]) -> str:
    """The chained traceback without the frames of this package that called the handler.

    `run` calls the formatting function, because `__str__` of the exception is code of the script. The local
    variables of the frames are given free.
    """
    _cut(error)
    try:
        text = "".join(run(traceback.format_exception, error))
    except BaseException as raised:  # noqa: BLE001 - a script's exception may do anything when it is shown
        text = f"{type(error).__name__} (its text cannot be shown: {type(raised).__name__})\n"
    traceback.clear_frames(error.__traceback__)
    if len(text) > _TEXT_CHARACTERS_MAX:
        half = _TEXT_CHARACTERS_MAX // 2
        text = f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
    return text.rstrip()


def _cut(error: BaseException) -> None:
    """Take the leading frames of this folder off the error and off those that it is chained to."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        found: TracebackType | None = current.__traceback__
        while found is not None and found.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
            found = found.tb_next
        if found is not None:
            current.__traceback__ = found
        current = current.__cause__ or current.__context__

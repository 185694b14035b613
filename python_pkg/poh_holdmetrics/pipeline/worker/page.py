"""A few bytes that a worker process and its parent share: a heartbeat, its id, the handler called last.

Written by the worker with plain stores, so that the parent can read them when the worker no longer answers.
"""

from __future__ import annotations

import mmap
import struct
import sys

PAGE_BYTES = 4096
_HEARTBEAT = struct.Struct("=Q")
_HANDLER = struct.Struct("=I")
_HANDLER_AT = 8
_PID = struct.Struct("=I")
_PID_AT = 12


class WorkerPage:
    """The page behind a file descriptor of at least `PAGE_BYTES`, or on Windows one with a name."""

    def __init__(self, shared: int | str) -> None:
        if sys.platform == "win32":
            self._page = mmap.mmap(-1, PAGE_BYTES, tagname=str(shared))
        else:
            self._page = mmap.mmap(int(shared), PAGE_BYTES)

    @property
    def heartbeat(self) -> int:
        """A number that grows as long as the worker's loop runs."""
        return int(_HEARTBEAT.unpack_from(self._page, 0)[0])

    def beat(self) -> None:
        """Let it grow."""
        _HEARTBEAT.pack_into(self._page, 0, self.heartbeat + 1)

    @property
    def handler(self) -> int:
        """The number of the handler that was called last and has not returned; 0 if there is none."""
        return int(_HANDLER.unpack_from(self._page, _HANDLER_AT)[0])

    @handler.setter
    def handler(self, number: int) -> None:
        _HANDLER.pack_into(self._page, _HANDLER_AT, number)

    @property
    def pid(self) -> int:
        """The id of the worker process; 0 until it has begun."""
        return int(_PID.unpack_from(self._page, _PID_AT)[0])

    @pid.setter
    def pid(self, pid: int) -> None:
        _PID.pack_into(self._page, _PID_AT, pid)

    def close(self) -> None:
        """Release the page."""
        self._page.close()

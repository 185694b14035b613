"""Runs inside the process that is looked into: says which tasks and threads it has, and where each is.

`remote` lets the thread that owns the interpreter call `write` between two lines of Python. Changes nothing
and waits for nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

#: Where the standard library is, as its code names its files: a folder, or the zip of a bundle.
_LIBRARY = os.path.dirname(os.path.dirname(asyncio.sleep.__code__.co_filename))  # noqa: PTH120 - in a zip
#: Drives the coroutine of a handler step by step, so that nothing awaits it; see `pipeline.calling.limits`.
_DRIVER = "Limits._rest"
#: Frames of one task or thread.
_FRAMES_MAX = 50


def write(path: str) -> None:
    """Write the report as JSON; the reader sees all of it or nothing."""
    partial = Path(f"{path}.partial")
    partial.write_text(json.dumps({"running": _running()}), "utf-8")
    partial.replace(path)


def _running() -> list[dict[str, Any]]:
    here = _outside(sys._getframe())  # noqa: SLF001 - what a debugger needs
    loop = asyncio._get_running_loop()  # noqa: SLF001 - without an exception if there is none
    current = asyncio.current_task(loop) if loop is not None else None
    found = (
        []
        if loop is None
        else [_of_task(task, here, is_current=task is current) for task in asyncio.all_tasks(loop)]
    )
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():  # noqa: SLF001
        is_here = ident == threading.get_ident()
        if is_here and current is not None:
            continue
        frames = _frames(here if is_here else frame)
        found.append(
            _entry("thread", names.get(ident, str(ident)), "running" if is_here else "waiting", frames)
        )
    return sorted(found, key=lambda each: (each["state"] != "running", each["kind"], each["name"]))


def _outside(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the program itself: neither of this module nor of the script that called it."""
    script = None
    while frame is not None and (frame.f_code.co_filename == __file__ or script is None):
        script = None if frame.f_code.co_filename == __file__ else frame.f_code
        frame = frame.f_back
    return frame


def _of_task(task: asyncio.Task[Any], here: FrameType | None, *, is_current: bool) -> dict[str, Any]:
    if is_current:
        return _entry("task", task.get_name(), "running", _frames(here))
    frames: list[dict[str, Any]] = []
    awaited: Any = task.get_coro()
    while awaited is not None and len(frames) < _FRAMES_MAX:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is None:
            break
        frames.insert(0, _place(frame.f_code, frame.f_lineno))
        driven = frame.f_locals.get("coroutine") if frame.f_code.co_qualname == _DRIVER else None
        awaited = driven or getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return _entry("task", task.get_name(), "waiting", frames)


def _frames(frame: FrameType | None) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    while frame is not None and len(frames) < _FRAMES_MAX:
        frames.append(_place(frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return frames


def _place(code: CodeType, line: int | None) -> dict[str, Any]:
    return {"function": code.co_qualname, "file": code.co_filename, "line": line}


def _entry(kind: str, name: str, state: str, frames: list[dict[str, Any]]) -> dict[str, Any]:
    """`place` is the innermost frame; of what waits, the innermost one outside the standard library."""
    own = [frame for frame in frames if state == "running" or not frame["file"].startswith(_LIBRARY)]
    place = next(iter(own or frames), None)
    return {"kind": kind, "name": name, "state": state, "place": place, "frames": frames}

"""What a process is, before anything is done to it: ours, whose, with which Python, and where its files are.

Reads /proc, so Linux alone. Sends nothing and attaches to nothing.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from poh_holdmetrics.errors import HoldMetricsError

PROGRAM = "main_holdmetrics"
_LIBRARY = re.compile(r"/libpython(3\.\d+)\.so")
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")


class TargetError(HoldMetricsError):
    """A process cannot be looked into; the text says why, and the cure."""


class Target:
    """A running main_holdmetrics with Python inside."""

    def __init__(self, pid: int) -> None:
        """Raises `TargetError` if the process is something else, or belongs to another user."""
        if sys.platform != "linux":
            raise TargetError(
                "processes can be looked into on Linux alone; GET /admin/pipelines works anywhere"
            )
        self.pid = pid
        self.folder = Path(f"/proc/{pid}")
        try:
            self.user = self.folder.stat().st_uid
            if os.geteuid() not in {0, self.user}:
                raise TargetError(
                    f"process {pid} belongs to user {_user_name(self.user)}: run this as that user or as root"
                )
            program = str((self.folder / "exe").readlink()).removesuffix(" (deleted)")
            maps = (self.folder / "maps").read_text("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            raise TargetError(f"no process has the id {pid}") from None
        except PermissionError:
            raise self.untraceable() from None
        library = _LIBRARY.search(maps)
        is_ours = Path(program).name.startswith(PROGRAM) or program == os.path.realpath(sys.executable)
        if not is_ours or library is None:
            raise TargetError(
                f"process {pid} is {program}, and not a {PROGRAM} with Python inside: give the id of one, "
                f"as pgrep {PROGRAM[:15]} prints it"
            )
        self.program = program
        self.python = library[1]

    def untraceable(self) -> TargetError:
        """Why the kernel lets nobody look in."""
        try:
            scope = _YAMA.read_text("ascii").strip()
        except OSError:
            scope = "0"
        cure = (
            f"kernel.yama.ptrace_scope is {scope}: run this as root, or sysctl kernel.yama.ptrace_scope=0"
            if scope != "0"
            else "run this as root, in a container with the capability SYS_PTRACE"
        )
        return TargetError(f"the kernel does not allow tracing of process {self.pid}: {cure}")

    def same_python(self) -> None:
        """Raise `TargetError` unless this program can debug that one remotely."""
        own = f"{sys.version_info.major}.{sys.version_info.minor}"
        if not hasattr(sys, "remote_exec"):
            raise TargetError(
                f"Python 3.14 or newer is needed, and this program has {own}: py stack works with any"
            )
        if self.python != own:
            raise TargetError(
                f"process {self.pid} has Python {self.python} and this program {own}: use {self.program}"
            )


def _user_name(user: int) -> str:
    import pwd  # noqa: PLC0415 - Windows lacks it

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)

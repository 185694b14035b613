"""What lies where in `DATA/python`, and the one file that says which environment is current.

    current               the name of the current environment
    lock                  held while something is changed
    environments/ID/      never changed once it is there: environment.json, pythonX.Y/ with the packages
    incoming-*/           what an installation has not finished

A switch replaces `current` by a rename; an interrupted one leaves the old name. Installs nothing, see
`install`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from poh_holdmetrics.errors import HoldMetricsError, excerpt

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: `X.Y` of the Python that runs this.
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
DESCRIPTION = "environment.json"
_INCOMING = "incoming-"
_NONE = "none"


class EnvironmentsError(HoldMetricsError):
    """Something of an environment cannot be done; the text says why, and that nothing has changed."""


class Environment:
    """One set of installed packages."""

    def __init__(self, folder: Path) -> None:
        """Raises `OSError` or `ValueError` if its description cannot be read."""
        self.folder = folder
        self.description: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        self.id: str = self.description["id"]
        self.python: str = self.description["python"]
        self.created: str = self.description["created"]
        self.packages: list[dict[str, Any]] = self.description["packages"]


class Environments:
    """Those of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        """Touches nothing."""
        self._data_dir = data_dir
        self.folder = data_dir / "python"
        self._made = self.folder / "environments"
        self._current = self.folder / "current"

    def current(self) -> str | None:
        """The name of the current environment."""
        try:
            return self._current.read_text("utf-8").strip()
        except FileNotFoundError:
            return None

    def all(self) -> list[Environment]:
        """All environments, the latest first."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for folder in self._made.iterdir():
                # One that is being removed has no description, or no folder.
                with contextlib.suppress(OSError, ValueError, KeyError):
                    found.append(Environment(folder))
        return sorted(found, key=lambda each: each.created, reverse=True)

    def find(self, start: str) -> Environment:
        """The environment whose name begins so; raises `EnvironmentsError` if it is not exactly one."""
        found = [each for each in self.all() if start and each.id.startswith(start)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(each.id for each in self.all()) or "none"
        problem = "several environments begin so" if found else "unknown environment"
        raise EnvironmentsError(f"{excerpt(start)}: {problem}; known are {known}")

    def use(self, start: str) -> Environment | None:
        """Make an environment the current one, or none of them."""
        if start == _NONE:
            with self.changing():
                self._current.unlink(missing_ok=True)
            return None
        chosen = self.find(start)
        if chosen.python != PYTHON:
            raise EnvironmentsError(
                f"{chosen.id} has packages for Python {chosen.python}, and this program has Python {PYTHON}: "
                "use it with the program that installed it, or run py install again"
            )
        with self.changing():
            self.switch(chosen.id)
        return chosen

    def switch(self, name: str) -> None:
        """Make `name` current, at once or not at all; hold `changing`."""
        partial = self._current.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            file.write(f"{name}\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._current)
        _flush_folder(self.folder)

    def add(self, incoming: Path, name: str) -> Environment:
        """Let a finished folder become the environment `name`; one that is there already stays."""
        target = self._made / name
        self._made.mkdir(exist_ok=True)
        try:
            # Without a description it was left by an interrupted removal.
            return Environment(target)
        except (OSError, ValueError, KeyError):
            shutil.rmtree(target, ignore_errors=True)
        # Everything must be on the disk before its name is.
        if sys.platform != "win32":
            os.sync()
        incoming.rename(target)
        _flush_folder(self._made)
        return Environment(target)

    def remove(self, start: str) -> Environment:
        """Delete an environment; raises `EnvironmentsError` if it is current or in use."""
        chosen = self.find(start)
        with self.changing():
            if chosen.id == self.current():
                raise EnvironmentsError(
                    f"{chosen.id} is current: choose another one with py use, or py use none"
                )
            description = chosen.folder / DESCRIPTION
            with description.open("rb") as file:
                if not _locked(file):
                    raise EnvironmentsError(f"{chosen.id} is used by a running process: end it first")
            # First, so that an interrupted removal leaves nothing that looks whole.
            description.unlink()
            shutil.rmtree(chosen.folder)
        return chosen

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Nobody else changes the folder meanwhile; raises `EnvironmentsError` if someone does."""
        if not self._data_dir.is_dir():
            # As `serve` makes it.
            self._data_dir.mkdir(mode=0o700, parents=True)
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "lock").open("a+b") as file:
            if not _locked(file):
                raise EnvironmentsError(
                    f"{self.folder}: another py command works there; try again when it has ended"
                )
            for left in self.folder.glob(f"{_INCOMING}*"):
                # Of an installation that was killed: nobody else holds the lock.
                shutil.rmtree(left, ignore_errors=True)
            yield

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder for an installation, deleted at the end unless it was renamed; hold `changing`."""
        folder = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _locked(file: IO[bytes]) -> bool:
    """Lock a file as long as it is open; False if another process holds it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _flush_folder(folder: Path) -> None:
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

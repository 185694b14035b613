"""What lies where in `DATA/python`, and the one file that says which environment is current.

    current               the name of the current environment
    lock                  held while something is changed
    environments/ID/      environment.json, pythonX.Y/ with the packages; replaced if damaged
    incoming-*/           what an installation has not finished

A switch replaces `current` by a rename; an interrupted one leaves the old name. Installs nothing, see
`install`.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import json
import os
import secrets
import shutil
import sys
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
_RECORDED = "sha256="


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

    def damage(self) -> str | None:
        """The first file that is not as its wheel recorded it; None if all is well."""
        packages = self.folder / f"python{self.python}"
        records = sorted(packages.glob("*.dist-info/RECORD"))
        if len(records) != len(self.packages):
            return packages.name
        for record in records:
            for name, recorded, _ in csv.reader(record.read_text("utf-8").splitlines()):
                # Commands, which lie elsewhere, and bytecode have no use here, or no hash.
                if name.startswith("..") or not recorded.startswith(_RECORDED):
                    continue
                if _recorded(packages / name) != recorded:
                    return name
        return None


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

    def damage(self, name: str) -> str | None:
        """What of an environment is missing or not as it was installed; None if all is well."""
        try:
            return Environment(self._made / name).damage()
        except (OSError, ValueError, KeyError):
            # An interrupted removal deletes it first.
            return DESCRIPTION

    def add(self, incoming: Path, name: str) -> Environment:
        """Let a finished folder become the environment `name`; one that is there already and whole stays.

        Raises `EnvironmentsError` if a process uses one that is damaged.
        """
        target = self._made / name
        self._made.mkdir(exist_ok=True)
        damage = self.damage(name)
        if damage is None:
            return Environment(target)
        if _is_used(target):
            raise EnvironmentsError(
                f"{name} is damaged ({excerpt(damage)}) and used by a running process: end it, and run "
                "py install again; nothing was changed"
            )
        # Everything must be on the disk before its name is.
        if sys.platform != "win32":
            os.sync()
        if target.exists():
            # Beside it, so that the next command deletes what an interrupted one leaves.
            target.rename(incoming.with_name("replaced"))
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
            if _is_used(chosen.folder):
                raise EnvironmentsError(f"{chosen.id} is used by a running process: end it first")
            # First, so that an interrupted removal leaves nothing that looks whole.
            (chosen.folder / DESCRIPTION).unlink()
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
        folder = self.folder / f"{_INCOMING}{secrets.token_hex(4)}"
        # An interrupt may come at any time: what is made is deleted.
        try:
            folder.mkdir(mode=0o700)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _is_used(environment: Path) -> bool:
    """Whether a process has locked the description, as long as it imports from there."""
    try:
        with (environment / DESCRIPTION).open("rb") as file:
            return not _locked(file)
    except FileNotFoundError:
        return False


def _recorded(file: Path) -> str | None:
    """The hash of a file as a RECORD of a wheel writes it."""
    try:
        digest = hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return None
    return _RECORDED + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


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

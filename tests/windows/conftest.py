"""The program for Windows under Wine, in a prefix of its own.

``HOLDMETRICS_WINDOWS`` names a folder as `scripts/bundle_windows.sh quick` leaves it: ``bundle/`` and
``one.exe``. The processes of a test are ended by their ids, those that are left by the Wine server of the
prefix. What Wine cannot show is named in docs/deploy.md.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(REPOSITORY / "python_pkg"))

#: On a machine with other work, Wine starts slowly.
PATIENCE = 300.0
LISTENING = re.compile(r"listening: grpc=(\S+) http=(\S+)")


def windows_path(path: Path) -> str:
    """The path as Windows names it: Wine shows the root of this machine as drive Z."""
    return "Z:" + str(path).replace("/", "\\")


def unix_path(path: str) -> Path:
    """The opposite."""
    return Path(PureWindowsPath(path.strip()).as_posix().removeprefix("Z:"))


@dataclass
class Said:
    """How a program ended."""

    code: int
    out: str
    log: str


class Wine:
    """A prefix, in which programs run."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(prefix.parent),
            "LANG": "C.UTF-8",
            "WINEPREFIX": str(prefix),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree=;mshtml=;winemenubuilder.exe=",
            "LOG_LEVEL": "info",
        }

    def run(self, program: Path | str, *words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Said:
        """Run a program to its end. Its output is a pipe: Wine's files are not what Python expects."""
        done = subprocess.run(
            ["wine", str(program), *words],
            cwd=cwd,
            env=self.environment | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())

    @contextmanager
    def started(
        self, program: Path | str, *words: str, cwd: Path, env: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A running program in a group of its own, killed if it still runs; its log is in ``log.txt``."""
        process = subprocess.Popen(
            ["wine", str(program), *words],
            cwd=cwd,
            env=self.environment | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        copying = threading.Thread(target=copy, args=(process.stderr, cwd / "log.txt"))
        copying.start()
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(PATIENCE)
            copying.join(PATIENCE)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


@dataclass
class Service:
    """A running service."""

    process: subprocess.Popen[bytes]
    grpc: str
    http: str
    log: Path

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


def copy(stream: IO[bytes] | None, target: Path) -> None:
    """Append what a program writes to a file, until it ends."""
    assert stream is not None
    with target.open("ab", buffering=0) as file:
        while data := os.read(stream.fileno(), 1 << 16):
            file.write(data)


def until(wanted: Callable[[], object], what: str) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} within {PATIENCE:g} s")
        time.sleep(0.05)


@contextmanager
def serving(
    wine: Wine, program: Path, folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> Iterator[Service]:
    """A service over ``data`` in ``folder``, on free ports."""
    arguments = [
        "serve",
        "--data-dir",
        "data",
        "--grpc-addr",
        "127.0.0.1:0",
        "--http-addr",
        "127.0.0.1:0",
        *words,
    ]
    with wine.started(program, *arguments, cwd=folder, env=env) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        found = LISTENING.match(line)
        assert found, f"no addresses in {line!r}: {(folder / 'log.txt').read_text()}"
        yield Service(process, found[1], found[2], folder / "log.txt")


@pytest.fixture(scope="session")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wine]:
    """A new prefix."""
    prefix = tmp_path_factory.mktemp("wine") / "prefix"
    wine = Wine(prefix)
    subprocess.run(
        ["wine", "wineboot", "-i"], env=wine.environment, timeout=PATIENCE, check=True, capture_output=True
    )
    system = prefix / "drive_c" / "windows" / "system32"
    if not (system / "bcryptprimitives.dll").exists():
        # Wine 8 lacks it, and Rust takes random numbers from it.
        compile_library = ["x86_64-w64-mingw32-gcc", "-shared", "-O1", "-s", "-o"]
        compile_library += [
            str(system / "bcryptprimitives.dll"),
            str(HERE / "bcryptprimitives.c"),
            "-ladvapi32",
        ]
        subprocess.run(compile_library, check=True)
    yield wine
    subprocess.run(["wineserver", "-k"], env=wine.environment, timeout=PATIENCE, check=False)


@pytest.fixture(scope="session")
def built() -> Path:
    """What was built."""
    return Path(os.environ["HOLDMETRICS_WINDOWS"])


@pytest.fixture(scope="session")
def program(built: Path) -> Path:
    """The program in its folder."""
    return built / "bundle" / "main_holdmetrics.exe"


@pytest.fixture(scope="session")
def odd_program(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in a folder with blanks and Japanese letters."""
    folder = tmp_path_factory.mktemp("odd") / "保有 スコア 1"
    shutil.copytree(built / "bundle", folder)
    return folder / "main_holdmetrics.exe"

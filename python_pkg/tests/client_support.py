"""What the tests of the client share: services of both kinds, by the addresses of both protocols."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

import pytest

from poh_holdmetrics.api.access import Access
from poh_holdmetrics.api.addresses import Address
from poh_holdmetrics.api.hold_service import HoldService
from poh_holdmetrics.api.tls import Tls
from servers.process import ServerProcess, answers_ok, free_port

for module in ("fastapi", "grpc", "grpc_health", "grpc_reflection", "httpx", "uvicorn"):
    pytest.importorskip(module, reason=f"{module} is not installed (extras client, grpc and http)")

from poh_holdmetrics.api.grpc_server import GrpcServer  # noqa: E402
from poh_holdmetrics.api.http_server import HttpServer  # noqa: E402

BINARY = os.environ.get("HOLDMETRICS_BINARY")
LOOPBACK = Address("127.0.0.1", 0)
PROTOCOLS = ("http", "grpc")
#: Each server with each protocol.
SERVED = [(kind, protocol) for kind in ("python", "binary") for protocol in PROTOCOLS]


@asynccontextmanager
async def python_servers(
    service: HoldService | None = None, *, keys: Path | None = None, tls: Tls | None = None
) -> AsyncIterator[dict[str, str]]:
    """The servers in Python alone, in this process."""
    shared, access = HoldService() if service is None else service, Access(keys)
    end = "s" if tls is not None else ""
    async with (
        GrpcServer(shared, LOOPBACK, access=access, tls=tls, drain_seconds=0.1) as grpc_server,
        HttpServer(shared, LOOPBACK, access=access, tls=tls, drain_seconds=0.1) as http_server,
    ):
        yield {
            "http": f"http{end}://localhost:{http_server.port}",
            "grpc": f"grpc{end}://localhost:{grpc_server.port}",
        }


class Binary:
    """The real service, on ports that it has again after a restart."""

    def __init__(self, folder: Path) -> None:
        if BINARY is None:
            pytest.skip("no main_holdmetrics: HOLDMETRICS_BINARY does not name it")
        self._program = BINARY
        self._folder = folder
        self._ports = {protocol: free_port() for protocol in PROTOCOLS}
        self.urls = {protocol: f"{protocol}://127.0.0.1:{port}" for protocol, port in self._ports.items()}
        self._process = ServerProcess(folder / "log")

    def start(self) -> None:
        command = [self._program, "serve", "--data-dir", str(self._folder / "data")]
        for protocol, port in self._ports.items():
            command += [f"--{protocol}-addr", f"127.0.0.1:{port}"]
        self._process.start(command, lambda: answers_ok(f"{self.urls['http']}/readyz"))

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self._process.end()


@asynccontextmanager
async def addresses(kind: str, folder: Path) -> AsyncIterator[dict[str, str]]:
    """The addresses of a service of this kind."""
    if kind == "python":
        async with python_servers() as urls:
            yield urls
        return
    binary = Binary(folder)
    await asyncio.to_thread(binary.start)
    try:
        yield binary.urls
    finally:
        await asyncio.to_thread(binary.end)


class CuttingProxy:
    """Passes bytes on, and cuts the first connections after some bytes of the request or the answer."""

    def __init__(self, port: int, cuts: list[tuple[int, int]]) -> None:
        """`cuts` has, for each connection to be cut, how many bytes of request and answer pass."""
        self._upstream = port
        self._cuts = cuts
        self._serving: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self.cut = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        self._passing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        # The loop closes aborted connections in its next turns.
        for _turn in range(3):
            await asyncio.sleep(0)

    def silence(self) -> None:
        """Pass nothing more on over the connections that are open, and leave them open."""
        self._passing.clear()
        self._passing = asyncio.Event()
        self._passing.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        # Also of a task that is cancelled before it begins.
        task.add_done_callback(lambda _: writer.transport.abort())
        self._serving.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        request_limit, answer_limit = self._cuts.pop(0) if self._cuts else (None, None)
        passing = [
            asyncio.create_task(_pass(reader, upstream_writer, request_limit, self._passing)),
            asyncio.create_task(_pass(upstream_reader, writer, answer_limit, self._passing)),
        ]
        try:
            done, _ = await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            self.cut += any(task.result() for task in done)
        finally:
            for task in passing:
                task.cancel()
            for each in (writer, upstream_writer):
                each.transport.abort()
                with suppress(OSError):
                    await each.wait_closed()


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None, may_pass: asyncio.Event
) -> bool:
    """Pass bytes on while `may_pass` is set; returns whether the limit was reached."""
    with suppress(OSError):
        while chunk := await reader.read(1024):
            await may_pass.wait()
            if limit is not None:
                limit -= len(chunk)
                if limit < 0:
                    return True
            writer.write(chunk)
            await writer.drain()
    return False

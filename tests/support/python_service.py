"""The servers of the Python package for the tests of `tests/net`, each with a clock that its test moves.

One process serves many tests. A test opens a connection to it, states its settings in a line of JSON, and is
told the ports of a service of its own, which ends with the connection.
The process ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from poh_holdmetrics.api.access import Access
from poh_holdmetrics.api.addresses import Address
from poh_holdmetrics.api.grpc_server import GrpcServer
from poh_holdmetrics.api.hold_service import HoldService
from poh_holdmetrics.api.http_server import HttpServer
from poh_holdmetrics.api.tls import Tls

_LOOPBACK = Address("127.0.0.1", 0)


class _Clock:
    """Shows the same time until it is moved."""

    def __init__(self, now_seconds: int) -> None:
        self._now = datetime.fromtimestamp(now_seconds, UTC)

    def __call__(self) -> datetime:
        return self._now

    def forward(self, seconds: int) -> None:
        self._now += timedelta(seconds=seconds)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one test: its settings, then `forward SECONDS` until `stop` or the end of the connection."""
    settings: dict[str, Any] = json.loads(await reader.readline())
    clock = _Clock(settings["now"])
    service = HoldService(clock=clock)
    access, tls = Access(settings["keys"]), Tls.of(*settings["tls"])
    async with AsyncExitStack() as stack:
        grpc = await stack.enter_async_context(GrpcServer(service, _LOOPBACK, tls=tls, access=access))
        http = await stack.enter_async_context(HttpServer(service, _LOOPBACK, tls=tls, access=access))
        writer.write(f"{json.dumps({'grpc': grpc.port, 'http': http.port})}\n".encode())
        while (words := (await reader.readline()).split()) and words[0] == b"forward":
            clock.forward(int(words[1]))
            writer.write(b"moved\n")
    writer.close()


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the sign that it is ready
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main())

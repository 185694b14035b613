"""A first version of a server, as a user would write it: grpc.aio and a dict.

Converts each message and keeps it in memory; writes nothing to disk, corrects nothing and merges nothing. The
stubs are generated from proto/poh/hold.proto at the start, into a temporary folder.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import grpc_tools
from grpc_tools import protoc

PROTO = Path(__file__).parents[2] / "proto"


def stubs() -> tuple[ModuleType, ModuleType]:
    """The generated modules."""
    folder = tempfile.mkdtemp()
    included = Path(grpc_tools.__file__).parent / "_proto"
    arguments = [f"-I{PROTO}", f"-I{included}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main(["protoc", *arguments, str(PROTO / "poh" / "hold.proto")]) != 0:
        sys.exit("the contract cannot be compiled")
    sys.path.insert(0, folder)
    return importlib.import_module("poh.hold_pb2"), importlib.import_module("poh.hold_pb2_grpc")


pb, services = stubs()


class Holds:
    """All that was sent, by token and holder."""

    def __init__(self) -> None:
        self.holds: defaultdict[tuple[str, str], list[tuple[int, int, float]]] = defaultdict(list)
        self.count = 0

    def take(self, message: Any) -> None:
        """Keep one event."""
        weight = float(message.weight_text) if message.weight_text else 1.0
        start = message.start.seconds * 1_000_000 + message.start.nanos // 1000
        end = message.end.seconds * 1_000_000 + message.end.nanos // 1000
        self.holds[message.token_id, message.holder_id].append((start, end, weight))
        self.count += 1

    def take_batch(self, batch: Any) -> int:
        """Keep the rows of a batch; returns how many."""
        rows = zip(batch.token_id, batch.holder_id, batch.start_us, batch.end_us, strict=True)
        for token_id, holder_id, start, end in rows:
            self.holds[token_id, holder_id].append((start, end, 1.0))
        self.count += len(batch.holder_id)
        return len(batch.holder_id)

    def ack(self, index: int, accepted: int) -> Any:
        """The answer to message `index`."""
        return pb.HoldAck(sequence=self.count, durability=pb.BUFFERED, index=index, accepted=accepted)


class Servicer(services.HoldMetricsServicer):
    """Events in, acknowledgements out; the names of the calls are those of the contract."""

    def __init__(self) -> None:
        self.book = Holds()

    async def Record(self, request: Any, _context: object) -> Any:
        """One event."""
        self.book.take(request)
        return self.book.ack(0, 1)

    async def Broadcast(self, requests: AsyncIterator[Any], _context: object) -> AsyncIterator[Any]:
        """One event after the other, each acknowledged."""
        index = 0
        async for request in requests:
            self.book.take(request)
            yield self.book.ack(index, 1)
            index += 1

    async def BroadcastBatch(self, requests: AsyncIterator[Any], _context: object) -> AsyncIterator[Any]:
        """One batch after the other, each acknowledged."""
        index = 0
        async for batch in requests:
            yield self.book.ack(index, self.book.take_batch(batch))
            index += 1


async def main() -> None:
    """Serve until killed."""
    server = grpc.aio.server()
    services.add_HoldMetricsServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening: grpc=127.0.0.1:{port} http=", flush=True)
    await server.wait_for_termination()


asyncio.run(main())

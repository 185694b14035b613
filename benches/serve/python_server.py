"""What a user writes first: a grpc.aio server that keeps a dict.

It converts each message and remembers it in memory; it keeps nothing on disk, corrects nothing and merges nothing.
The stubs are made from proto/poh/hold.proto at the start, into a temporary folder.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import grpc
import grpc_tools
from grpc_tools import protoc

PROTO = Path(__file__).parents[2] / "proto"


def stubs():  # noqa: ANN201 - the modules are made here
    """The generated modules."""
    folder = tempfile.mkdtemp()
    included = Path(grpc_tools.__file__).parent / "_proto"
    arguments = [f"-I{PROTO}", f"-I{included}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main(["protoc", *arguments, str(PROTO / "poh" / "hold.proto")]) != 0:
        sys.exit("the contract cannot be compiled")
    sys.path.insert(0, folder)
    return importlib.import_module("poh.hold_pb2"), importlib.import_module("poh.hold_pb2_grpc")


pb, services = stubs()
holds: defaultdict[tuple[str, str], list[tuple[int, int, float]]] = defaultdict(list)
count = 0


def take(message) -> None:  # noqa: ANN001 - a generated type
    """Keep one event."""
    global count
    weight = float(message.weight_text) if message.weight_text else 1.0
    start = message.start.seconds * 1_000_000 + message.start.nanos // 1000
    end = message.end.seconds * 1_000_000 + message.end.nanos // 1000
    holds[message.token_id, message.holder_id].append((start, end, weight))
    count += 1


class Servicer(services.HoldMetricsServicer):
    """Events in, acknowledgements out."""

    async def Record(self, request, context):  # noqa: ANN001, ANN201, ARG002, N802 - the names of the contract
        take(request)
        return pb.HoldAck(sequence=count, durability=pb.BUFFERED, accepted=1)

    async def Broadcast(self, requests, context):  # noqa: ANN001, ANN201, ARG002, N802
        index = 0
        async for request in requests:
            take(request)
            yield pb.HoldAck(sequence=count, durability=pb.BUFFERED, index=index, accepted=1)
            index += 1

    async def BroadcastBatch(self, requests, context):  # noqa: ANN001, ANN201, ARG002, N802
        global count
        index = 0
        async for batch in requests:
            rows = zip(batch.token_id, batch.holder_id, batch.start_us, batch.end_us, strict=True)
            for token_id, holder_id, start, end in rows:
                holds[token_id, holder_id].append((start, end, 1.0))
            rows_taken = len(batch.holder_id)
            count += rows_taken
            yield pb.HoldAck(sequence=count, durability=pb.BUFFERED, index=index, accepted=rows_taken)
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

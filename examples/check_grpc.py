"""Asks a service for the statistics of all holders over gRPC: the shortest check that it answers.

    python examples/check_grpc.py [HOST:PORT]

The address is by default GRPC_ADDRESS, else 127.0.0.1:60051. An empty service answers with one default
`HoldStat`, so a line is printed in any case. Needs `pip install 'poh-holdmetrics[grpc]'`.
"""

from __future__ import annotations

import asyncio
import os
import sys

import grpc
from google.protobuf.empty_pb2 import Empty

from poh_holdmetrics.protocols.hold_pb2_grpc import HoldMetricsStub


async def main(address: str) -> None:
    """Print one line for each holder."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = HoldMetricsStub(channel)  # type: ignore[no-untyped-call]
        async for stat in stub.Stats(Empty(), timeout=10):
            print(f"holder_id={stat.holder_id!r} seconds={stat.total_seconds} score={stat.weighted_score}")


if __name__ == "__main__":
    default = os.environ.get("GRPC_ADDRESS", "127.0.0.1:60051")
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else default))
    except grpc.aio.AioRpcError as error:
        sys.exit(f"error: {error.code().name}: {error.details()}")

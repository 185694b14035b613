"""A typed client of a running service, over HTTP or gRPC: send events, read scores, follow what changes.

    async with AsyncHoldClient("http://127.0.0.1:8000") as client:
        report = await client.send(events)
        print(await client.leaderboard(10))

`async_client` has the calls and `sync_client` the same without `await`. What goes over the network is built
and read in `http_transport` and `grpc_transport`, which implement `transport`. Names are lazy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.lazy_names import lazy_names

if TYPE_CHECKING:
    from poh_holdmetrics.client.async_client import AsyncHoldClient
    from poh_holdmetrics.client.errors import (
        ClientError,
        NotAuthorized,
        NotFound,
        RequestRefused,
        ServiceUnavailable,
    )
    from poh_holdmetrics.client.results import (
        Deficit,
        FeedEvent,
        HolderReport,
        Leaderboard,
        LeaderboardChange,
        RefusedEvent,
        SendReport,
    )
    from poh_holdmetrics.client.sync_client import HoldClient

__all__ = [
    "AsyncHoldClient",
    "ClientError",
    "Deficit",
    "FeedEvent",
    "HoldClient",
    "HolderReport",
    "Leaderboard",
    "LeaderboardChange",
    "NotAuthorized",
    "NotFound",
    "RefusedEvent",
    "RequestRefused",
    "SendReport",
    "ServiceUnavailable",
]

_ERRORS = ("ClientError", "NotAuthorized", "NotFound", "RequestRefused", "ServiceUnavailable")
_RESULTS = (
    *("Deficit", "FeedEvent", "HolderReport", "Leaderboard", "LeaderboardChange", "RefusedEvent"),
    "SendReport",
)
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AsyncHoldClient": "poh_holdmetrics.client.async_client",
        "HoldClient": "poh_holdmetrics.client.sync_client",
        **dict.fromkeys(_ERRORS, "poh_holdmetrics.client.errors"),
        **dict.fromkeys(_RESULTS, "poh_holdmetrics.client.results"),
    },
)

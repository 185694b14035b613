"""Events with corrections, retractions and transfers, sent to a service and compared in its stores."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from poh_holdmetrics import HoldEvent, Transfer
from poh_holdmetrics.storage import storage_from_url
from served import Service

AS_OF = "2026-01-01T00:00:00Z"
HOLDERS = 200
_AT_ONCE = 2_000
#: What waits while a server is away.
EVENTS = 100_000


class Server(Protocol):
    """A server of a storage, as a test treats it."""

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def go_on(self) -> None: ...


def mixed_events(count: int, first: int = 0) -> Iterator[dict[str, object]]:
    """Holds of which some are corrected, retracted or sent twice, and transfers."""
    for number in range(first, first + count):
        key = {"token_id": f"t{number % 7}", "holder_id": f"h{number % HOLDERS}"}
        match number % 10:
            case 7:  # corrects the one before the last, which is of another key in no case
                yield {**key, "start": number, "end": number + 5, "event_id": f"e{number}"}
                yield {**key, "start": number, "end": number + 9, "event_id": f"e{number}", "revision": 1}
            case 8:
                yield {**key, "start": number, "event_id": f"e{number}"}
                yield {**key, "event_id": f"e{number}", "revision": 1, "retract": True}
            case 9:
                parties = {"from_id": key["holder_id"], "to_id": f"h{(number + 1) % HOLDERS}"}
                amount = {"amount": "0.000000000000000001", "event_id": f"x{number}"}
                yield {"token_id": "gold", **parties, "at": number, **amount}
            case _:
                yield {**key, "start": number, "end": number + 1, "weight": f"{number}.5"}


def send(service: Service, events: Iterable[dict[str, object]]) -> None:
    """Send events, and the first of each part once more; returns when all are acknowledged."""
    waiting = list(events)
    for begin in range(0, len(waiting), _AT_ONCE):
        part = waiting[begin : begin + _AT_ONCE]
        body = json.dumps([*part, part[0]]).encode()
        request = urllib.request.Request(  # noqa: S310 - our own address
            service.address + "/hold", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            assert not json.load(answer).get("rejected")


def facts(events: Iterable[dict[str, object]]) -> int:
    """How many events a storage has of them: a transfer is two changes."""
    return sum(2 if "from_id" in event else 1 for event in events)


def stored(url: str) -> tuple[int, dict[str, tuple[str, int]]]:
    """Count and scores in a storage."""

    async def ask() -> tuple[int, dict[str, tuple[str, int]]]:
        async with storage_from_url(url, fallback=False) as storage:
            stats = await storage.get_stats(as_of=AS_OF)
            return await storage.count(), {each.holder_id: (each.score, each.held_us) for each in stats}

    return asyncio.run(ask())


def saved(url: str, events: Iterable[dict[str, object]]) -> int:
    """Save events in a storage; returns how many it did not have."""

    async def save() -> int:
        async with storage_from_url(url, fallback=False) as storage:
            return await storage.save_events(
                (Transfer if "from_id" in event else HoldEvent).model_validate(event) for event in events
            )

    return asyncio.run(save())


def served(service: Service) -> dict[str, tuple[str, int]]:
    """The scores that the service answers."""
    rows = service.ask(f"/leaderboard?limit=1000&as_of={AS_OF}")["holders"]
    return {row["holder_id"]: (row["score"], int(row["held_us"])) for row in rows}


def store(service: Service) -> dict[str, Any]:
    """What operators see of the one store."""
    (found,) = (
        each for each in service.ask("/admin/pipelines")["pipelines"] if each["name"].startswith("store-")
    )
    return dict(found)


def lag(service: Service) -> int:
    """How many events the store lacks; -1 before it has a cursor."""
    consumers = store(service)["consumers"]
    return int(consumers[0]["lag_events"]) if consumers else -1


def lag_in_metrics(service: Service) -> float:
    """The same, as Prometheus sees it."""
    with urllib.request.urlopen(service.address + "/metrics", timeout=10) as answer:  # noqa: S310 - our own address
        lines = answer.read().decode().splitlines()
    consumer = f'holdmetrics_feed_lag_events{{consumer="{store(service)["name"]}/save"}} '
    (line,) = (each for each in lines if each.startswith(consumer))
    return float(line.removeprefix(consumer))


def try_now(service: Service) -> None:
    """Deliver without waiting for the end of the interval between attempts."""
    status, answer = service.order(f"/admin/pipelines/{store(service)['name']}/enable")
    assert status == 200, answer


def check_acknowledgements_over_a_pause(service: Service, server: Server, url: str) -> None:
    """Let the server of the one store answer nothing while events are sent; then it must have all of them."""
    events = list(mixed_events(EVENTS))
    send(service, events[:2_000])
    service.until(lambda: lag(service) == 0, 60)
    # From here on the server takes connections and answers nothing: every call to it hangs.
    server.pause()
    try:
        send(service, events[2_000:])
        # Each of them was acknowledged while not one could be stored.
        waiting = lag(service)
        assert waiting >= len(events) - 2_000
        assert lag_in_metrics(service) == waiting
        scores = served(service)
    finally:
        server.go_on()
    try_now(service)
    service.until(lambda: lag(service) == 0, 180)
    count, found = stored(url)
    assert count == facts(events)
    assert found == scores == served(service)


def kill_both_while_delivering(service: Service, server: Server, events: Iterable[dict[str, object]]) -> None:
    """Send events, at least `EVENTS`, while the server is away; kill it and the service during delivery."""
    # Every acknowledgement arrives although nothing can be stored.
    send(service, events)
    assert lag(service) >= EVENTS
    assert lag_in_metrics(service) >= EVENTS
    server.start()
    try_now(service)
    service.until(lambda: 0 < lag(service) < EVENTS, 60)
    server.kill()
    server.start()
    try_now(service)
    service.kill()

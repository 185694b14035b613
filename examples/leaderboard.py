"""The first five of a JSONL file of hold events: `main_holdmetrics run examples/leaderboard.py FILE`."""

import asyncio
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from poh_holdmetrics import AsyncTracker, HoldEvent


def events(path: Path) -> Iterator[HoldEvent]:
    """One event a line; weights keep every digit that is written."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield HoldEvent(**json.loads(line, parse_float=Decimal))


async def main(path: Path) -> None:
    """Record every line, then print rank, holder and exact score."""
    tracker = AsyncTracker()
    await tracker.record_batch(events(path))
    for stat in await tracker.leaderboard(5):
        print(f"{stat.rank:>3}  {stat.holder_id}  {stat.score}")


asyncio.run(main(Path(sys.argv[1])))

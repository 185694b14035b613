"""The first five holders of a JSONL file of hold events, as of now or of a given time.

    main_holdmetrics run examples/leaderboard.py FILE [AS_OF]

AS_OF is RFC 3339 text. Time counts up to it, so that holds that are still open count as well.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from poh_holdmetrics import AsyncTracker, HoldEvent


def events(path: Path) -> Iterator[HoldEvent]:
    """One event a line; weights keep every digit that is written."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield HoldEvent(**json.loads(line, parse_float=Decimal))


async def main(path: Path, as_of: datetime | str) -> None:
    """Record every line, then print rank, holder and exact score."""
    tracker = AsyncTracker()
    await tracker.record_batch(events(path))
    for stat in await tracker.leaderboard(5, as_of):
        print(f"{stat.rank:>3}  {stat.holder_id}  {stat.score}")


asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else datetime.now(UTC)))

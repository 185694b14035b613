"""Who held CryptoPunks the longest? 16,824 real sales to a leaderboard of punk-days.

Each sale is a stop mark of the seller and a start mark of the buyer; scored as of 2022-06-01T00:00:00Z.
The score is exact, in punk-seconds. The file has the columns date_time (UTC), from, to and punk_id.

    python examples/cryptopunks.py cryptopunks_sales_2017_2022.csv [--json]
    main_holdmetrics run examples/cryptopunks.py cryptopunks_sales_2017_2022.csv [--json]
"""

# ruff: noqa: T201 - a script prints
from __future__ import annotations

import argparse
import asyncio
import csv
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from poh_holdmetrics import AsyncTracker, HoldEvent, HoldStat

AS_OF = "2022-06-01T00:00:00Z"
TOP = 10
DAY_SECONDS = 86_400


def events_from_sales(path: Path) -> Iterator[HoldEvent]:
    """Two marks a sale: the seller's stop, the buyer's start, both at the moment of the sale."""
    with path.open(encoding="utf-8", newline="") as file:
        for sale in csv.DictReader(file):
            token_id = f"punk/{sale['punk_id']}"
            at = f"{sale['date_time']}Z"
            yield HoldEvent.model_validate({"token_id": token_id, "holder_id": sale["from"], "end": at})
            yield HoldEvent.model_validate({"token_id": token_id, "holder_id": sale["to"], "start": at})


def punk_days(stat: HoldStat) -> str:
    """The score for people: punk-days with one decimal."""
    return f"{Decimal(stat.score) / DAY_SECONDS:,.1f}"


async def main(path: Path, *, as_json: bool) -> None:
    """Track the sales in `path` and print the figures."""
    tracker = AsyncTracker()
    await tracker.record_batch(events_from_sales(path))
    top = await tracker.leaderboard(TOP, AS_OF)
    if as_json:
        holders = [
            stat.model_dump(include={"rank", "holder_id", "held_us", "score", "weighted_score"})
            for stat in top
        ]
        report = {"as_of": AS_OF, "events": tracker.events, "holders": tracker.holders, "top": holders}
        print(json.dumps(report, indent=1))
        return
    print(f"{tracker.events:,} events, {tracker.holders:,} holders, as of {AS_OF}\n")
    print(f"{'rank':>4}  {'holder':>6}  {'punk-days':>11}  {'score':>11}")
    for stat in top:
        print(f"{stat.rank:>4}  {stat.holder_id:>6}  {punk_days(stat):>11}  {stat.score:>11}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="CryptoPunks sales to a leaderboard of punk-days.")
    parser.add_argument("sales", type=Path, help="the CSV file of sales")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    try:
        asyncio.run(main(arguments.sales, as_json=arguments.json))
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"{arguments.sales}: {error}")

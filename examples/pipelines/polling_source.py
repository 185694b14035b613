"""Reads a list of sales from a web address every minute and records what is new.

    main_holdmetrics serve --pipeline examples/pipelines/polling_source.py \
        --pipeline-arg sales.url=https://market.example/sales

The address answers `GET URL?after=ID` with a JSON list in order of `id`, empty at the end:
`[{"id": 7, "token": "punk/7", "buyer": "0x...", "time": "2026-01-01T00:00:00Z"}]`.
The position is stored after its events are durable: after a crash the last page is read again, and its event
ids make it count once.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

from poh_holdmetrics.pipeline import Context, HoldEvent, Pipeline

pipeline = Pipeline("sales", arguments={"url": "http://127.0.0.1:9000/sales"})


@pipeline.source("sales", every="1m", blocking=True)
def sales(ctx: Context, position: int | None) -> Iterator[tuple[dict[str, Any], int]]:
    """All sales after the position, page by page."""
    after = position or 0
    while True:
        with urllib.request.urlopen(f"{ctx.arguments['url']}?after={after}", timeout=10) as answer:
            page = json.load(answer)
        if not page:
            return
        for sale in page:
            after = sale["id"]
            yield sale, after
        ctx.metrics.counter("pages")


@pipeline.transform()
def bought(sale: dict[str, Any]) -> HoldEvent:
    """From the sale on, the buyer holds the token."""
    return HoldEvent(
        token_id=sale["token"], holder_id=sale["buyer"], start=sale["time"], event_id=f"sale/{sale['id']}"
    )

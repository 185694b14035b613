"""Tells a web address who entered, left or moved within the first holders.

    main_holdmetrics serve --pipeline examples/pipelines/rank_webhook.py \
        --pipeline-arg rank_webhook.url=https://hooks.example/ranks

The ranks that were told last are kept in `ctx.state`. They are stored only if the address has answered, so
that nothing is missed when it is away, also over a restart.
"""

from __future__ import annotations

import json
import urllib.request

from poh_holdmetrics.pipeline import Context, Pipeline

pipeline = Pipeline("rank_webhook", arguments={"url": "http://127.0.0.1:9000/ranks", "size": "10"})


@pipeline.every("10s", blocking=True, on_error="retry", retries=5)
def notify(ctx: Context) -> None:
    """Post the changes since the last time, if there are any."""
    rows = ctx.leaderboard(int(ctx.arguments["size"])).rows()
    ranks = {holder_id: rank for rank, holder_id, *_ in rows}
    told = ctx.state.get("ranks", {})
    changes = [
        {"holder_id": holder_id, "before": told.get(holder_id), "now": ranks.get(holder_id)}
        for holder_id in sorted({*told, *ranks})
        if told.get(holder_id) != ranks.get(holder_id)
    ]
    if not changes:
        return
    request = urllib.request.Request(
        ctx.arguments["url"],
        data=json.dumps({"as_of": ctx.now.isoformat(), "changes": changes}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5):
        ctx.state["ranks"] = ranks
    ctx.metrics.counter("changes_told", len(changes))

"""A tiered leaderboard: silver after 30 days held, gold after 90 days; published as a file.

    main_holdmetrics serve --pipeline examples/pipelines/tiered_leaderboard.py
    curl 'http://127.0.0.1:8000/leaderboard?policy=tiers'

Under the policy, time from the 30th day of a hold on counts one and a half times, from the 90th day on twice.
The file is replaced as a whole, so that a web server can offer it while it changes.
"""

from __future__ import annotations

import json
from pathlib import Path

from poh_holdmetrics.pipeline import Context, Pipeline
from poh_holdmetrics.policies import Policy, Tiers

pipeline = Pipeline("tiers", arguments={"file": "leaderboard.json", "size": "100"})
pipeline.policy("tiers")(Policy(steps=[Tiers(multipliers={"30d": "1.5", "90d": "2"})]))

DAY_US = 86_400_000_000
TIERS = [(90 * DAY_US, "gold"), (30 * DAY_US, "silver"), (0, "bronze")]


@pipeline.every("10s", jitter=0.1, overlap="skip")
def publish(ctx: Context) -> None:
    """Write the first holders with their tier, and say how many each tier has."""
    listed = []
    for rank, holder_id, held_us, score, _ in ctx.leaderboard(int(ctx.arguments["size"])).rows():
        tier = next(name for least_us, name in TIERS if held_us >= least_us)
        listed.append({"rank": rank, "holder_id": holder_id, "score": score, "tier": tier})
    for _, name in TIERS:
        ctx.metrics.gauge("holders", sum(each["tier"] == name for each in listed), tier=name)
    file = Path(ctx.arguments["file"])
    unfinished = file.with_suffix(".part")
    unfinished.write_text(json.dumps({"as_of": ctx.now.isoformat(), "holders": listed}), "utf-8")
    unfinished.replace(file)
    ctx.state["published"] = len(listed)

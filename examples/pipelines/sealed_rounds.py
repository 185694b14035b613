"""A round of an airdrop each day: a pool, shared by the scores up to midnight, sealed with its Merkle tree.

    main_holdmetrics serve --pipeline examples/pipelines/sealed_rounds.py --pipeline-arg rounds.pool=1000
    curl http://127.0.0.1:8000/rounds

A call that is repeated asks for the same round, which changes nothing; a day without any score has no round.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from poh_holdmetrics.errors import HoldMetricsError
from poh_holdmetrics.pipeline import Context, Pipeline

pipeline = Pipeline("rounds", arguments={"pool": "1000", "decimals": "18"})


@pipeline.every("10m", overlap="skip")
async def seal(ctx: Context) -> None:
    """Seal the round of the day that has ended last, unless that is done already."""
    midnight = datetime.combine(ctx.now.date(), time(), UTC)
    day = (midnight - timedelta(days=1)).date().isoformat()
    if ctx.state.get("sealed") == day:
        return
    try:
        manifest = await ctx.seal_round(
            f"day-{day}",
            pool=ctx.arguments["pool"],
            decimals=int(ctx.arguments["decimals"]),
            as_of=midnight,
        )
    except HoldMetricsError as refusal:
        ctx.log.warning("no round for %s: %s", day, refusal)
        return
    ctx.state["sealed"] = day
    ctx.metrics.gauge("recipients", manifest["counts"]["recipients"])
    ctx.log.info("sealed %s with the root %s", manifest["id"], manifest["root"])

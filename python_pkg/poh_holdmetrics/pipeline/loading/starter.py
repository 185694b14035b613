"""The file that `pipeline new` writes: one handler of each common kind, with comments that explain it.

Held against `check`, `test` and `mypy --strict` by the tests.
"""

from __future__ import annotations

_TEXT = '''\
"""A pipeline: say here in one sentence what it is for.

  main_holdmetrics pipeline check {file}                          finds mistakes
  main_holdmetrics pipeline test {file} --events events.jsonl     runs it over events, without a service
  main_holdmetrics serve --pipeline {file}                        runs it live
"""

from __future__ import annotations

from poh_holdmetrics import Pipeline
from poh_holdmetrics.pipeline import Batch, Context, HoldEvent

# The name stands in metrics, logs and addresses. The position in the feed and the state are stored under it,
# so a pipeline that is renamed begins anew. `arguments` may be replaced without an edit of this file, by
# --pipeline-arg {name}.top=25.
pipeline = Pipeline("{name}", arguments={{"top": "10"}})


# Acknowledged events as columns, one value for each row: the fast way. In patterns, `*` stands for any text
# and `?` for one character.
@pipeline.on_batch(token="*")
def count(batch: Batch, ctx: Context) -> None:
    # The state survives a restart: it is committed together with the position in the feed.
    ctx.state["events"] = ctx.state.get("events", 0) + len(batch)
    # Visible in /metrics.
    ctx.metrics.counter("events_seen", len(batch))


# The same, one event at a time. Write `async def` to await something; a function that blocks needs
# blocking=True.
@pipeline.on_event(holder="*")
def greet(event: HoldEvent, ctx: Context) -> None:
    known = ctx.state.get("holders", [])
    if event.holder_id not in known and len(known) < 1000:
        ctx.state["holders"] = [*known, event.holder_id]
        ctx.log.info("first event of %s", event.holder_id)


# Work at an interval. `jitter` moves each run a little, so that many pipelines do not run at the same moment.
@pipeline.every("1h", jitter=0.1)
def publish(ctx: Context) -> None:
    for stat in ctx.leaderboard(int(ctx.arguments["top"])):
        ctx.log.info("%s. %s: %s", stat.rank, stat.holder_id, stat.score)


# Delivery to another system: each event at least once, from a position of its own. If the function raises, it
# is called again; after the retries the events are parked in a file, which `pipeline replay {name}` delivers
# again.
@pipeline.sink(batch=500, flush="1s", retries=3)
async def deliver(batch: Batch, ctx: Context) -> None:
    ctx.log.info("%d events up to sequence %d", len(batch), batch.last_sequence)
'''


def starter(name: str) -> str:
    """The text of a pipeline file for a pipeline of this name."""
    return _TEXT.format(name=name, file=f"{name}.py")

"""The example of an operator: every decorator in one file, typed, run by a harness without any Rust.

The names of the tests are what users of other processing engines miss: an API that can be imported, columns,
state that survives, `async`, limits of time and of retries, tracebacks, times with an offset.
"""

from __future__ import annotations

import asyncio
import inspect
import subprocess
from collections.abc import AsyncIterator, Mapping
from fractions import Fraction
from typing import Any

from conftest import HERE
from poh_holdmetrics import Pipeline
from poh_holdmetrics.pipeline import Batch, Context, HoldEvent, Segments
from poh_holdmetrics.testing import PipelineHarness

ANN = HoldEvent.model_validate({"token_id": "punk/1", "holder_id": "0xann", "start": "2026-01-01T00:00:00Z"})


def example() -> Pipeline:
    pipeline = Pipeline("tiers", arguments={"limit": "100"})

    @pipeline.on_batch(token="punk/*")
    def follow(batch: Batch, ctx: Context) -> None:
        for token, start in zip(batch.token_id, batch.start_us, strict=True):
            ctx.state[token] = start

    @pipeline.on_event(holder="0x*")
    async def greet(event: HoldEvent, ctx: Context) -> None:
        await asyncio.sleep(0.01)
        ctx.log.info("hello %s, since %s", event.holder_id, event.start)

    @pipeline.every("10s", jitter=0.1, overlap="skip")
    async def publish(ctx: Context) -> None:
        for stat in ctx.leaderboard(int(ctx.arguments["limit"])):
            ctx.metrics.gauge("published_score", stat.weighted_score, holder=stat.holder_id)

    @pipeline.sink("archive", batch=500, flush="1s", retries=3)
    async def archive(batch: Batch, ctx: Context) -> None:
        ctx.metrics.counter("archived", len(batch))

    @pipeline.before_accept(budget="2ms", on_timeout="accept")
    def check(batch: Batch, ctx: Context) -> None:
        del batch, ctx

    @pipeline.source("listing", every="1h")
    async def listing(ctx: Context, position: int | None) -> AsyncIterator[tuple[HoldEvent, int]]:
        number = 0 if position is None else position + 1
        event_id = f"listing {number}"
        yield (
            HoldEvent(token_id=f"punk/{number + 7}", holder_id="bob", start=ctx.now, event_id=event_id),
            number,
        )

    @pipeline.policy("published")
    def published(segments: Segments) -> Mapping[str, Fraction]:
        scores: dict[str, Fraction] = {}
        columns = (segments.holder_id, segments.start_us, segments.end_us)
        for holder, start_us, end_us in zip(*columns, strict=True):
            scores[holder] = scores.get(holder, Fraction()) + Fraction(end_us - start_us, 3_000_000)
        return scores

    return pipeline


def test_one_file_does_it_all_and_is_tested_without_a_server() -> None:
    with PipelineHarness(example()) as harness:
        harness.feed(ANN)
        harness.advance("1h")
        harness.restart(crash=True)
        harness.advance("20s")
        first, later = 1_767_225_600_000_000, 1_767_229_200_000_000
        assert harness.state == {"punk/1": first, "punk/7": first, "punk/8": later, "punk/9": later}
        assert harness.log == ["INFO greet: hello 0xann, since 2026-01-01 00:00:00+00:00"]
        assert harness.metrics["archived"] == 4
        assert set(harness.metrics) == {
            "archived",
            'published_score{holder="0xann"}',
            'published_score{holder="bob"}',
        }
        assert [event.event_id for event in harness.emitted] == [f"listing {each}" for each in range(3)]
        assert len(harness.delivered("archive")) == 4
        ((rank, holder, _, score, _), *_) = harness.published("published").rows()
        assert (rank, holder, score) == (1, "bob", "1220")


def test_a_run_is_the_same_every_time() -> None:
    def once() -> tuple[dict[str, float], list[str], dict[str, Any]]:
        with PipelineHarness(example()) as harness:
            harness.feed(ANN)
            harness.advance("3h")
            return harness.metrics, harness.log, harness.state

    assert once() == once()


def test_the_api_is_imported_where_there_is_no_service(python: str) -> None:
    code = inspect.getsource(example) + (
        "\nwith PipelineHarness(example()) as harness:\n"
        "    harness.advance('1s')\n"
        "    print(len(harness.emitted))\n"
    )
    imports = "\n".join(
        line
        for line in HERE.joinpath("test_pipeline_example.py").read_text("utf-8").splitlines()
        if line.startswith(("import", "from")) and "conftest" not in line
    )
    done = subprocess.run(
        [python, "-c", f"{imports}\n{code}"],
        check=True,
        capture_output=True,
        text=True,
        cwd=HERE.parent,
    )
    assert done.stdout == "1\n"

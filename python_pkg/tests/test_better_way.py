"""What users of engines that run plugins inside a database miss, each as one test that shows the better way.

There, plugins are given rows as dicts, use an API that cannot be imported, lose their state at a restart,
know no `async` and no time limit, are retried at once and endlessly, fail without a traceback, see naive
local times, stop the server if their file is missing, and can be tried only against a running server. The
last tests are about what such engines do well: arguments, what happens at errors, named mistakes.
"""
# ruff: noqa: ARG001 - a handler has the parameters that it is called with

from __future__ import annotations

import asyncio
import json
import subprocess
from datetime import UTC, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

from conftest import HERE
from poh_holdmetrics import HoldEvent, Pipeline
from poh_holdmetrics.cli import main
from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.pipeline import Batch, Context
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.loading.checks import defects
from poh_holdmetrics.pipeline.loading.specs import Spec
from poh_holdmetrics.pipeline.offline.local import LocalHost
from poh_holdmetrics.pipeline.serving.in_process import Surroundings
from poh_holdmetrics.pipeline.serving.service import Service, ServiceSettings
from poh_holdmetrics.pipeline.serving.staging import stage_for
from poh_holdmetrics.scheduler import AsyncScheduler
from poh_holdmetrics.testing import PipelineHarness
from poh_holdmetrics.tracker import AsyncTracker

ANN = {"token_id": "punk/1", "holder_id": "ann", "start": "2026-01-01T00:00:00Z", "weight": "0.1"}
BOB = {"token_id": "punk/2", "holder_id": "bob", "start": "2026-01-01T00:00:00.000001Z", "weight": "0.2"}

FILE = """
from poh_holdmetrics import Pipeline
from poh_holdmetrics.pipeline import Batch, Context

pipeline = Pipeline("tiers", arguments={"top": "10"})

@pipeline.on_batch(token="punk/*")
def follow(batch: Batch, ctx: Context) -> None:
    ctx.state["events"] = ctx.state.get("events", 0) + len(batch)
"""


def test_events_are_columns_and_not_a_dict_for_each_row() -> None:
    pipeline = Pipeline("tiers")
    sums: list[int] = []

    @pipeline.on_batch(token="punk/*")
    def follow(batch: Batch, ctx: Context) -> None:
        assert batch.start_us.format == "q"
        assert batch.start_us.readonly
        assert batch.start_us[1] - batch.start_us[0] == 1
        assert batch.token_id == ("punk/1", "punk/2")
        sums.append(sum(weight or 0 for weight in batch.weight_wads))

    with PipelineHarness(pipeline) as harness:
        harness.feed(ANN, BOB, {**ANN, "token_id": "cat/1"})
    assert sums == [3 * 10**17]  # 0.1 + 0.2 is 0.3


def test_a_file_is_an_ordinary_module_that_can_be_imported(tmp_path: Path, python: str) -> None:
    (tmp_path / "tiers.py").write_text(FILE, encoding="utf-8")
    script = (
        "import tiers\n"
        "from poh_holdmetrics.testing import PipelineHarness\n"
        "assert [each.name for each in tiers.pipeline.handlers] == ['follow']\n"
        "assert tiers.follow.__name__ == 'follow'\n"
        "with PipelineHarness(tiers.pipeline) as harness:\n"
        f"    harness.feed({ANN!r})\n"
        "    assert harness.state == {'events': 1}\n"
    )
    environment = {"PYTHONPATH": f"{tmp_path}:{HERE.parent}", "POH_DISABLE_RUST": "1", "PATH": ""}
    subprocess.run([python, "-c", script], env=environment, check=True)


@pytest.mark.parametrize("crash", [False, True])
def test_the_state_is_kept_over_a_restart_and_counts_each_event_once(crash: bool) -> None:
    pipeline = Pipeline("tiers")

    @pipeline.on_batch()
    def follow(batch: Batch, ctx: Context) -> None:
        ctx.state["events"] = ctx.state.get("events", 0) + len(batch)

    with PipelineHarness(pipeline) as harness:
        harness.feed(ANN)
        harness.restart(crash=crash)
        harness.feed(BOB)
        assert harness.state == {"events": 2}


def test_handlers_may_be_asynchronous_and_wait_for_many_things_at_once() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.on_batch()
    async def follow(batch: Batch, ctx: Context) -> None:
        began = ctx.now
        await asyncio.gather(*(asyncio.sleep(1) for _ in range(100)))
        ctx.state["seconds"] = (ctx.now - began).total_seconds()

    @pipeline.on_event()
    async def greet(event: HoldEvent, ctx: Context) -> None:
        ctx.state["greeted"] = event.holder_id

    with PipelineHarness(pipeline) as harness:
        harness.feed(ANN)
        harness.advance("1s")
        assert harness.state == {"seconds": 1.0, "greeted": "ann"}


def test_a_call_has_a_time_limit_and_the_next_event_is_handled() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.on_event(timeout="2s")
    async def greet(event: HoldEvent, ctx: Context) -> None:
        if event.holder_id == "ann":
            await asyncio.sleep(3600)
        ctx.state["greeted"] = event.holder_id

    with PipelineHarness(pipeline, raise_failures=False) as harness:
        harness.feed(ANN, BOB)
        harness.advance("2s")
        assert harness.meter("greet").counts["timed_out"] == 1
        assert harness.state == {"greeted": "bob"}


def test_retries_are_bounded_and_wait_longer_each_time(tmp_path: Path) -> None:
    pipeline = Pipeline("tiers")
    times: list[float] = []

    @pipeline.sink(retries=3, flush=0)
    def archive(batch: Batch, ctx: Context) -> None:
        times.append(ctx.now.timestamp())
        raise ConnectionError("down")

    with PipelineHarness(pipeline, raise_failures=False, dead_letters=tmp_path) as harness:
        harness.feed(ANN)
        harness.advance("1h")
        assert len(times) == 4
        waits = [after - before for before, after in pairwise(times)]
        assert 0 < waits[0] < waits[1] < waits[2]
        assert harness.meter("archive").counts["dead_lettered"] == 1
    (parked,) = tmp_path.rglob("*.jsonl")
    assert "punk/1" in parked.read_text("utf-8")


def test_a_failure_has_its_whole_traceback() -> None:
    pipeline = Pipeline("tiers")

    @pipeline.on_batch()
    def follow(batch: Batch, ctx: Context) -> None:
        try:
            int(batch.holder_id[0])
        except ValueError as error:
            raise LookupError("no number") from error

    with PipelineHarness(pipeline, raise_failures=False) as harness:
        harness.feed(ANN)
        found = harness.meter("follow").last_traceback
    assert "int(batch.holder_id[0])" in found
    assert "The above exception was the direct cause" in found
    assert 'raise LookupError("no number") from error' in found
    assert __file__ in found


def test_times_are_aware_and_in_utc() -> None:
    pipeline = Pipeline("tiers")
    times = []

    @pipeline.on_event()
    def greet(event: HoldEvent, ctx: Context) -> None:
        times.extend([event.start, ctx.now])

    with PipelineHarness(pipeline, now="2026-06-01T00:00:00+02:00") as harness:
        harness.feed({**ANN, "start": "2026-01-01T02:00:00+02:00"})
    assert [time.tzinfo for time in times if time is not None] == [UTC, UTC]
    assert [time.isoformat() for time in times if time is not None] == [
        "2026-01-01T00:00:00+00:00",
        "2026-05-31T22:00:00+00:00",
    ]
    with pytest.raises(ValidationError, match="no UTC offset"):
        HoldEvent.model_validate({**ANN, "start": "2026-01-01T00:00:00"})


def test_a_missing_file_does_not_stop_the_service(tmp_path: Path) -> None:
    (tmp_path / "tiers.py").write_text(FILE, encoding="utf-8")

    async def run() -> None:
        host, guard, clock = LocalHost(AsyncTracker()), Guard(), LoopClock()
        scheduler = AsyncScheduler(handle_signals=False)
        around = Surroundings(host=host, guard=guard, clock=clock, scheduler=scheduler)
        files = (str(tmp_path / "missing.py"), str(tmp_path / "tiers.py"))
        make = partial(Service, host, stage=stage_for(around), scheduler=scheduler, clock=clock)
        service = make(ServiceSettings(files=files))
        await service.start()
        assert host.pipelines["tiers"] == ("running", "")
        assert host.pipelines["missing"][0] == "failed"
        (tmp_path / "missing.py").write_text(FILE.replace("tiers", "missing"), encoding="utf-8")
        assert "error" not in await service.handle("reload", {})
        assert host.pipelines["missing"] == ("running", "")
        await service.stop()
        guard.close()

    asyncio.run(run())


def test_a_file_is_tried_without_a_server_and_shows_what_it_would_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, events = tmp_path / "tiers.py", tmp_path / "events.jsonl"
    bonus = (
        "\n@pipeline.sink()\ndef archive(batch: Batch, ctx: Context) -> None:\n"
        "    raise AssertionError('a dry run calls no sink')\n"
        "\n@pipeline.on_batch(token='punk/*')\ndef bonus(batch: Batch, ctx: Context) -> None:\n"
        "    from poh_holdmetrics import HoldEvent\n"
        "    ctx.emit(HoldEvent(token_id='bonus', holder_id='ann', start=ctx.now, event_id='first'))\n"
    )
    file.write_text(FILE + bonus, encoding="utf-8")
    events.write_text(json.dumps(ANN), encoding="utf-8")
    code = main(["pipeline", "test", str(file), "--events", str(events), "--dry-run", "--json"])
    (report,) = json.loads(capsys.readouterr().out)["pipelines"]
    assert code == 0
    assert [(each["token_id"], each["event_id"]) for each in report["emitted"]] == [("bonus", "first")]


def test_arguments_belong_to_a_pipeline_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tiers.py"
    file.write_text(FILE, encoding="utf-8")
    assert defects(Spec(file=file), {"tiers": {"top": "3"}}) == []
    (defect,) = defects(Spec(file=file), {"tiers": {"tpo": "3"}})
    assert (defect.name, defect.problem.partition(":")[0]) == ("unknown-argument", "tiers.tpo")


def test_each_handler_says_what_happens_at_an_error() -> None:
    pipeline = Pipeline("tiers")
    calls = {"log": 0, "retry": 0, "disable": 0}

    def failing(word: str) -> None:
        calls[word] += 1
        raise ValueError(word)

    @pipeline.on_event(on_error="log")
    def logged(event: HoldEvent, ctx: Context) -> None:
        failing("log")

    @pipeline.on_event(on_error="retry", retries=2)
    def retried(event: HoldEvent, ctx: Context) -> None:
        failing("retry")

    @pipeline.on_event(on_error="disable")
    def disabled(event: HoldEvent, ctx: Context) -> None:
        failing("disable")

    with PipelineHarness(pipeline, raise_failures=False) as harness:
        harness.feed(ANN, BOB)
        harness.advance(timedelta(hours=1))
        assert calls == {"log": 2, "retry": 6, "disable": 1}
        assert harness.meter("disabled").status == "disabled"


def test_a_mistake_has_a_name_a_line_and_a_cure_before_anything_runs(tmp_path: Path) -> None:
    file = tmp_path / "tiers.py"
    file.write_text(FILE.replace("batch: Batch, ctx: Context", "rows"), encoding="utf-8")
    (defect,) = defects(Spec(file=file))
    assert (defect.name, defect.line) == ("signature", 8)
    assert defect.cure == "write def follow(batch, ctx)"

"""A file runs where it says, and is not executed anywhere else."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.errors import HoldMetricsError
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.loading.loader import LoadError
from poh_holdmetrics.pipeline.loading.specs import Spec
from poh_holdmetrics.pipeline.offline.local import LocalHost
from poh_holdmetrics.pipeline.serving.in_process import Surroundings
from poh_holdmetrics.pipeline.serving.staging import is_isolated, stage_for
from poh_holdmetrics.scheduler import AsyncScheduler
from poh_holdmetrics.tracker import AsyncTracker

FILE = """
import os, pathlib
with pathlib.Path(__file__).with_name("executed").open("a") as file:
    file.write(f"{{os.getpid()}}\\n")
from poh_holdmetrics import Pipeline
pipeline = Pipeline("tiers"{options})
@pipeline.on_batch()
def follow(batch, ctx): ...
"""


def write(folder: Path, options: str, more: str = "") -> Spec:
    (folder / "tiers.py").write_text(FILE.format(options=options) + more, encoding="utf-8")
    return Spec(file=folder / "tiers.py")


def staged(spec: Spec) -> list[int]:
    """The processes that have executed the file."""

    async def run() -> None:
        guard = Guard()
        around = Surroundings(
            host=LocalHost(AsyncTracker()),
            guard=guard,
            clock=LoopClock(),
            scheduler=AsyncScheduler(handle_signals=False),
        )
        try:
            runner = await stage_for(around)(spec, 1)
            assert runner.names == ("tiers",)
            await runner.drop()
        finally:
            guard.close()

    asyncio.run(run())
    return [int(line) for line in (spec.file.parent / "executed").read_text("utf-8").split()]


def test_a_file_that_says_nothing_runs_in_this_process(tmp_path: Path) -> None:
    assert staged(write(tmp_path, "")) == [os.getpid()]


@pytest.mark.skipif(os.name == "nt", reason="worker processes need Unix")
def test_an_isolated_file_is_never_executed_in_this_process(tmp_path: Path) -> None:
    (process,) = staged(write(tmp_path, ', isolation="process"'))
    assert process != os.getpid()


def test_a_file_whose_isolation_cannot_be_read_is_not_executed(tmp_path: Path) -> None:
    for options, more, words in (
        (', isolation="pro" + "cess"', "", "the isolation is not a text"),
        (', **{"isolation": "process"}', "", "the isolation is not a text"),
        ("", 'other = Pipeline("other", isolation="process")\n', "move them into other files"),
    ):
        with pytest.raises(LoadError, match=words):
            staged(write(tmp_path, options, more))
    assert not (tmp_path / "executed").exists()


def test_isolation_that_the_file_hides_is_refused(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(
        'from poh_holdmetrics import Pipeline\npipeline = Pipeline("tiers", isolation="process")\n', "utf-8"
    )
    spec = write(tmp_path, "")
    spec.file.write_text("from made import pipeline\n@pipeline.on_batch()\ndef f(batch, ctx): ...\n", "utf-8")
    with pytest.raises(HoldMetricsError, match="the isolation of tiers is not that which the file says"):
        staged(spec)


def test_a_file_that_cannot_be_parsed_is_isolated_by_nothing(tmp_path: Path) -> None:
    (tmp_path / "tiers.py").write_text("x = = 1\n", encoding="utf-8")
    assert not is_isolated(Spec(file=tmp_path / "tiers.py"))
    assert not is_isolated(Spec(file=tmp_path / "missing.py"))

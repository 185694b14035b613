"""A copy of the facts of the real service counts as processed with its end, and not before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from poh_holdmetrics import native
from served import AT_ONCE, Service, serving

pytestmark = [
    pytest.mark.skipif(not native.inside_host(), reason="needs to run inside main_holdmetrics"),
    pytest.mark.skipif(os.name == "nt", reason="needs Unix"),
]

FILE = """
import pathlib, time
from poh_holdmetrics import Pipeline

pipeline = Pipeline("facts", start="beginning")
folder = pathlib.Path(__file__).parent

@pipeline.on_batch()
def follow(batch, ctx):
    {state}
    with (folder / "facts.archived").open("a") as file:
        file.write("".join(f"{{each}}\\n" for each in batch.event_id))
    time.sleep({seconds})
"""
STATE = 'ctx.state["batches"] = ctx.state.get("batches", 0) + 1'
EVENTS = 16_000


def send_all(service: Service) -> None:
    """Send events with long names, so that their facts are several batches."""
    for first in range(0, EVENTS, EVENTS // 4):
        service.send(first, EVENTS // 4, holder="h" * 200)


def consumer(service: Service) -> dict[str, object]:
    return dict(service.ask("/admin/pipelines")["pipelines"][0]["consumers"][0])


@pytest.mark.parametrize("state", [STATE, "pass"])
def test_a_copy_that_is_killed_begins_again(tmp_path: Path, state: str) -> None:
    file = tmp_path / "facts.py"
    with serving(tmp_path, []) as service:
        send_all(service)
    file.write_text(FILE.format(state=state, seconds=0.3), encoding="utf-8")
    for _ in range(2):
        (tmp_path / "facts.archived").unlink(missing_ok=True)
        with serving(tmp_path, [file]) as service:
            # What the first call changed is stored before the second one.
            service.until(lambda: len(service.archived("facts")) > EVENTS // 3)
            seen = len(service.archived("facts"))
            service.kill()
    assert 0 < seen < EVENTS, "the copy was not interrupted"
    with serving(tmp_path, [file]) as service:
        service.until(lambda: len(service.archived("facts")) == EVENTS)
        service.until(lambda: consumer(service)["is_reading_facts"] is False)
        service.send(EVENTS)
        service.until(lambda: len(service.archived("facts")) == EVENTS + AT_ONCE)

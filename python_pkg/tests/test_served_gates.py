"""`before_accept` of a pipeline in a process of its own, in the real service: stuck and dead, too."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from poh_holdmetrics import native
from served import Service, serving, workers_of

pytestmark = [
    pytest.mark.skipif(not native.inside_host(), reason="needs to run inside main_holdmetrics"),
    pytest.mark.skipif(os.name == "nt", reason="needs Unix"),
]

FILE = """
from poh_holdmetrics import Pipeline

pipeline = Pipeline("apart", isolation="process")


@pipeline.before_accept(budget="1s", on_timeout="refuse", token="T")
def check(batch, ctx):
    while "stuck" in batch.holder_id:
        pass
    return {
        row: event.model_copy(update={"holder_id": "renamed"}) if event.holder_id == "c" else "no b here"
        for row, event in enumerate(batch.events())
        if event.holder_id in ("b", "c")
    }
"""
AGAIN = "send the event again later"


def refused(service: Service, *holders: str) -> list[str]:
    """Send an event of each holder; returns why some are refused."""
    events = [{"token_id": "T", "holder_id": holder, "start": 0, "end": 1000} for holder in holders]
    request = urllib.request.Request(  # noqa: S310 - our own address
        service.address + "/hold", json.dumps(events).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return [each["reason"] for each in json.load(answer)["refused"]]


def gate(service: Service) -> Any:
    (pipeline,) = service.ask("/admin/pipelines")["pipelines"]
    return pipeline["gates"][0] if pipeline["state"] == "running" and pipeline["gates"] else None


def test_a_gate_of_a_worker_answers_and_its_death_is_that_of_no_event(tmp_path: Path) -> None:
    file = tmp_path / "apart.py"
    file.write_text(FILE, "utf-8")
    with serving(tmp_path, [file]) as service:
        service.until(lambda: gate(service) is not None)
        no_b = "before_accept: apart/check: no b here"
        assert refused(service, "a", "b", "c") == [no_b]
        holders = service.ask("/leaderboard")["holders"]
        assert {row["holder_id"] for row in holders} == {"a", "renamed"}
        assert service.handler("apart", "check")["outcomes"] == {"refused": 1}

        (pid,) = workers_of(service.process.pid)
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        late = f"before_accept: apart/check: no answer within 1s; {AGAIN}"
        assert refused(service, "a") == [late]
        assert 1 <= time.monotonic() - began < 3
        os.kill(pid, signal.SIGKILL)
        dead = f"before_accept: apart/check: failed; {AGAIN}"
        service.until(lambda: refused(service, "b") == [dead])
        service.until(lambda: refused(service, "b") == [no_b])
        assert workers_of(service.process.pid) != [pid]


def test_a_stuck_gate_of_a_worker_is_bypassed_and_asked_again(tmp_path: Path) -> None:
    file = tmp_path / "apart.py"
    file.write_text(FILE.replace('budget="1s"', 'budget="50ms"'), "utf-8")
    limits = {"HOLDMETRICS_PIPELINES_SOFT_LIMIT": "1s", "HOLDMETRICS_PIPELINES_HARD_LIMIT": "1s"}
    with serving(tmp_path, [file], limits) as service:
        service.until(lambda: gate(service) is not None)
        reasons = [refused(service, "stuck")[0] for _ in range(8)]
        assert reasons[0] == f"before_accept: apart/check: no answer within 50ms; {AGAIN}"
        assert reasons[-1] == f"before_accept: apart/check: does not answer and is bypassed; {AGAIN}"
        assert gate(service)["is_bypassed"]
        # Its hard limit ends the call, and the next probe is answered.
        service.until(lambda: refused(service, "b") == ["before_accept: apart/check: no b here"])
        assert not gate(service)["is_bypassed"]

"""Policies of pipelines in the real service: ready ones, functions, one that raises, and reloads."""

from __future__ import annotations

import json
import os
import signal
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from poh_holdmetrics import native
from poh_holdmetrics.policy_files import policy_from_spec
from served import Service, serving, workers_of

pytestmark = [
    pytest.mark.skipif(not native.inside_host(), reason="needs to run inside main_holdmetrics"),
    pytest.mark.skipif(os.name == "nt", reason="needs Unix"),
]

FILE = """
from fractions import Fraction

from poh_holdmetrics import Pipeline
from poh_holdmetrics.policies import Policy, Segments, Tiers

from rules import RATE

pipeline = Pipeline("published", isolation="ISOLATION")
pipeline.policy("tiers")(Policy(steps=[Tiers(multipliers={"1s": 2})]))


@pipeline.policy("thirds")
def thirds(segments: Segments) -> dict[str, Fraction]:
    return {holder: Fraction(len(rows), RATE) for holder, rows in segments.by_holder()}


@pipeline.policy("broken")
def broken(segments: Segments) -> dict[str, float]:
    return {holder: 0.5 for holder in segments.holder_id}
"""
EVENTS: list[dict[str, object]] = [
    {"token_id": "T", "holder_id": "ada", "start": 0, "end": 3000},
    {"token_id": "T", "holder_id": "bob", "start": 0, "end": 1000},
    {"token_id": "U", "holder_id": "bob", "start": 0, "end": 1000},
]


def board(service: Service, policy: str, more: str = "") -> tuple[list[tuple[int, str, int, str]], str]:
    """The rows under a policy, and its version."""
    answer = service.ask(f"/leaderboard?policy={policy}&as_of=10000{more}")
    rows = [(row["rank"], row["holder_id"], row["held_us"], row["score"]) for row in answer["holders"]]
    return rows, answer["policy"]["version"]


def refusal(service: Service, policy: str) -> tuple[int, Any]:
    try:
        service.ask(f"/leaderboard?policy={policy}")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["detail"]
    raise AssertionError(policy)


def record(service: Service) -> None:
    """Let the pipeline run, and send the events."""
    service.until(lambda: service.ask("/admin/pipelines")["pipelines"][0]["state"] == "running")
    post(service, EVENTS)


def post(service: Service, events: list[dict[str, object]]) -> None:
    request = urllib.request.Request(  # noqa: S310 - our own address
        service.address + "/hold", json.dumps(events).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_policies_of_a_pipeline_are_published_by_the_service(isolation: str, tmp_path: Path) -> None:
    file, rules = tmp_path / "published.py", tmp_path / "rules.py"
    file.write_text(FILE.replace("ISOLATION", isolation), "utf-8")
    rules.write_text("RATE = 3\n", "utf-8")
    with serving(tmp_path, [file]) as service:
        record(service)
        third = "0." + "3" * 24
        assert board(service, "tiers") == (
            [(1, "ada", 3_000_000, "5"), (2, "bob", 2_000_000, "2")],
            policy_from_spec(f"{file}:tiers").version,
        )
        thirds = policy_from_spec(f"{file}:thirds").version
        assert board(service, "thirds") == (
            [(1, "bob", 2_000_000, "0." + "6" * 24), (2, "ada", 3_000_000, third)],
            thirds,
        )
        assert board(service, "thirds", "&token_id=U")[0] == [(1, "bob", 1_000_000, third)]
        inexact = 'policy: "ada": a float is not exact: 0.5; return int, Fraction or Decimal'
        assert refusal(service, "broken") == (503, f'policy "broken": InputError: {inexact}')
        assert refusal(service, "fourths") == (
            400,
            'policy: unknown policy "fourths"; known are broken, thirds, tiers',
        )
        rules.write_text("RATE = 1\n", "utf-8")
        service.process.send_signal(signal.SIGHUP)
        service.until(lambda: board(service, "thirds")[1] != thirds)
        assert board(service, "thirds")[0] == [(1, "bob", 2_000_000, "2"), (2, "ada", 3_000_000, "1")]


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_an_answer_under_a_function_is_that_of_its_sequence_while_events_arrive(
    isolation: str, tmp_path: Path
) -> None:
    """A function once read what was held after the number of its answer, and counted later events."""
    file, holders = tmp_path / "published.py", [f"h{number}" for number in range(9)]
    file.write_text(FILE.replace("ISOLATION", isolation), "utf-8")
    (tmp_path / "rules.py").write_text("RATE = 1\n", "utf-8")
    with serving(tmp_path, [file]) as service:
        record(service)
        over = threading.Event()

        def send() -> None:
            number = 0
            while not over.is_set():
                start = 10 * number
                held = {"token_id": "T", "start": start, "end": start + 1}
                post(service, [held | {"holder_id": holder} for holder in holders])
                number += 1

        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send)
            try:
                for _ in range(20):
                    answer = service.ask("/leaderboard?policy=thirds")
                    # The first three events are those of other holders; the function counts segments.
                    each = (answer["sequence"] - len(EVENTS)) // len(holders)
                    scores = {row["score"] for row in answer["holders"] if row["holder_id"] in holders}
                    assert scores <= {str(each)}, answer["sequence"]
            finally:
                over.set()
            sending.result()
        assert each > 1, "nothing has arrived meanwhile"


def test_a_worker_that_is_killed_costs_the_answers_of_its_functions_until_it_is_replaced(
    tmp_path: Path,
) -> None:
    file = tmp_path / "published.py"
    file.write_text(FILE.replace("ISOLATION", "process"), "utf-8")
    (tmp_path / "rules.py").write_text("RATE = 3\n", "utf-8")
    with serving(tmp_path, [file]) as service:
        record(service)
        before = board(service, "thirds")
        (pid,) = workers_of(service.process.pid)
        os.kill(pid, signal.SIGKILL)
        service.send(0)  # so that the answer before is not that to the next question
        code, detail = refusal(service, "thirds")
        ended = "the worker process of published has ended; ask again when another one runs"
        assert (code, detail) == (503, f'policy "thirds": {ended}')
        # Ready policies need no worker.
        assert len(board(service, "tiers")[0]) == 2
        service.until(lambda: "policy" in service.tried("/leaderboard?policy=thirds&as_of=10000"))
        (new,) = workers_of(service.process.pid)
        assert new != pid
        assert board(service, "thirds")[1] == before[1]


def test_policies_of_the_settings_are_read_again_on_a_signal(tmp_path: Path) -> None:
    season = tmp_path / "season.json"
    document = '{"steps": [{"step": "tiers", "multipliers": {"0s": %d}}]}'
    season.write_text(document % 2, "utf-8")
    with serving(tmp_path, [], {"HOLDMETRICS_POLICIES_FILES": f"season={season}"}) as service:
        service.send(0)
        first = board(service, "season")
        assert first == ([(1, "ada", 9_000_000, "18")], policy_from_spec(str(season)).version)
        season.write_text("{}", "utf-8")
        service.process.send_signal(signal.SIGHUP)
        service.until(lambda: "Kept a policy" in service.log())
        assert board(service, "season") == first
        season.write_text(document % 3, "utf-8")
        service.process.send_signal(signal.SIGHUP)
        service.until(lambda: board(service, "season") != first)
        assert board(service, "season")[0] == [(1, "ada", 9_000_000, "27")]

"""Reloads of the real service while events come in: nothing is lost, nothing is repeated, nothing grows."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from poh_holdmetrics import native
from served import AT_ONCE, Service, serving

pytestmark = [
    pytest.mark.skipif(not native.inside_host(), reason="needs to run inside main_holdmetrics"),
    pytest.mark.skipif(os.name == "nt", reason="needs Unix"),
]

FILE = """
import pathlib
import rules
from poh_holdmetrics import Pipeline
from poh_holdmetrics.pipeline import Batch, Context

pipeline = Pipeline("{name}", start="beginning", isolation="{isolation}")
folder = pathlib.Path(__file__).parent

@pipeline.on_batch()
async def follow(batch: Batch, ctx: Context) -> None:
    with (folder / "{name}.followed").open("a") as file:
        file.write("".join(f"{{each}} {{rules.WORD}}\\n" for each in batch.event_id))

@pipeline.sink(batch=7, flush="10ms")
def archive(batch: Batch, ctx: Context) -> None:
    with (folder / "{name}.archived").open("a") as file:
        file.write("".join(f"{{each}}\\n" for each in batch.event_id))
"""


def lines(service: Service, file: str) -> list[str]:
    path = service.folder / file
    return path.read_text("utf-8").splitlines() if path.exists() else []


def follows(service: Service, word: str) -> None:
    """Wait until a handler of the generation with this word has followed events."""
    service.until(lambda: word in "\n".join(lines(service, "tiers.followed")[-50:]))


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_reloads_under_load_lose_and_repeat_nothing(isolation: str, tmp_path: Path) -> None:
    file, rules = tmp_path / "tiers.py", tmp_path / "rules.py"
    file.write_text(FILE.format(name="tiers", isolation=isolation), encoding="utf-8")
    rules.write_text("WORD = 'word 0'\n", encoding="utf-8")
    sent = 0
    is_done = threading.Event()

    def sending() -> None:
        nonlocal sent
        while not is_done.is_set():
            service.send(sent)
            sent += AT_ONCE
            time.sleep(0.002)

    with serving(tmp_path, [file]) as service:
        sender = threading.Thread(target=sending)
        sender.start()
        try:
            follows(service, "word 0")
            for number in range(1, 11):
                if number % 3 == 0:
                    rules.write_text("WORD = = 1\n", encoding="utf-8")
                    status, answer = service.order("/admin/pipelines/reload?name=tiers")
                    assert status == 409
                    assert "SyntaxError" in answer["traceback"]
                rules.write_text(f"WORD = 'word {number}'\n", encoding="utf-8")
                status, answer = service.order("/admin/pipelines/reload")
                assert status == 200, answer
                assert answer["reloaded"][0]["generation"] == number + 1
                service.until(lambda: service.ask("/admin/pipelines")["pipelines"][0]["state"] == "running")
                follows(service, f"word {number}")
        finally:
            is_done.set()
            sender.join()
        everything = [f"event {number}" for number in range(sent)]
        service.until(lambda: len(lines(service, "tiers.archived")) >= sent)
        service.until(lambda: len(lines(service, "tiers.followed")) >= sent)
        assert lines(service, "tiers.archived") == everything
        followed = [line.rsplit(" word ", 1) for line in lines(service, "tiers.followed")]
        assert [event for event, _ in followed] == everything
        words = [int(word) for _, word in followed]
        assert words == sorted(words)
        assert set(words) == set(range(11))


def test_a_signal_reloads_all_files(tmp_path: Path) -> None:
    file, rules = tmp_path / "tiers.py", tmp_path / "rules.py"
    file.write_text(FILE.format(name="tiers", isolation="none"), encoding="utf-8")
    rules.write_text("WORD = 'word 0'\n", encoding="utf-8")
    with serving(tmp_path, [file, tmp_path / "later.py"]) as service:
        assert {each["name"]: each["state"] for each in service.ask("/admin/pipelines")["pipelines"]} == {
            "later": "failed",
            "tiers": "running",
        }
        (tmp_path / "later.py").write_text(FILE.format(name="later", isolation="none"), encoding="utf-8")
        service.process.send_signal(signal.SIGHUP)
        service.until(
            lambda: (
                {each["name"]: each["generation"] for each in service.ask("/admin/pipelines")["pipelines"]}
                == {"later": 1, "tiers": 2}
            )
        )

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from poh_holdmetrics.cli import main

EVENTS = [
    {
        "token_id": "punk/1",
        "holder_id": "ada",
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-01T06:00:00Z",
    },
    {"token_id": "punk/2", "holder_id": "bob", "start": "2026-01-01T01:00:00Z"},
    {"token_id": "cat/1", "holder_id": "cyd", "start": "2026-01-01T02:00:00.5Z"},
]
TIERS = """
from poh_holdmetrics import HoldEvent, Pipeline

pipeline = Pipeline("tiers", start="beginning", arguments={"word": "none"})

@pipeline.on_batch(token="punk/*")
def follow(batch, ctx):
    ctx.state["punks"] = ctx.state.get("punks", 0) + len(batch)
    ctx.metrics.counter("batches")
    ctx.log.info("%s at %s", ctx.arguments["word"], ctx.now.isoformat())
    for event in batch.events():
        if event.holder_id != "bonus":
            ctx.emit(HoldEvent(token_id="bonus", holder_id="bonus", start=ctx.now, event_id=event.token_id))

@pipeline.every("1h")
def hourly(ctx):
    ctx.state["hours"] = ctx.state.get("hours", 0) + 1

@pipeline.sink(token="punk/*")
def archive(batch, ctx):
    ctx.state["archived"] = ctx.state.get("archived", 0) + len(batch)

@pipeline.source(every="1h")
def listing(ctx, position):
    raise AssertionError("not read")
    yield

@pipeline.policy("flat")
def flat(segments):
    return {holder: 1 for holder in segments.holder_id}
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("events.jsonl").write_text("\n".join(map(json.dumps, EVENTS)), encoding="utf-8")
    Path("tiers.py").write_text(TIERS, encoding="utf-8")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["pipeline", *words])
    return code, *capsys.readouterr()


def reported(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(capsys, "test", "tiers.py", "--events", "events.jsonl", "--json", *words)
    (report,) = json.loads(out)["pipelines"]
    return code, report


def test_a_starter_passes_check_and_test_and_is_never_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "new", "my pipe-line.py")
    assert (code, out.split(". Next")[0]) == (0, "Wrote my pipe-line.py")
    assert 'Pipeline("my_pipe-line"' in Path("my pipe-line.py").read_text("utf-8")
    assert run(capsys, "check", "my pipe-line.py")[:2] == (0, "1 file: no defect\n")
    code, out, _ = run(capsys, "test", "my pipe-line.py", "--events", "events.jsonl")
    assert code == 0
    assert "first event of ada" in out
    Path("my pipe-line.py").write_text("mine", encoding="utf-8")
    code, _, error = run(capsys, "new", "my pipe-line.py")
    assert code == 2
    assert "exists already, and is not overwritten" in error
    assert Path("my pipe-line.py").read_text("utf-8") == "mine"
    assert "write tiers.py" in run(capsys, "new", "tiers")[2]


def test_a_starter_passes_mypy(capsys: pytest.CaptureFixture[str], python: str) -> None:
    pytest.importorskip("mypy")
    run(capsys, "new", "fresh.py")
    package = Path(__file__).resolve().parents[1]
    settings = ("--config-file", str(package / "pyproject.toml"))
    command = [python, "-m", "mypy", *settings, "--strict", "--no-incremental", "fresh.py"]
    found = subprocess.run(
        command, env={**os.environ, "MYPYPATH": str(package)}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_check_finds_a_name_that_two_files_have(capsys: pytest.CaptureFixture[str]) -> None:
    two = TIERS + 'other = Pipeline("other")\n@other.on_batch()\ndef ignore(batch, ctx):\n    pass\n'
    Path("two.py").write_text(two, encoding="utf-8")
    code, out, _ = run(capsys, "check", "tiers.py", "two.py")
    assert code == 1
    assert "two.py: line 4: name-taken: the name tiers is that of a pipeline in" in out
    assert "tiers.py; choose another name" in out
    assert run(capsys, "check", "tiers.py", "two.py:other")[0] == 0
    assert run(capsys, "check", "two.py:tiers", "two.py:other")[0] == 0


def test_check_prints_each_defect_with_its_cure(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.py").write_text(
        TIERS.replace('"tiers"', '"bad"').replace('"1h"', '"soon"').replace("(batch, ctx)", "(ctx, batch)"),
        "utf-8",
    )
    code, out, _ = run(capsys, "check", "tiers.py", "bad.py")
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith("bad.py: line 15: option: every: expected a duration")
    assert lines[-1] == "2 files: 2 defects"
    code, out, _ = run(capsys, "check", "bad.py", "--json")
    assert code == 1
    assert [(each["name"], each["line"]) for each in json.loads(out)] == [("option", 15), ("option", 23)]
    assert run(capsys, "check", "tiers.py", "--pipeline-arg", "tiers.word=a")[0] == 0
    code, out, _ = run(capsys, "check", "tiers.py", "--pipeline-arg", "tiers.wrd=a")
    assert code == 1
    assert "unknown-argument: tiers.wrd: unknown argument of the pipeline; known are word" in out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["check", "."], "x"),
        (["check", "events.jsonl"], "events.jsonl: not a pipeline; write FILE.py"),
        (["check", "tiers.py", "--pipeline-arg", "word=a"], "--pipeline-arg: 'word=a' is not NAME.KEY=VALUE"),
        (["check", "tiers.py", "--pipeline-arg", "tierz.word=a"], "did you mean tiers?"),
        (["test", "tiers.py", "--events", "events.jsonl", "--pipeline-arg", "x.y=a"], "known are tiers"),
        (["test", "tiers.py"], "--events: missing"),
        (["test", "tiers.py", "--events", "none.jsonl"], "none.jsonl: No such file"),
        (["test", "none.py", "--events", "events.jsonl"], "none.py: No such file"),
        (["test", "tiers.py", "--events", "events.jsonl", "--step", "soon"], "--step: expected a duration"),
        (
            ["test", "tiers.py", "--events", "events.jsonl", "--runs-max", "0"],
            "--runs-max: expected 1 or more",
        ),
        (["test", "tiers.py", "--events", "events.jsonl", "--as-of", "x"], "--as-of: not a time"),
        (["list", "--url", "example.org:80"], '"example.org:80" is not on this machine'),
        (["list", "--url", "ftp://example.org"], "is not an address"),
        (["list", "--api-key-file", "none"], "--api-key-file: none cannot be read"),
        (["list", "--ca", "events.jsonl"], "--ca: http://127.0.0.1:8000 is an address without TLS"),
        (["list", "--url", "https://localhost:1", "--ca", "events.jsonl"], "cannot be read as PEM"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    if problem == "x":
        Path("tiers.py").unlink()
        problem = "no file in this folder declares a pipeline"
    code, _, error = run(capsys, *words)
    assert code == 2
    assert error.startswith("error: ")
    assert problem in error


def test_a_test_reports_what_each_handler_did_and_would_write(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = reported(capsys, "--as-of", "2026-01-01T08:00:00Z", "--pipeline-arg", "tiers.word=hi")
    assert code == 0
    handlers = {each["name"]: each for each in report["handlers"]}
    assert {name: (each["calls"], each["events"]) for name, each in handlers.items()} == {
        "follow": (2, 2),
        "hourly": (7, 7),
        "archive": (2, 2),
        "listing": (0, 0),
        "flat": (0, 0),
    }
    assert handlers["listing"]["note"] == "not read"
    assert [each["token_id"] for each in handlers["archive"]["delivered"]] == ["punk/2", "punk/1"]
    assert report["state"] == {"punks": 2, "hours": 7, "archived": 2}
    assert report["metrics"] == {"batches": 2}
    assert report["log"] == [
        "INFO follow: hi at 2026-01-01T01:00:00+00:00",
        "INFO follow: hi at 2026-01-01T06:00:00+00:00",
    ]
    assert [each["event_id"] for each in report["emitted"]] == ["punk/2", "punk/1"]
    (policy,) = report["policies"]
    assert sorted(row[1] for row in policy["rows"]) == ["ada", "bob", "bonus", "cyd"]
    assert (report["began"], report["ended"]) == ("2026-01-01T01:00:00Z", "2026-01-01T08:00:00Z")


def test_two_tests_give_the_same_report(capsys: pytest.CaptureFixture[str]) -> None:
    reports = []
    for _ in range(2):
        _, out, _ = run(capsys, "test", "tiers.py", "--events", "events.jsonl", "--json")
        reports.append(out)
    assert reports[0] == reports[1]
    shuffled = "\n".join(map(json.dumps, EVENTS[::-1]))
    Path("events.jsonl").write_text(shuffled, encoding="utf-8")
    assert run(capsys, "test", "tiers.py", "--events", "events.jsonl", "--json")[1] == reports[0]


def test_events_after_the_end_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    _, report = reported(capsys, "--as-of", "2026-01-01T03:00:00Z")
    assert (report["events"], report["left_out"]) == (2, 1)
    assert report["state"]["punks"] == 1


def test_a_dry_run_calls_no_sink_and_shows_what_it_would_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = reported(capsys, "--dry-run")
    assert code == 0
    assert "archived" not in report["state"]
    (archive,) = [each for each in report["handlers"] if each["name"] == "archive"]
    assert archive["note"] == "not called (dry run)"
    assert len(archive["delivered"]) == 2


def test_a_job_over_a_long_time_runs_less_often(capsys: pytest.CaptureFixture[str]) -> None:
    _, report = reported(capsys, "--as-of", "2036-01-01", "--runs-max", "100")
    (hourly,) = [each for each in report["handlers"] if each["name"] == "hourly"]
    assert 90 < hourly["calls"] <= 100
    assert hourly["note"].startswith("run every ")
    assert hourly["note"].endswith(" s, as one of 877 times")


def test_a_handler_that_raises_fails_the_test_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    Path("tiers.py").write_text(TIERS.replace('ctx.state["punks"] =', "ctx.state[1 // 0] ="), "utf-8")
    code, out, error = run(capsys, "test", "tiers.py", "--events", "events.jsonl")
    assert (code, error) == (1, "")
    assert "follow raised:\nTraceback" in out
    assert "ZeroDivisionError" in out
    assert "ctx.state[1 // 0]" in out
    Path("tiers.py").write_text(TIERS.replace("1 for holder", "0.5 for holder"), "utf-8")
    code, out, _ = run(capsys, "test", "tiers.py", "--events", "events.jsonl")
    assert code == 1
    assert "flat raised:" in out


def test_the_table_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "test", "tiers.py", "--events", "events.jsonl")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "tiers: 3 events from 2026-01-01T01:00:00Z to 2026-01-01T06:00:00Z"
    assert lines[2].split() == ["handler", "kind", "calls", "events", "failures"]
    assert "would write: 2" in lines
    assert "  punks = 2" in lines
    assert "given to archive: 2" in lines


def test_cases_beside_the_file_are_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("tiers.cases").mkdir()
    Path("tiers.py").write_text(TIERS.replace('raise AssertionError("not read")', "return"), encoding="utf-8")
    case = {"about": "one punk", "steps": [{"feed": EVENTS[:1]}], "expect": {"state": {"punks": 1}}}
    Path("tiers.cases/good.json").write_text(json.dumps(case), encoding="utf-8")
    code, out, _ = run(capsys, "test", "tiers.py")
    assert (code, out) == (0, "case good passed: one punk\n1 passed, 0 failed\n")
    case["expect"] = {"state": {"punks": 2}}
    Path("tiers.cases/bad.json").write_text(json.dumps(case), encoding="utf-8")
    code, out, _ = run(capsys, "test", "tiers.py", "--events", "events.jsonl")
    assert code == 1
    assert out.endswith("passed: one punk\n1 passed, 1 failed\n")
    assert '  state: expected {"punks": 2}, found {' in out
    code, out, _ = run(capsys, "test", "tiers.py", "--json")
    assert [(each["case"], each["has_passed"]) for each in json.loads(out)["cases"]] == [
        ("bad", False),
        ("good", True),
    ]
    with Path("tiers.py").open("a", encoding="utf-8") as file:
        file.write('\nsecond = Pipeline("second")\n')
    code, _, error = run(capsys, "test", "tiers.py")
    assert code == 2
    assert "write FILE:NAME, one of tiers, second" in error
    assert run(capsys, "test", "tiers.py:tiers")[0] == 1


class Admin(HTTPServer):
    """Answers as the routes under /admin do, and notes what was asked."""

    def __init__(self, answers: dict[str, tuple[int, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Admin

    def do_GET(self) -> None:
        asked = f"{self.command} {self.path}"
        self.server.asked.append((asked, self.headers["authorization"]))
        status, answer = self.server.answers.get(asked, (404, {"detail": "no such route"}))
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@contextmanager
def admin(**answers: tuple[int, Any]) -> Iterator[Admin]:
    with Admin(
        {" /".join(key.split("_", 1)).replace("__", "/"): value for key, value in answers.items()}
    ) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


PIPELINES = {
    "pipelines": [
        {
            "name": "tiers",
            "state": "running",
            "detail": "tiers.py: line 3: SyntaxError: invalid syntax\nTraceback ...",
            "generation": 2,
            "handlers": [
                {"name": "follow", "state": "running", "calls": 1234, "failures": 1},
                {"name": "archive", "state": "disabled", "calls": 1, "failures": 1},
            ],
            "consumers": [{"lag_events": 10_000}, {"lag_events": 5}],
        }
    ]
}


def test_list_shows_what_a_service_has(capsys: pytest.CaptureFixture[str]) -> None:
    Path("key").write_text("secret\n", encoding="utf-8")
    with admin(GET_admin__pipelines=(200, PIPELINES)) as server:
        code, out, _ = run(capsys, "list", "--url", server.url + "/", "--api-key-file", "key")
        assert code == 0
        assert out.splitlines()[1].split() == [
            *("tiers", "running", "2", "10,005", "1,235", "2", "follow,", "archive", "(disabled)"),
        ]
        assert "tiers: tiers.py: line 3: SyntaxError: invalid syntax\nTraceback ..." in out
        code, out, _ = run(capsys, "list", "--url", server.url.removeprefix("http://"), "--json")
        assert json.loads(out) == PIPELINES
        assert server.asked == [("GET /admin/pipelines", "Bearer secret"), ("GET /admin/pipelines", None)]


def test_reload_and_replay_say_what_the_service_answers(capsys: pytest.CaptureFixture[str]) -> None:
    reloaded = {"reloaded": [{"file": "/t.py", "pipelines": ["a", "b"], "generation": 3, "digest": "f" * 64}]}
    broken = {"detail": "t.py: line 1: broken (generation 2 goes on)", "traceback": "Traceback\n  x = =\n"}
    replayed = {"sinks": [{"handler": "archive", "events": 1500, "files_left": 1, "reason": "OSError: down"}]}
    with admin() as server:
        server.answers = {
            "POST /admin/pipelines/reload": (200, reloaded),
            "POST /admin/pipelines/reload?name=a+b": (409, broken),
            "POST /admin/pipelines/a%2Fb/replay?handler=archive": (200, replayed),
            "POST /admin/pipelines/a%2Fb/enable": (200, {"enabled": "a/b"}),
            "POST /admin/pipelines/x/replay": (200, b"<html>"),
            "POST /admin/pipelines/y/replay": (502, b"<html>"),
        }
        url = ("--url", server.url)
        code, out, _ = run(capsys, "reload", *url)
        assert (code, out.splitlines()[1].split()) == (0, ["a,", "b", "3", "f" * 12, "/t.py"])
        code, _, error = run(capsys, "reload", "a b", *url)
        assert code == 1
        assert error == f"Traceback\n  x = =\nerror: {server.url}: {broken['detail']}\n"
        code, out, _ = run(capsys, "replay", "a/b", "archive", *url)
        assert (code, out.splitlines()[1].split()) == (0, ["archive", "1,500", "1", "OSError:", "down"])
        assert run(capsys, "enable", "a/b", *url)[:2] == (0, "enabled a/b\n")
        assert "the answer is not JSON" in run(capsys, "replay", "x", *url)[2]
        assert "502 Bad Gateway" in run(capsys, "replay", "y", *url)[2]
        assert "no such route" in run(capsys, "replay", "z", *url)[2]
    code, _, error = run(capsys, "list", *url)
    assert code == 1
    assert "cannot be reached (" in error


@pytest.mark.parametrize("word", ["", "new", "check", "test", "list", "reload", "replay", "enable"])
def test_help_teaches(capsys: pytest.CaptureFixture[str], word: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["pipeline", *([word] if word else []), "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 8


@pytest.mark.skipif(os.name == "nt", reason="needs Unix")
@pytest.mark.parametrize("wait", ["time.sleep(0.1)", "pass"])
def test_one_interrupt_ends_a_test_whatever_its_handlers_do(tmp_path: Path, wait: str) -> None:
    file, events = tmp_path / "endless.py", tmp_path / "events.jsonl"
    file.write_text(
        "import pathlib, time\nfrom poh_holdmetrics import Pipeline\npipeline = Pipeline('endless')\n"
        "@pipeline.on_event()\ndef follow(event, ctx):\n"
        "    pathlib.Path(__file__).with_name('called').touch()\n"
        f"    while True:\n        try:\n            {wait}\n"
        "        except BaseException:\n            pass\n",
        "utf-8",
    )
    events.write_text(json.dumps(EVENTS[0]), "utf-8")
    command = [
        sys.executable,
        "-m",
        "poh_holdmetrics",
        "pipeline",
        "test",
        str(file),
        "--events",
        str(events),
    ]
    process = subprocess.Popen(command)
    try:
        ends = time.monotonic() + 20
        while not (tmp_path / "called").exists():
            assert time.monotonic() < ends
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 130
    finally:
        process.kill()
        process.wait()

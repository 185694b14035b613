"""The service under Wine, called from this machine: pipelines, crashes, signals, the service manager."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from conftest import PATIENCE, Service, Wine, serving, until, windows_path
from poh_holdmetrics import HoldEvent
from poh_holdmetrics.client import HoldClient

HOUR = 3_600_000_000


def event(number: int) -> dict[str, object]:
    return {
        "token_id": f"猫{number}",
        "holder_id": f"holder {number % 7}",
        "start": 0,
        "end": 10_000 * (number + 1),
    }


def posted(service: Service, events: list[dict[str, object]]) -> dict[str, Any]:
    body = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in events).encode()
    request = urllib.request.Request(
        f"http://{service.http}/hold", body, {"content-type": "application/x-ndjson"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def got(service: Service, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://{service.http}{path}", timeout=PATIENCE) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def test_http_and_grpc_see_the_same(wine: Wine, odd_program: Path, tmp_path: Path) -> None:
    folder = tmp_path / "データ folder"
    folder.mkdir()
    with serving(wine, odd_program, folder) as service:
        acknowledged = posted(service, [event(number) for number in range(10)])
        assert acknowledged["durability"] == "DURABLE"
        with HoldClient(f"grpc://{service.grpc}") as client:
            held = HoldEvent.model_validate({"token_id": "猫", "holder_id": "花子", "start": 0, "end": HOUR})
            assert client.send([held]).durability == "DURABLE"
            over_grpc = [(each.holder_id, each.held_us) for each in client.leaderboard(100).holders]
        with HoldClient(f"http://{service.http}") as client:
            over_http = [(each.holder_id, each.held_us) for each in client.leaderboard(100).holders]
        assert over_grpc == over_http
        assert over_grpc[0] == ("花子", 1000 * HOUR)
        # A second service over the same folder is refused.
        taken = wine.run(odd_program, "serve", "--data-dir", "data", "--http-addr", "127.0.0.1:0", cwd=folder)
        assert taken.code == 1, taken
        assert "data: in use by" in taken.log, taken
        assert service.interrupt() == 0
    assert "Stopped." in service.log.read_text()
    said = wine.run(odd_program, "journal", "verify", "--data-dir", "data", cwd=folder)
    assert said.code == 0, said


class Sender:
    """Sends batches until the service is gone, and remembers what was acknowledged."""

    def __init__(self, service: Service, base: int) -> None:
        self.acknowledged = 0
        self.is_busy = threading.Event()
        self._service = service
        self._base = base
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def ended(self) -> int:
        """The last sequence number that was acknowledged."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.acknowledged

    def _send(self) -> None:
        for batch in range(10_000):
            events = [event(self._base + batch * 20 + number) for number in range(20)]
            try:
                self.acknowledged = posted(self._service, events)["sequence"]
            except OSError:
                return
            if batch == 30:
                self.is_busy.set()


def test_nothing_acknowledged_is_lost_by_a_kill(wine: Wine, program: Path, tmp_path: Path) -> None:
    acknowledged = 0
    for round_number in range(3):
        with serving(wine, program, tmp_path) as service:
            assert got(service, "/stats")["sequence"] >= acknowledged
            sender = Sender(service, round_number * 1_000_000)
            assert sender.is_busy.wait(PATIENCE)
            service.process.send_signal(signal.SIGKILL)
            service.process.wait(PATIENCE)
            acknowledged = sender.ended()
    assert acknowledged > 3 * 600
    with serving(wine, program, tmp_path) as service:
        assert got(service, "/stats")["sequence"] >= acknowledged
        assert service.interrupt() == 0


PIPELINE = """
import asyncio, pathlib, sqlite3, ssl
from pydantic import BaseModel
from poh_holdmetrics.pipeline import Batch, Context, Pipeline

pipeline = Pipeline("NAME"ISOLATION)
VERSION = "first"

class Seen(BaseModel):
    version: str
    rows: int

@pipeline.on_batch()
async def note(batch: Batch, ctx: Context) -> None:
    await asyncio.sleep(0)
    with open(pathlib.Path(__file__).with_name("NAME.jsonl"), "a", encoding="utf-8") as file:
        file.write(Seen(version=VERSION, rows=len(batch)).model_dump_json() + "\\n")
"""


def written(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_pipelines_run_here_and_in_a_process_and_are_loaded_anew(
    wine: Wine, odd_program: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "筋 書き"
    folder.mkdir()
    files = []
    for name, isolation in [("near", ""), ("apart", ', isolation="process"')]:
        files.append(folder / f"{name}.py")
        files[-1].write_text(PIPELINE.replace("NAME", name).replace("ISOLATION", isolation), encoding="utf-8")
    words = [word for file in files for word in ("--pipeline", windows_path(file))]
    with serving(wine, odd_program, tmp_path, *words, "--watch") as service:
        sent = iter(range(1_000_000))

        def has_seen(name: str, version: str) -> bool:
            # A pipeline begins with what comes after it is loaded.
            posted(service, [event(next(sent))])
            return f'"{version}"' in written(folder / f"{name}.jsonl")

        for name in ("near", "apart"):
            until(partial(has_seen, name, "first"), f"{name} is not loaded")
        for file in files:
            file.write_text(file.read_text(encoding="utf-8").replace('"first"', '"second"'), encoding="utf-8")
        for name in ("near", "apart"):
            until(partial(has_seen, name, "second"), f"{name} is not loaded anew")
        assert service.interrupt() == 0


SPINNING = """
from poh_holdmetrics.pipeline import Pipeline

pipeline = Pipeline("spins")

@pipeline.on_batch()
def spin(batch, ctx):
    list.sort([0] * 30_000_000)
    while True:
        try:
            (10 ** 10_000_000).__str__()
        except BaseException:
            pass
"""


def test_stuck_python_ends_the_process_and_names_the_line(wine: Wine, program: Path, tmp_path: Path) -> None:
    script = tmp_path / "spins.py"
    script.write_text("import sys\nsys.set_int_max_str_digits(0)\n" + SPINNING)
    limits = {"HOLDMETRICS_PIPELINES_FATAL_LIMIT": "2s", "HOLDMETRICS_PIPELINES_HARD_LIMIT": "1s"}
    limits["HOLDMETRICS_PIPELINES_SOFT_LIMIT"] = "1s"
    with serving(wine, program, tmp_path, "--pipeline", windows_path(script), env=limits) as service:
        sent = iter(range(1_000_000))

        def has_ended() -> bool:
            # A pipeline begins with what comes after it is loaded.
            with suppress(OSError):
                posted(service, [event(next(sent))])
            return service.process.poll() is not None

        until(has_ended, "the service has not ended")
        assert service.process.returncode == 70
    assert re.search(r'spins\.py", line \d+ in spin', service.log.read_text())


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


def test_the_service_manager_starts_and_stops_it(wine: Wine, odd_program: Path, tmp_path: Path) -> None:
    # Wine ends services with the last program that is not one.
    waits = "import time; time.sleep(1000)"
    with wine.started(odd_program, "python", "-c", waits, cwd=tmp_path):
        manage(wine, odd_program, tmp_path)


def manage(wine: Wine, program: Path, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    words = ["--data-dir", "data", "--http-addr", address, "--grpc-addr", "127.0.0.1:0"]
    said = wine.run(program, "serve", "--service", "install", *words, cwd=tmp_path)
    assert said.code == 0, said
    try:
        again = wine.run(program, "serve", "--service", "install", *words, cwd=tmp_path)
        assert again.code == 1, again
        for _ in range(2):
            # For a moment after a stop, the manager says that the service still runs.
            until(
                lambda: wine.run("net", "start", "holdmetrics", cwd=tmp_path).code == 0,
                "the manager does not start the service",
            )

            def is_ready() -> bool:
                try:
                    with urllib.request.urlopen(f"http://{address}/healthz", timeout=5) as answer:
                        return bool(answer.status == 200)
                except OSError:
                    return False

            until(is_ready, f"the service does not answer: {written(tmp_path / 'holdmetrics.log')}")
            said = wine.run("net", "stop", "holdmetrics", cwd=tmp_path)
            assert said.code == 0, said
            until(lambda: not is_ready(), "the service does not stop")
    finally:
        said = wine.run(program, "serve", "--service", "remove", cwd=tmp_path)
    assert said.code == 0, said
    log = written(tmp_path / "holdmetrics.log")
    assert log.count("Stopping on a signal.") == 2, log
    assert (tmp_path / "data").is_dir()
    said = wine.run(program, "serve", "--service", "remove", cwd=tmp_path)
    assert said.code == 1, said

"""`serve --store` delivers what was acknowledged to SQLite, over a kill of the process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from poh_holdmetrics import native
from served import Service, program, serving
from store_events import facts, lag, mixed_events, saved, send, served, store, stored

pytestmark = [
    pytest.mark.skipif(not native.inside_host(), reason="needs to run inside main_holdmetrics"),
    pytest.mark.skipif(os.name == "nt", reason="needs Unix"),
]


def test_a_store_ends_equal_to_the_journal_over_a_kill(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    arguments = ["--store", url]
    first = list(mixed_events(20_000))
    with serving(tmp_path, [], arguments=arguments) as service:
        send(service, first)
        service.until(lambda: stored(url)[0] > 0)
        service.kill()
    second = list(mixed_events(2_000, 20_000))
    with serving(tmp_path, [], arguments=arguments) as service:
        send(service, second)
        service.until(lambda: lag(service) == 0)
        assert store(service)["file"] == f"sqlite:///{tmp_path}/events.db"
        count, scores = stored(url)
        assert count == facts([*first, *second])
        assert scores == served(service)
        # What the service makes of its journal natively has the ids that Python gives the same events.
        assert saved(url, [*first, *second]) == 0
        assert "left behind" not in service.log()
    other = f"sqlite:///{tmp_path}/other.db"
    with serving(tmp_path, [], arguments=["--store", other]) as service:
        service.until(lambda: lag(service) == 0)
        assert stored(other)[1] == served(service)


def test_a_pipeline_that_is_loaded_anew_leaves_no_connection_open(tmp_path: Path) -> None:
    file = tmp_path / "archive.py"
    path = tmp_path / "events.db"
    script = f"""
from poh_holdmetrics.pipeline import Pipeline
from poh_holdmetrics.storage import sink

pipeline = Pipeline("archive")
pipeline.sink("save", batch=100, flush="100ms")(sink("sqlite:///{path}"))
"""
    file.write_text(script)

    def open_files(service: Service) -> int:
        links = [each.readlink() for each in Path(f"/proc/{service.process.pid}/fd").iterdir()]
        return links.count(path)

    def waits(service: Service) -> int:
        (found,) = service.ask("/admin/pipelines")["pipelines"]
        return int(found["consumers"][0]["lag_events"]) if found["consumers"] else -1

    with serving(tmp_path, [file]) as service:
        for number in range(3):
            service.send(number * 100, 50)
            service.until(lambda: waits(service) == 0)
            assert open_files(service) == 1
            file.write_text(f"{script}# {number}\n")
            status, answer = service.order("/admin/pipelines/reload")
            assert status == 200, answer
            service.until(lambda: open_files(service) == 0)
    assert stored(f"sqlite:///{path}")[0] == 150


def test_what_cannot_be_delivered_to_is_refused_before_the_service_listens(tmp_path: Path) -> None:
    executable, environment = program()
    for address, sentence in [
        ("memory://", "serve.store: memory:// would keep a second copy"),
        ("redis://ann:secret@db1", "serve.store: redis://db1: unknown storage"),
        ("events.db", '--store: serve.store: "events.db" is not a list of addresses'),
    ]:
        ended = subprocess.run(
            [
                executable,
                "serve",
                "--data-dir",
                str(tmp_path),
                "--store",
                address,
                "--http-addr",
                "127.0.0.1:0",
            ],
            env={**environment, "GRPC_ADDRESS": "127.0.0.1:0"},
            capture_output=True,
            timeout=60,
            check=False,
            text=True,
        )
        assert ended.returncode == 2, ended.stderr
        assert sentence in ended.stderr
        assert "secret" not in ended.stderr
        assert not ended.stdout

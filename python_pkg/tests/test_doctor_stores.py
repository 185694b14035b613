"""`doctor --store` says of each store whether it answers, in which version, and what is wrong with it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from poh_holdmetrics.pipeline.serving.store_reports import reports
from served import program
from servers.process import free_port


def diagnosed(*arguments: str, **variables: str) -> tuple[int, dict[str, Any]]:
    executable, environment = program()
    environment = {name: value for name, value in environment.items() if not name.startswith("HOLDMETRICS_")}
    ended = subprocess.run(
        [executable, "doctor", "--json", *arguments],
        env={**environment, **variables},
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    assert "secret" not in ended.stdout + ended.stderr
    return ended.returncode, found


def test_a_file_is_told_with_the_version_of_the_library_and_not_created(tmp_path: Path) -> None:
    status, found = diagnosed("--store", f"sqlite:///{tmp_path}/events.db")
    expected = {"address": f"sqlite:///{tmp_path}/events.db", "version": f"SQLite {sqlite3.sqlite_version}"}
    assert (status, found["stores"], found["problems"]) == (0, [expected], [])
    assert not list(tmp_path.iterdir())


def test_the_stores_are_those_of_the_settings_of_serve(tmp_path: Path) -> None:
    settings = tmp_path / "holdmetrics.toml"
    settings.write_text(f'[serve]\nstore = ["sqlite:///{tmp_path}/a.db"]\n', "utf-8")
    status, found = diagnosed("--config", str(settings))
    assert (status, [each["address"] for each in found["stores"]]) == (0, [f"sqlite:///{tmp_path}/a.db"])
    status, found = diagnosed(HOLDMETRICS_SERVE_STORE=f"sqlite:///{tmp_path}/b.db")
    assert (status, [each["address"] for each in found["stores"]]) == (0, [f"sqlite:///{tmp_path}/b.db"])


def test_what_is_wrong_is_named_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but some text" * 100)
    expected = {
        "memory://": "serve.store: memory:// would keep a second copy",
        "redis://ann:secret@db1": "serve.store: redis://db1: unknown storage; expected one of",
        f"sqlite:///{tmp_path}/away/events.db": f"the folder {tmp_path}/away is missing; create it",
        f"sqlite:///{tmp_path}/text.db": "file is not a database",
    }
    status, found = diagnosed(*(word for address in expected for word in ("--store", address)))
    assert status == 1
    assert [each["version"] for each in found["stores"]] == [None] * len(expected)
    for problem, sentence in zip(found["problems"], expected.values(), strict=True):
        assert sentence in problem


def test_mongodb_alone_means_the_published_variable() -> None:
    pytest.importorskip("pymongo", reason="no pymongo: pip install 'poh-holdmetrics[mongodb]'")
    status, found = diagnosed("--store", "mongodb://", MONGODB_URL="")
    assert (status, found["problems"]) == (
        1,
        ["serve.store: mongodb:// means the address in MONGODB_URL, which is not set"],
    )
    port = free_port()
    address = f"mongodb://ann:secret@127.0.0.1:{port}/scores?serverSelectionTimeoutMS=200"
    status, found = diagnosed("--store", "mongodb://", MONGODB_URL=address)
    assert found["stores"] == [{"address": f"mongodb://127.0.0.1:{port}/scores", "version": None}]
    (problem,) = found["problems"]
    assert status == 1
    assert "[Errno 111] Connect" in problem
    assert problem.endswith("; start mongod, or correct the host and port of the address")


def test_an_immudb_that_is_away_is_named() -> None:
    pytest.importorskip("grpc", reason="no grpcio: pip install 'poh-holdmetrics[immudb]'")
    port = free_port()
    ((label, version, problem),) = reports([f"immudb://ann:secret@127.0.0.1:{port}/trail"])
    assert (label, version) == (f"immudb://127.0.0.1:{port}/trail", None)
    assert problem is not None
    assert "secret" not in problem
    assert problem.endswith("; start immudb, or correct the host and port of the address")

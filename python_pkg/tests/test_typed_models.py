"""Models are typed as people write them, and their help can be read; so is the extension."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
from pathlib import Path

import pytest

from conftest import PACKAGE, PRESENT
from poh_holdmetrics import HoldEvent, Transfer

GOOD = """
from poh_holdmetrics import HoldEvent, Transfer
HoldEvent(token_id="T", holder_id=7, start="2026-01-01T00:00:00Z", weight=2)
HoldEvent(token_id="T", holder_id="ann", at=1_767_225_600_000, delta="-1.5", event_id="a")
Transfer(token_id="T", to_id="ann", at="2026-01-01T00:00:00Z", amount=2.5, event_id="a")
"""
BAD = 'HoldEvent(token_id="T", holder_id="ann", start=[], weight=2)\n'
EXTENSION = """
import poh_holdmetrics_rust as extension
from poh_holdmetrics import HoldEvent, native
from poh_holdmetrics.pure.aggregator import AcceptedLines
snapshot: native.Snapshot = extension.aggregate([HoldEvent(token_id="T", holder_id="ann", start=0)], 7)
lines: AcceptedLines = extension.read_lines(b"", 7, id_bytes_max=1, ahead_us_max=1, line_bytes_max=1)
facts = extension.Aggregator()
facts.record_lines(extension.read_lines(b"", 7, id_bytes_max=1, ahead_us_max=1, line_bytes_max=1))
rows: list[native.Row] = extension.leaderboard(facts, 10, as_of_us=7)
"""
NOT_OF_THE_EXTENSION = 'extension.leaderboard(snapshot, "10", as_of_us=7)\n'
# They know which modules are generated.
SETTINGS = ("--config-file", str(PACKAGE.parent / "pyproject.toml"))

needs_extension = pytest.mark.skipif(PRESENT != "extension", reason="the extension is not in this process")


def checked(python: str, folder: Path, text: str) -> str:
    """What mypy says about a file that holds `text`."""
    pytest.importorskip("mypy", reason="types are checked where mypy is installed")
    file = folder / "snippet.py"
    file.write_text(text, "utf-8")
    command = [python, "-m", "mypy", *SETTINGS, "--strict", "--cache-dir", str(folder / "cache"), str(file)]
    environment = {"MYPYPATH": str(PACKAGE.parent)}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return run.stdout + run.stderr


def test_mypy_accepts_what_the_fields_take_and_nothing_else(python: str, tmp_path: Path) -> None:
    assert "Success" in checked(python, tmp_path, GOOD)
    found = checked(python, tmp_path, GOOD + BAD)
    assert found.count("error:") == 1, found


@needs_extension
def test_the_extension_is_typed_for_its_caller(python: str, tmp_path: Path) -> None:
    assert "Success" in checked(python, tmp_path, EXTENSION)
    found = checked(python, tmp_path, EXTENSION + NOT_OF_THE_EXTENSION)
    assert found.count("error:") == 2, found


@needs_extension
def test_the_stub_of_the_extension_fits_the_module(python: str, tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="types are checked where mypy is installed")
    # The module within the package of maturin, which shows its names and nothing else.
    (tmp_path / "allowed").write_text(r"poh_holdmetrics_rust\.poh_holdmetrics_rust", "utf-8")
    command = [python, "-m", "mypy.stubtest", "poh_holdmetrics_rust", "--allowlist", "allowed"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("model", [HoldEvent, Transfer])
def test_help_begins_with_a_readable_signature(model: type[HoldEvent | Transfer]) -> None:
    first = pydoc.plain(pydoc.render_doc(model)).split(" |")[0]
    assert f"class {model.__name__}(" in first
    assert "lambda" not in first
    assert "function" not in first
    assert list(inspect.signature(model).parameters) == list(model.model_fields)

"""Models are typed as people write them, and their help can be read."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
from pathlib import Path

import pytest

from conftest import PACKAGE
from poh_holdmetrics import HoldEvent, Transfer

GOOD = """
from poh_holdmetrics import HoldEvent, Transfer
HoldEvent(token_id="T", holder_id=7, start="2026-01-01T00:00:00Z", weight=2)
HoldEvent(token_id="T", holder_id="ann", at=1_767_225_600_000, delta="-1.5", event_id="a")
Transfer(token_id="T", to_id="ann", at="2026-01-01T00:00:00Z", amount=2.5, event_id="a")
"""
BAD = 'HoldEvent(token_id="T", holder_id="ann", start=[], weight=2)\n'


def test_mypy_accepts_what_the_fields_take_and_nothing_else(python: str, tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="types are checked where mypy is installed")
    file = tmp_path / "snippet.py"
    # The settings know which modules are generated.
    settings = ("--config-file", str(PACKAGE.parent / "pyproject.toml"))
    command = [python, "-m", "mypy", *settings, "--strict", "--cache-dir", str(tmp_path / "cache"), str(file)]
    for text, errors in ((GOOD, 0), (GOOD + BAD, 1)):
        file.write_text(text, "utf-8")
        run = subprocess.run(
            command, capture_output=True, text=True, check=False, env={"MYPYPATH": str(PACKAGE.parent)}
        )
        assert run.stdout.count("error:") == errors, run.stdout + run.stderr


@pytest.mark.parametrize("model", [HoldEvent, Transfer])
def test_help_begins_with_a_readable_signature(model: type[HoldEvent | Transfer]) -> None:
    first = pydoc.plain(pydoc.render_doc(model)).split(" |")[0]
    assert f"class {model.__name__}(" in first
    assert "lambda" not in first
    assert "function" not in first
    assert list(inspect.signature(model).parameters) == list(model.model_fields)

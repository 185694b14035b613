"""The examples: the scripts of the repository, those in docstrings, and the one of the README."""

from __future__ import annotations

import doctest
import json
import os
import re
import runpy
import sys
from pathlib import Path

import pytest

from conftest import PACKAGE, REPOSITORY, SHARED
from poh_holdmetrics import HoldEvent, calculator

SALES = SHARED / "data" / "cryptopunks_sales_2017_2022.csv"


def test_cryptopunks_gives_the_published_figures(
    source: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del source
    if not SALES.is_file():
        pytest.skip(f"no sales at {SALES}")
    script = os.fspath(REPOSITORY / "examples" / "cryptopunks.py")
    monkeypatch.setattr(sys, "argv", [script, os.fspath(SALES), "--json"])
    runpy.run_path(script, run_name="__main__")
    found = json.loads(capsys.readouterr().out)
    assert (found["events"], found["holders"]) == (33_648, 5_912)
    first = [(each["rank"], each["holder_id"], each["score"]) for each in found["top"][:2]]
    assert first == [(1, "2190", "13034832719"), (2, "5134", "11210772987")]
    assert len(found["top"]) == 10


def test_the_leaderboard_counts_open_holds_up_to_as_of(
    source: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del source
    script = REPOSITORY / "examples" / "leaderboard.py"
    if not script.is_file():
        pytest.skip("the examples were not found next to the package")
    file = tmp_path / "events.jsonl"
    file.write_text('{"token_id":"T","holder_id":"ada","start":0,"weight":0.5}\n', encoding="utf-8")
    for arguments, score in (([], None), (["1970-01-01T00:00:20Z"], 10)):
        monkeypatch.setattr(sys, "argv", [os.fspath(script), os.fspath(file), *arguments])
        runpy.run_path(os.fspath(script), run_name="__main__")
        rank, holder, found = capsys.readouterr().out.split()
        assert (rank, holder) == ("1", "ada")
        assert float(found) == score if score else float(found) > 800_000_000


def test_the_example_of_the_readme_prints_what_it_says(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del source
    readme = PACKAGE.parent / "README.md"
    if not readme.is_file():
        pytest.skip("the README is not beside the package")
    (code,) = re.findall(r"```python\n(.*?)```", readme.read_text("utf-8"), re.DOTALL)
    (printed,) = re.findall(r"# (\d+),", code)
    exec(code, {})  # noqa: S102 - our own example
    assert capsys.readouterr().out == f"{printed}\n"


def test_the_examples_in_the_calculator_hold() -> None:
    result = doctest.testmod(calculator, extraglobs={"HoldEvent": HoldEvent})
    assert result.attempted > 0
    assert result.failed == 0

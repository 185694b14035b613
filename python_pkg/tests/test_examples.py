"""The example over real sales, where the data lies beside the repository; and the examples in docstrings."""

from __future__ import annotations

import doctest
import json
import os
import runpy
import sys

import pytest

from conftest import REPOSITORY, SHARED
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


def test_the_examples_in_the_calculator_hold() -> None:
    result = doctest.testmod(calculator, extraglobs={"HoldEvent": HoldEvent})
    assert result.attempted > 0
    assert result.failed == 0

"""The snippets of docs/data-frames.md run as they are written, one after another."""

from __future__ import annotations

import re
from typing import Any

import pytest

from conftest import REPOSITORY

pytest.importorskip("pyarrow", reason="the page is about frames")


def test_the_snippets_run_as_written(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    del source
    page = (REPOSITORY / "docs" / "data-frames.md").read_text("utf-8")
    snippets = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(snippets) == 2
    names: dict[str, Any] = {}
    for snippet in snippets:
        exec(compile(snippet, "data-frames.md", "exec"), names)  # noqa: S102 - our own page
    assert [stat.holder_id for stat in names["result"].top()] == ["ann", "bob"]
    assert "2026-01-31 23:00:00+00:00" in capsys.readouterr().out

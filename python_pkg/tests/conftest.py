"""What the tests share: the native sources of this process, and small makers of events.

Three sources of native code exist; a process has `none` and at most one other. Tests that ask for `source`
run once for each, and one that is absent is skipped with its reason. POH_EXPECT_NATIVE says which one the
caller believes to be there; see `test_native`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from poh_holdmetrics import native

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SHARED = REPOSITORY.parent / "shared"
PACKAGE = HERE.parent / "poh_holdmetrics"

# What the process offers before any test changes its environment.
PRESENT = native.source()
_ABSENT = {
    "host": "this process is not the embedded host; run `main_holdmetrics python -m pytest`",
    "extension": "the extension module poh_holdmetrics_rust is not in use in this process",
}


def pytest_report_header() -> str:
    return f"native source: {PRESENT} (expected: {os.environ.get('POH_EXPECT_NATIVE', 'any')})"


@pytest.fixture(params=["none", "extension", "host"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One native source after another, in force for the test."""
    wanted = str(request.param)
    if wanted == "none":
        monkeypatch.setenv(native.DISABLE_VARIABLE, "1")
    elif wanted != PRESENT:
        pytest.skip(_ABSENT[wanted])
    assert native.source() == wanted
    return wanted


@pytest.fixture
def without_native(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pure Python alone."""
    monkeypatch.setenv(native.DISABLE_VARIABLE, "1")


@pytest.fixture
def python() -> str:
    """The command of a plain interpreter of this version, for tests that need a process of their own."""
    if native.inside_host():
        pytest.skip("sys.executable is the host here, not an interpreter")
    return sys.executable

"""What the tests share: the native sources of this process.

Three sources of native code exist; a process has `none` and at most one other. Tests with the fixture
`source` run once for each that is present. `test_native` reports the absent ones by name, and fails if
POH_EXPECT_NATIVE names another source than the present one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from poh_holdmetrics import native

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SHARED = REPOSITORY.parent / "shared"
PACKAGE = HERE.parent / "poh_holdmetrics"

# A slow machine must not fail a property.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# The source before any test changes the environment.
PRESENT = native.source()
SOURCES = ["none"] if PRESENT == "none" else ["none", PRESENT]


def pytest_report_header() -> str:
    return f"native source: {PRESENT} (expected: {os.environ.get('POH_EXPECT_NATIVE', 'any')})"


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One native source after another, in force for the test."""
    wanted = str(request.param)
    if wanted == "none":
        monkeypatch.setenv(native.DISABLE_VARIABLE, "1")
    assert native.source() == wanted
    return wanted


@pytest.fixture
def without_native(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pure Python only."""
    monkeypatch.setenv(native.DISABLE_VARIABLE, "1")


@pytest.fixture
def python() -> str:
    """The command of a plain interpreter of this version, for tests that need a process of their own."""
    if native.inside_host():
        pytest.skip("sys.executable is the host here, not an interpreter")
    return sys.executable

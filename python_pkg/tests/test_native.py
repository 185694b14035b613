"""The choice of native code, with modules made for the test in place of the real ones."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from importlib import machinery
from pathlib import Path
from types import ModuleType

import pytest

from conftest import PRESENT
from poh_holdmetrics import native
from poh_holdmetrics.errors import NativeError


def module(name: str, **attributes: object) -> ModuleType:
    made = ModuleType(name)
    vars(made).update({"API": native.API, "__version__": "0", **attributes})
    return made


@pytest.fixture
def nothing_native(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process that offers no native code, whatever the real one does."""
    monkeypatch.delenv(native.DISABLE_VARIABLE, raising=False)
    monkeypatch.delitem(sys.modules, native.HOST_MODULE, raising=False)
    monkeypatch.setitem(sys.modules, native.EXTENSION_MODULE, None)
    monkeypatch.setattr(native, "_extension", native._extension.__wrapped__)
    # Without the finder that a host may have set to refuse the extension.
    finders = [machinery.BuiltinImporter, machinery.FrozenImporter, machinery.PathFinder]
    monkeypatch.setattr(sys, "meta_path", finders)
    return monkeypatch


def test_the_source_is_the_expected_one() -> None:
    expected = os.environ.get("POH_EXPECT_NATIVE")
    if expected is None:
        pytest.skip("POH_EXPECT_NATIVE does not say which source is expected")
    assert expected == PRESENT


@pytest.mark.parametrize("name", ["extension", "host"])
def test_the_suite_ran_with(name: str) -> None:
    if name != PRESENT:
        pytest.skip(f"native source {name!r} is not in this process; here it is {PRESENT!r}")
    found = native.namespace()
    assert found is not None
    assert found.API == native.API
    assert found.Aggregator().events == 0


def test_a_host_comes_before_an_extension(nothing_native: pytest.MonkeyPatch) -> None:
    host, extension = module(native.HOST_MODULE), module(native.EXTENSION_MODULE)
    nothing_native.setitem(sys.modules, native.EXTENSION_MODULE, extension)
    assert (native.source(), native.namespace()) == ("extension", extension)
    nothing_native.setitem(sys.modules, native.HOST_MODULE, host)
    assert (native.source(), native.namespace()) == ("host", host)
    assert native.inside_host()


def test_the_variable_forces_none(nothing_native: pytest.MonkeyPatch) -> None:
    nothing_native.setitem(sys.modules, native.HOST_MODULE, module(native.HOST_MODULE))
    nothing_native.setenv(native.DISABLE_VARIABLE, "1")
    assert (native.source(), native.namespace()) == ("none", None)
    assert native.inside_host()


@pytest.mark.usefixtures("nothing_native")
def test_without_any_there_is_none() -> None:
    # An entry of None in sys.modules makes the import fail.
    assert (native.source(), native.namespace()) == ("none", None)


def test_another_api_is_refused(nothing_native: pytest.MonkeyPatch) -> None:
    nothing_native.setitem(sys.modules, native.HOST_MODULE, module(native.HOST_MODULE, API=1))
    with pytest.raises(NativeError, match=r"_holdmetrics_host: has API 1, this package needs 6"):
        native.namespace()


def test_an_extension_that_does_not_load_is_no_silent_fallback(
    nothing_native: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nothing_native.delitem(sys.modules, native.EXTENSION_MODULE)
    nothing_native.syspath_prepend(tmp_path)
    broken = tmp_path / f"{native.EXTENSION_MODULE}.py"
    broken.write_text("raise ImportError('undefined symbol: PyNothing')", encoding="utf-8")
    with pytest.raises(NativeError, match=r"undefined symbol: PyNothing.*POH_DISABLE_RUST=1"):
        native.source()


def test_inside_a_host_the_extension_is_a_clear_error(nothing_native: pytest.MonkeyPatch) -> None:
    nothing_native.delitem(sys.modules, native.EXTENSION_MODULE)
    nothing_native.setitem(sys.modules, native.HOST_MODULE, module(native.HOST_MODULE))
    assert (native.source(), native.source()) == ("host", "host")
    assert sum(type(finder).__module__ == native.__name__ for finder in sys.meta_path) == 1
    with pytest.raises(ImportError, match="not importable inside main_holdmetrics"):
        importlib.import_module(native.EXTENSION_MODULE)
    assert importlib.import_module("json")


def test_importing_the_package_and_the_lookup_costs_next_to_nothing(python: str) -> None:
    code = (
        "import sys; before = set(sys.modules); import poh_holdmetrics, poh_holdmetrics.native as native; "
        "native.source(); print(sorted((set(sys.modules) - before) & "
        "{'asyncio', 'pydantic', 'yaml', 'decimal', 'json', 'logging', 'tomllib'}))"
    )
    environment = {**os.environ, native.DISABLE_VARIABLE: "1"}
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_found_and_no_other() -> None:
    import poh_holdmetrics  # noqa: PLC0415 - its attributes are the subject

    for name in poh_holdmetrics.__all__:
        assert getattr(poh_holdmetrics, name) is not None
        assert name in dir(poh_holdmetrics)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        poh_holdmetrics.nothing  # noqa: B018

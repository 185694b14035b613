from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import REPOSITORY
from poh_holdmetrics.config import Configuration, Settings, load_configuration
from poh_holdmetrics.errors import ConfigError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in Settings.model_fields:
        for prefix in ("HOLDMETRICS", "POH"):
            monkeypatch.delenv(f"{prefix}_{key.upper()}", raising=False)


def load(file: Path | None = None, **arguments: object) -> Configuration:
    return load_configuration(file, **{"dotenv": None, **arguments})  # type: ignore[arg-type]


def test_without_anything_the_defaults_hold() -> None:
    found = load()
    assert found.settings == Settings()
    assert set(found.origins) == set(Settings.model_fields)
    assert set(found.origins.values()) == {"default"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.toml", 'on_error = "skip"\ndrain_seconds = 2'),
        ("s.yaml", "on_error: skip\ndrain_seconds: 2"),
        ("s.yml", "{on_error: skip, drain_seconds: 2}"),
    ],
)
def test_toml_and_yaml_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    file = write(tmp_path / name, text)
    found = load(file)
    assert found.settings == Settings(on_error="skip", drain_seconds=2)
    assert found.origins["on_error"] == str(file)
    assert found.origins["format"] == "default"


def test_the_later_source_wins_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ON_ERROR", "skip"), ("DISABLE_RUST", "1"), ("SOMETHING", "of another program")):
        monkeypatch.setenv(f"POH_{name}", value)
    file = write(
        tmp_path / "s.toml", 'format = "json"\nengine = "python"\non_error = "skip"\nclosed_only = true'
    )
    dotenv = write(
        tmp_path / ".env",
        "# a comment\n\nexport POH_ENGINE='native'\nPOH_ON_ERROR=fail\nHOME=/x\nformat=table\n"
        "POH_DISABLE_RUST=1\n",
    )
    found = load(
        file,
        dotenv=dotenv,
        overrides={"closed_only": False},
    )
    assert found.settings == Settings(format="json", engine="native", on_error="skip", closed_only=False)
    assert dict(found.origins) == {
        "format": str(file),
        "engine": str(dotenv),
        "on_error": "environment",
        "closed_only": "arguments",
        "drain_seconds": "default",
        "gc_interval_seconds": "default",
    }


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("s.toml", "on_eror = 'skip'", "s.toml: on_eror: unknown setting; did you mean on_error?"),
        ("s.yaml", "window:\n  top: 3", "s.yaml: window: unknown setting; known are closed_only, format"),
        ("s.toml", "on_error = 'stop'", "s.toml: on_error: input should be 'fail' or 'skip', not 'stop'"),
        ("s.toml", "drain_seconds = -1", "s.toml: drain_seconds: expected a duration such as 10s, 1h30m"),
        (
            "s.toml",
            'drain_seconds = "2h"',
            "s.toml: drain_seconds: input should be less than or equal to 3600",
        ),
        ("s.toml", "closed_only = ", "s.toml: invalid value"),
        ("s.yaml", "a: [", "s.yaml: while parsing"),
        ("s.yaml", "- a", "s.yaml: expected keys with values at the top level"),
        ("s.ini", "", "s.ini: settings are read from .toml, .yaml or .yml"),
    ],
)
def test_a_bad_file_is_refused_by_key_and_name(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path / name, text))
    assert words.lower() in str(caught.value).lower()
    assert "\n" not in str(caught.value)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load(tmp_path / "none.toml")


def test_an_empty_yaml_file_sets_nothing(tmp_path: Path) -> None:
    assert load(write(tmp_path / "s.yaml", "# nothing yet\n")).settings == Settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("POH_FROMAT=json", r"\.env: POH_FROMAT: unknown variable; did you mean POH_FORMAT\?"),
        ("A=b\nnothing", r"\.env: line 2: expected NAME=value"),
        ("A=b\n\n# c\n=3", r"\.env: line 4: expected NAME=value"),
        ("POH_ENGINE=rust", r"\.env: engine: input should be .* not 'rust'"),
    ],
)
def test_a_bad_dotenv_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(dotenv=write(tmp_path / ".env", text))


def test_an_interval_is_a_duration_in_any_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POH_DRAIN_SECONDS", "2.5")
    found = load(write(tmp_path / "s.toml", 'gc_interval_seconds = "1h30m"\ndrain_seconds = "1s"'))
    assert (found.settings.gc_interval_seconds, found.settings.drain_seconds) == (5400, 2.5)


def test_a_bad_variable_is_named_with_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POH_GC_INTERVAL_SECONDS", "soon")
    with pytest.raises(ConfigError, match=r"environment: gc_interval_seconds: .*not 'soon'"):
        load()


@pytest.mark.parametrize("prefix", ["HOLDMETRICS", "POH"])
def test_a_variable_has_the_prefix_of_the_service_or_its_alias(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    dotenv = write(tmp_path / ".env", f"{prefix}_ENGINE=python\n{prefix}_FORMAT=table\n")
    monkeypatch.setenv(f"{prefix}_FORMAT", "json")
    found = load(dotenv=dotenv)
    assert (found.settings.engine, found.settings.format) == ("python", "json")
    assert (found.origins["engine"], found.origins["format"]) == (str(dotenv), "environment")


def test_both_names_of_a_setting_in_one_place_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "engine: set by HOLDMETRICS_ENGINE and POH_ENGINE; remove one of the two"
    with pytest.raises(ConfigError, match=words):
        load(dotenv=write(tmp_path / ".env", "HOLDMETRICS_ENGINE=python\nPOH_ENGINE=native\n"))
    for name in ("HOLDMETRICS_ENGINE", "POH_ENGINE"):
        monkeypatch.setenv(name, "python")
    with pytest.raises(ConfigError, match=f"environment: {words}"):
        load()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("HOLDMETRICS_FROMAT", "HOLDMETRICS_FORMAT"),
        ("HOLDMETRICS_ON_EROR", "HOLDMETRICS_ON_ERROR"),
        ("POH_CLOSED_ONLLY", "POH_CLOSED_ONLY"),
    ],
)
def test_a_near_miss_is_refused_in_the_environment_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, near: str
) -> None:
    with pytest.raises(ConfigError, match=f"{name}: unknown variable; did you mean {near}"):
        load(dotenv=write(tmp_path / ".env", f"{name}=1\n"))
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigError, match=f"environment: {name}: unknown variable; did you mean {near}"):
        load()


def test_no_setting_of_the_service_is_taken_for_a_near_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text("utf-8")
    names = re.findall(r"`(HOLDMETRICS_[A-Z_]+)` \|", page)
    assert "HOLDMETRICS_LOG_FORMAT" in names
    for name in names:
        monkeypatch.setenv(name, "1")
    assert load().settings == Settings()

"""Settings from a TOML or YAML file, `.env` and the environment, with the origin of every value.

Later wins: default, file, `.env`, environment, the caller's overrides (a command line). An unknown key in a
file, or an unknown `POH_` name in `.env`, is refused; other names there belong to others. Repairs nothing
silently. `POH_DISABLE_RUST` is not a setting: `native` reads it on its own.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from poh_holdmetrics.errors import ConfigError

_PREFIX = "POH_"
#: Names that other parts of the project read; `.env` may hold them.
_NOT_SETTINGS = frozenset(
    {
        "POH_CONFORMANCE",
        "POH_DISABLE_RUST",
        "POH_EXPECT_NATIVE",
        "POH_PYTHON_HOME",
        "POH_PYTHON_PKG",
    }
)


class Settings(BaseModel):
    """Every setting with its default and bounds; the variable of `on_error` is `POH_ON_ERROR`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    closed_only: bool = False
    """Count no time that is not yet closed."""
    format: Literal["table", "json"] = "table"
    """How the command line prints."""
    on_error: Literal["fail", "skip"] = "fail"
    """At a bad line: end the run, or count it and go on."""
    engine: Literal["auto", "native", "python"] = "auto"
    """What scores files; `auto` is native where there is any."""
    drain_seconds: float = Field(default=5.0, ge=0, le=3600)
    """How long a stopping scheduler waits for jobs that still run."""
    gc_interval_seconds: float = Field(default=60.0, ge=1, le=86_400)
    """How often the scheduler's job collects reference cycles."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """The settings and, by key, where each came from: `default`, a file name, `environment`, `arguments`."""

    settings: Settings
    origins: Mapping[str, str]


def load_configuration(
    file: str | Path | None = None,
    *,
    dotenv: str | Path | None = ".env",
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Configuration:
    """The settings in force. `file` must exist where it is named; `dotenv` may be absent.

    Raises `ConfigError` naming the key and the place where it was written.
    """
    layers: list[tuple[str, Mapping[str, object]]] = []
    if file is not None:
        layers.append((str(file), _known(str(file), _from_file(Path(file)))))
    if dotenv is not None and Path(dotenv).is_file():
        layers.append((str(dotenv), _from_dotenv(Path(dotenv))))
    layers.append(("environment", _from_variables(os.environ if environment is None else environment)))
    layers.append(("arguments", overrides or {}))
    values: dict[str, object] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for place, layer in layers:
        values.update(layer)
        origins.update(dict.fromkeys(layer, place))
    try:
        return Configuration(settings=Settings.model_validate(values), origins=origins)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        key = str(first["loc"][0])
        problem = f"{first['msg'].lower()}, not {first['input']!r}"
        raise ConfigError(key, origins.get(key, "arguments"), problem) from invalid


def _known(place: str, values: Mapping[str, object]) -> Mapping[str, object]:
    for key in values:
        if key not in Settings.model_fields:
            raise ConfigError(key, place, f"unknown; known are {', '.join(Settings.model_fields)}")
    return values


def _from_file(path: Path) -> dict[str, object]:
    readers = {".toml": _toml, ".yaml": _yaml, ".yml": _yaml}
    reader = readers.get(path.suffix)
    if reader is None:
        raise ConfigError("", str(path), "settings are read from .toml, .yaml or .yml")
    try:
        values = reader(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("", str(path), error.strerror or str(error)) from error
    except ValueError as error:
        raise ConfigError("", str(path), " ".join(str(error).split())) from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError("", str(path), "keys with values are wanted at the top")
    return values


def _toml(text: str) -> Any:
    return tomllib.loads(text)


def _yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 - imported by those alone who write YAML

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _from_dotenv(path: Path) -> dict[str, object]:
    """`NAME=value` lines; `#` begins a comment line, quotes around a value are taken off."""
    variables: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip().removeprefix("export ").lstrip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError("", f"{path}: line {number}", "NAME=value is wanted")
        variables[name.strip()] = _unquoted(value.strip())
    for name in variables:
        if name.startswith(_PREFIX) and name not in _NOT_SETTINGS and _key(name) not in Settings.model_fields:
            raise ConfigError(
                name, str(path), "unknown; a setting's variable is POH_ and its key in capitals"
            )
    return _from_variables(variables)


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if is_quoted else value


def _from_variables(variables: Mapping[str, str]) -> dict[str, object]:
    return {
        _key(name): value
        for name, value in variables.items()
        if name.startswith(_PREFIX) and _key(name) in Settings.model_fields
    }


def _key(name: str) -> str:
    return name.removeprefix(_PREFIX).lower()

"""Settings from a TOML or YAML file, `.env` and the environment, with the origin of every value.

Later wins: default, file, `.env`, environment, the caller's overrides (a command line). An unknown key in a
file and an unknown `POH_` name in `.env` are refused, and so is a variable whose name is nearly that of a
setting; other names belong to other programs. Variables begin with `HOLDMETRICS_`, as those of the service;
`POH_` is an alias. Repairs nothing silently. `POH_DISABLE_RUST` is not a setting: `native` reads it itself.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from dotenv.parser import parse_stream
from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
    YamlConfigSettingsSource,
)

from poh_holdmetrics.durations import EXPECTED, duration_us
from poh_holdmetrics.errors import ConfigError
from poh_holdmetrics.instants import MICROS_PER_SECOND

_PREFIX = "HOLDMETRICS_"
#: The prefix that the package had before it shared the service's; every variable has both names.
_ALIAS = "POH_"
#: How alike two names are, without their prefix, if one is a mistake for the other: `LOG_FORMAT` of the
#: service and `FORMAT` are less alike.
_NEAR = 0.8
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


def _seconds(value: object) -> float:
    us = duration_us(value)
    if us is None:
        raise ValueError(EXPECTED)
    return us / MICROS_PER_SECOND


#: Seconds, written in any form of `durations`.
Seconds = Annotated[float, BeforeValidator(_seconds)]


class Settings(BaseSettings):
    """Every setting with its default and bounds; the variable of `on_error` is `HOLDMETRICS_ON_ERROR`.

    Constructing it reads no file and no variable: `load_configuration` does, and keeps the origins.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=_PREFIX)

    closed_only: bool = False
    """Count no time that is not yet closed."""
    format: Literal["table", "json"] = "table"
    """The output of the command line."""
    on_error: Literal["fail", "skip"] = "fail"
    """At a refused line: end the run, or count it and go on."""
    engine: Literal["auto", "native", "python"] = "auto"
    """Which implementation scores files; `auto` is native if there is native code."""
    drain_seconds: Seconds = Field(default=5.0, le=3600)
    """How long a stopping scheduler waits for jobs that still run: `2s`, or a number of seconds."""
    gc_interval_seconds: Seconds = Field(default=60.0, ge=1, le=86_400)
    """The interval of the scheduler's job that collects reference cycles: `1m`, or a number of seconds."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The constructor's arguments alone."""
        return (init_settings,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """The settings and, by key, where each came from: `default`, a file name, `environment`, `arguments`."""

    settings: Settings
    origins: Mapping[str, str]


def load_configuration(
    file: str | Path | None = None,
    *,
    dotenv: str | Path | None = ".env",
    overrides: Mapping[str, object] | None = None,
) -> Configuration:
    """The settings in force. A named `file` must exist; `dotenv` may be absent.

    Raises `ConfigError` naming the key and where it was written.
    """
    layers: list[tuple[str, Mapping[str, object]]] = []
    if file is not None:
        layers.append((str(file), _from_file(Path(file))))
    if dotenv is not None and Path(dotenv).is_file():
        layers.append((str(dotenv), _from_dotenv(Path(dotenv))))
    for name in os.environ:
        _refuse_near_miss(name, "environment")
    layers.append(
        (
            "environment",
            _of_both_prefixes(
                "environment",
                *(EnvSettingsSource(Settings, env_prefix=prefix)() for prefix in (_PREFIX, _ALIAS)),
            ),
        )
    )
    layers.append(("arguments", overrides or {}))
    values: dict[str, object] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for origin, layer in layers:
        values.update(layer)
        origins.update(dict.fromkeys(layer, origin))
    try:
        return Configuration(settings=Settings.model_validate(values), origins=origins)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        key = str(first["loc"][0])
        message = first["msg"].lower().removeprefix("value error, ")
        problem = f"{message}, not {first['input']!r:.40}"
        raise ConfigError(key, origins.get(key, "arguments"), problem) from invalid


def _from_file(path: Path) -> Mapping[str, object]:
    if path.suffix not in (".toml", ".yaml", ".yml"):
        raise ConfigError("", str(path), "settings are read from .toml, .yaml or .yml")
    try:
        path.open("rb").close()  # pydantic-settings passes over a file that is missing
        source = (TomlConfigSettingsSource if path.suffix == ".toml" else YamlConfigSettingsSource)(
            Settings, path
        )
    except OSError as error:
        raise ConfigError("", str(path), error.strerror or str(error)) from error
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError("", str(path), " ".join(str(error).split())) from error
    except (TypeError, ValueError) as error:
        raise ConfigError("", str(path), "expected keys with values at the top level") from error
    values = source()
    for key in values:
        if key not in Settings.model_fields:
            raise ConfigError(str(key), str(path), _unknown("setting", str(key), Settings.model_fields))
    return values


def _from_dotenv(path: Path) -> Mapping[str, object]:
    known = {f"{_ALIAS}{key}".upper() for key in Settings.model_fields}
    with path.open(encoding="utf-8") as lines:
        for binding in parse_stream(lines):
            name = binding.key or ""
            if binding.error or (name and binding.value is None):
                written = binding.original.string
                line = binding.original.line + len(written) - len(written.lstrip("\n"))
                raise ConfigError("", f"{path}: line {line}", "expected NAME=value")
            if name.upper().startswith(_ALIAS) and name.upper() not in known | _NOT_SETTINGS:
                raise ConfigError(name, str(path), _unknown("variable", name, sorted(known)))
            _refuse_near_miss(name, str(path))
    return _of_both_prefixes(str(path), *(_dotenv_values(path, prefix) for prefix in (_PREFIX, _ALIAS)))


def _dotenv_values(path: Path, prefix: str) -> Mapping[str, object]:
    source = DotEnvSettingsSource(Settings, env_file=path, env_prefix=prefix)
    # Field by field: the source as a whole also returns the variables of other programs.
    values = {key: source.get_field_value(field, key)[0] for key, field in Settings.model_fields.items()}
    return {key: value for key, value in values.items() if value is not None}


def _of_both_prefixes(
    origin: str, named: Mapping[str, object], aliased: Mapping[str, object]
) -> Mapping[str, object]:
    """The values under either name; both names of one setting in one place are refused."""
    for key in named:
        if key in aliased:
            names = f"{_PREFIX}{key.upper()} and {_ALIAS}{key.upper()}"
            raise ConfigError(key, origin, f"set by {names}; remove one of the two")
    return {**named, **aliased}


def _refuse_near_miss(name: str, origin: str) -> None:
    """Refuse a variable that has one of our prefixes and nearly the name of a setting."""
    upper = name.upper()
    prefix = next((prefix for prefix in (_PREFIX, _ALIAS) if upper.startswith(prefix)), None)
    if prefix is None or upper in _NOT_SETTINGS:
        return
    known = [key.upper() for key in Settings.model_fields]
    rest = upper.removeprefix(prefix)
    near = difflib.get_close_matches(rest, known, n=1, cutoff=_NEAR)
    if near and near[0] != rest:
        raise ConfigError(name, origin, f"unknown variable; did you mean {prefix}{near[0]}?")


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"unknown {kind}; " + (f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}")

"""Installs packages into an environment named by its content, and makes it current.

Resolve, download, install into a folder of its own, rename: only the last step can be seen from outside.
What the program itself brings is not installed again, and must not be replaced.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from poh_holdmetrics.environments.folder import (
    DESCRIPTION,
    PYTHON,
    Environment,
    Environments,
    EnvironmentsError,
)
from poh_holdmetrics.environments.pip import pip

#: Letters of a name: enough that two never meet.
_NAME_LENGTH = 16


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for."""

    packages: list[str]
    requirements: list[Path]
    find_links: list[str]
    no_index: bool
    require_hashes: bool

    def words(self) -> list[str]:
        """As pip takes it."""
        words = self.sources()
        if self.require_hashes:
            words.append("--require-hashes")
        for file in self.requirements:
            words += ["--requirement", str(file)]
        return [*words, *self.packages]

    def sources(self) -> list[str]:
        """Where pip looks for wheels."""
        words = ["--no-index"] if self.no_index else []
        for place in self.find_links:
            words += ["--find-links", place]
        return words


def install(environments: Environments, wanted: Wanted) -> Environment:
    """Install and switch; raises `EnvironmentsError` or `OSError` if nothing was changed."""
    for file in wanted.requirements:
        if not file.is_file():
            raise EnvironmentsError(f"{file}: no such file of requirements")
    with environments.changing(), environments.incoming() as incoming:
        scratch = incoming / "scratch"
        scratch.mkdir()
        resolved = _resolve(wanted, scratch)
        wheels = _download(resolved, wanted, scratch)
        name = _name(wheels)
        finished = incoming / "finished"
        packages = finished / f"python{PYTHON}"
        packages.mkdir(parents=True)
        if wheels:
            words = ["install", "--no-index", "--no-deps", "--target", str(packages), *map(str, wheels)]
            pip(words, scratch=scratch, find_links=wanted.find_links)
        _describe(finished, name, wanted, resolved)
        made = environments.add(finished, name)
        environments.switch(name)
    return made


def _resolve(wanted: Wanted, scratch: Path) -> list[dict[str, Any]]:
    """What has to be installed beside what the program brings, as pip reports it."""
    report = scratch / "report.json"
    words = [
        "install",
        "--dry-run",
        "--quiet",
        "--only-binary=:all:",
        "--report",
        str(report),
        *wanted.words(),
    ]
    pip(words, scratch=scratch, find_links=wanted.find_links)
    resolved: list[dict[str, Any]] = json.loads(report.read_text("utf-8"))["install"]
    ours = _of_the_program()
    for each in resolved:
        name, version = each["metadata"]["name"], each["metadata"]["version"]
        if (own := ours.get(_normalised(name))) is not None:
            raise EnvironmentsError(
                f"{name} {version} is asked for, and the program itself needs its own {own}: allow that "
                "version in the requirements; nothing was changed"
            )
    return sorted(resolved, key=lambda each: _normalised(each["metadata"]["name"]))


def _of_the_program() -> dict[str, str]:
    """Names and versions of the packages in the bundle; empty without one."""
    site = Path(sys.base_prefix) / "site"
    found = distributions(path=[str(site)]) if site.is_dir() else ()
    return {_normalised(each.name): each.version for each in found}


def _normalised(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _download(resolved: list[dict[str, Any]], wanted: Wanted, scratch: Path) -> list[Path]:
    """The wheels themselves."""
    target = scratch / "wheels"
    target.mkdir()
    if not resolved:
        return []
    pins = scratch / "pins.txt"
    lines = []
    for each in resolved:
        info = each["download_info"]
        hashes = info.get("archive_info", {}).get("hashes", {})
        digest = f" --hash=sha256:{hashes['sha256']}" if "sha256" in hashes else ""
        lines.append(f"{each['metadata']['name']} @ {info['url']}{digest}\n")
    pins.write_text("".join(lines), "utf-8")
    words = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(target)]
    pip(
        [*words, *wanted.sources(), "--requirement", str(pins)],
        scratch=scratch,
        find_links=wanted.find_links,
    )
    return sorted(target.glob("*.whl"))


def _name(wheels: list[Path]) -> str:
    lines = [f"python{PYTHON} {sys.platform} {platform.machine()}"]
    lines += [f"{hashlib.sha256(wheel.read_bytes()).hexdigest()} {wheel.name}" for wheel in wheels]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_NAME_LENGTH]


def _describe(folder: Path, name: str, wanted: Wanted, resolved: list[dict[str, Any]]) -> None:
    packages = [
        {
            "name": each["metadata"]["name"],
            "version": each["metadata"]["version"],
            "wheel": each["download_info"]["url"].rpartition("/")[2],
            "sha256": each["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256"),
            "requested": bool(each.get("requested")),
        }
        for each in resolved
    ]
    description = {
        "id": name,
        "python": PYTHON,
        "platform": f"{sys.platform} {platform.machine()}",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "asked": [*wanted.packages, *(f"-r {file}" for file in wanted.requirements)],
        "packages": packages,
    }
    text = json.dumps(description, indent=1, ensure_ascii=False)
    (folder / DESCRIPTION).write_text(f"{text}\n", "utf-8")

"""The suite of the Python packages on every Python from 3.11 that is found: on PATH, in pyenv, or among uv's.

    nox                     all sessions (make test-pythons runs them)
    nox -s pure-3.13        one session; `nox --list` names them

`pure` runs without native code, `extension` with the wheel that scripts/wheels.sh builds once for all, or
with those in the folder that HOLDMETRICS_WHEELS names.
A run of the suite is scripts/pytest.sh, which `make test` runs as well: on one Python, and in the binary.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import nox

REPOSITORY = Path(__file__).resolve().parent
#: The stable ABI that the extension is built for begins with 3.12.
EXTENSION_SINCE = (3, 12)
WHEELS = Path(os.environ.get("HOLDMETRICS_WHEELS", "dist"))

nox.needs_version = ">=2024.10.9"
nox.options.envdir = str(Path(os.environ.get("HOLDMETRICS_CACHE", REPOSITORY / ".cache")) / "nox")
nox.options.error_on_missing_interpreters = True


def folders() -> list[Path]:
    """Where interpreters may lie: pyenv's and uv's own before PATH, whose shims may refuse a version."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    data = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", data / "uv" / "python"))
    own = [*sorted(pyenv.glob("versions/*/bin")), *sorted(uv.glob("*/bin"))]
    return own + [Path(folder) for folder in os.get_exec_path()]


def found_pythons() -> dict[tuple[int, int], Path]:
    """The interpreter of each version that runs; environments are virtualenv's, which brings pip along."""
    found: dict[tuple[int, int], Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("python3.*")):
            minor = re.fullmatch(r"python3\.(\d+)", path.name)
            if minor is None or (3, int(minor[1])) < (3, 11) or (3, int(minor[1])) in found:
                continue
            tried = subprocess.run([path, "-c", "import ssl, sqlite3"], capture_output=True, check=False)
            if tried.returncode == 0:
                found[3, int(minor[1])] = path
    return dict(sorted(found.items()))


PYTHONS = found_pythons()
# nox looks for `python3.13` and the like on PATH.
os.environ["PATH"] = os.pathsep.join([*(str(path.parent) for path in PYTHONS.values()), os.environ["PATH"]])


def names(since: tuple[int, int]) -> list[str]:
    """The versions that are found, as nox names them."""
    return [f"{major}.{minor}" for major, minor in PYTHONS if (major, minor) >= since]


@nox.session(python=names((3, 11)))
def pure(session: nox.Session) -> None:
    """The suite in pure Python, on the packages of the checkout."""
    session.install("--editable", "./python_pkg[dev]")
    session.run("scripts/pytest.sh", "none", "python", external=True)


@nox.session(python=False)
def wheels(session: nox.Session) -> None:
    """The wheels, in dist/, unless a folder of built ones is named."""
    if "HOLDMETRICS_WHEELS" not in os.environ:
        session.run("scripts/wheels.sh")


@nox.session(python=names(EXTENSION_SINCE), requires=["wheels"])
def extension(session: nox.Session) -> None:
    """The suite with native code, on the installed wheels."""
    session.install("./python_pkg[dev]")
    session.install("--no-deps", "--force-reinstall", *(str(path) for path in WHEELS.glob("*.whl")))
    session.run("scripts/pytest.sh", "extension", "python", external=True)

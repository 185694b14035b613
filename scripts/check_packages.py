"""Installs each wheel of a folder into an empty environment, and runs what its README shows.

    check_packages.py FOLDER

For poh-holdmetrics, poh-metrics and poh-batcher: the wheel alone, then with the extras that the README's
programs need; `pip check`, the versions that the commands print, type marker and licence, and whether pip
resolves `[all]`. Everything runs from a folder where the checkout cannot help. The suites of the packages are
pytest's.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PYTHON_PKG = Path(__file__).resolve().parents[1] / "python_pkg"
HOLD = {"token_id": "gold", "holder_id": "ann", "start": "2026-01-01T00:00:00Z", "weight": "2.5"}
ACK = {"id": "a", "timestamp": "2026-01-01T00:00:00Z", "signature": "", "pubkey": ""}


@dataclass(frozen=True)
class Environment:
    """An environment with one package, and an empty working folder."""

    folder: Path

    def command(self, name: str) -> str:
        """The path of an installed command."""
        return str(self.folder / "venv" / "bin" / name)

    def run(self, *words: str, stdin: str = "") -> str:
        """Run a command in the working folder; its standard output."""
        done = subprocess.run(
            [self.command(words[0]), *words[1:]],
            cwd=self.folder / "work",
            env=plain_environment(),
            input=stdin,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def install(self, requirement: str) -> None:
        """Install what `requirement` names, and let pip check the whole."""
        self.run("python", "-m", "pip", "install", "--quiet", requirement)
        self.run("python", "-m", "pip", "check")

    @contextmanager
    def server(self, *words: str, ready: str) -> Iterator[None]:
        """Run a server from the line of its output that has `ready` on; it is ended by SIGTERM."""
        process = subprocess.Popen(
            [self.command(words[0]), *words[1:]],
            cwd=self.folder / "work",
            env=plain_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        seen = []
        try:
            for line in process.stdout:
                seen.append(line)
                if ready in line:
                    yield
                    break
            else:
                raise SystemExit(f"{words}: ended without {ready!r}:\n{''.join(seen)}")
        finally:
            process.terminate()
            seen.append(process.communicate()[0])
        assert process.returncode in (0, -signal.SIGTERM), "".join(seen)


@dataclass(frozen=True)
class Package:
    """What is tried of one package."""

    module: str
    readme: Path
    #: Commands whose `--version` is asked for.
    commands: tuple[tuple[str, ...], ...]
    #: What the programs of the README need.
    extras: str
    #: Runs the README's programs and commands.
    examples: Callable[[Environment, list[str]], None]


def plain_environment() -> dict[str, str]:
    """The environment without what would let a process find the checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "POH_"))}


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def fetched(address: str, body: object = None) -> str:
    """The answer of an HTTP server on loopback."""
    request = urllib.request.Request(  # noqa: S310
        address,
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return str(answer.read().decode())


def holdmetrics_examples(environment: Environment, programs: list[str]) -> None:
    """The README's program, the command line, and the servers."""
    (program,) = programs
    (printed,) = re.findall(r"# (\d+),", program)
    expect(environment.run("python", "-c", program), f"{printed}\n")
    (environment.folder / "work" / "holds.jsonl").write_text(json.dumps(HOLD), "utf-8")
    scored = ("score", "holds.jsonl", "--as-of", "2026-02-01T00:00:00Z", "--limit", "10")
    table = environment.run("python", "-m", "poh_holdmetrics", *scored)
    expect(environment.run("poh-holdmetrics", *scored), table)
    assert "6,696,000" in table, table
    grpc, http = free_port(), free_port()
    with environment.server(
        *("python", "-m", "poh_holdmetrics.app_holdmetrics", "all"),
        *("--grpc-address", f"127.0.0.1:{grpc}", "--http-port", str(http)),
        ready="Listening for http",
    ):
        fetched(f"http://127.0.0.1:{http}/hold", HOLD)
        answer = fetched(f"http://127.0.0.1:{http}/leaderboard?limit=1")
        assert '"ann"' in answer, answer


def metrics_examples(environment: Environment, programs: list[str]) -> None:
    """The README's program is scraped."""
    port = free_port()
    program = programs[0].replace("9464", str(port))
    with environment.server("python", "-u", "-c", program, ready="scrape "):
        answer = fetched(f"http://127.0.0.1:{port}/metrics")
        assert 'poh_issued_total{result="success"} 1.0' in answer, answer


def batcher_examples(environment: Environment, programs: list[str]) -> None:
    """The README's programs and its commands, in the working folder."""
    storing, printing = programs
    expect(environment.run("python", "-c", storing), "0 4\n1 4\n2 2\n")
    assert "batch: 1" in environment.run("python", "-c", printing)
    url = (environment.folder / "work" / "acks").as_uri()
    options = ("-n", "500", "-t", "2.0", "-o", url, "--rejects", "bad.jsonl")
    stored = environment.run("poh-batcher", *options, stdin=json.dumps(ACK))
    assert "ack_batch_000000000" in stored, stored
    assert json.loads(environment.run("poh-batcher", "cat", url))["id"] == "a"
    environment.run("poh-batcher", "verify", "--strict", url)


PACKAGES = (
    Package(
        "poh_holdmetrics",
        PYTHON_PKG / "README.md",
        (("poh-holdmetrics",), ("python", "-m", "poh_holdmetrics.app_holdmetrics")),
        "[grpc,http]",
        holdmetrics_examples,
    ),
    Package("poh_metrics", PYTHON_PKG / "poh_metrics" / "README.md", (), "[aiohttp]", metrics_examples),
    Package(
        "poh_batcher",
        PYTHON_PKG / "poh_batcher" / "README.md",
        (("poh-batcher",),),
        "[zstd]",
        batcher_examples,
    ),
)
#: What the package must bring along, and its version.
INSPECTION = """
import importlib, importlib.metadata, pathlib, sys
module = importlib.import_module(sys.argv[1])
assert (pathlib.Path(module.__file__).parent / "py.typed").is_file(), "py.typed is missing"
found = importlib.metadata.distribution(sys.argv[1].replace("_", "-"))
assert any(str(file).endswith("licenses/LICENSE") for file in found.files), "the licence is missing"
tops = {file.parts[0] for file in found.files if "dist-info" not in file.parts[0]}
outside = tops - {"..", sys.argv[1]}
assert not outside, f"files outside the package are installed: {outside}"
assert not [file for file in found.files if "tests" in file.parts], "tests are installed"
assert found.version == module.__version__, (found.version, module.__version__)
print(module.__version__)
"""


def check(package: Package, wheels: Path) -> None:
    """Try one package, in an environment that is removed afterwards."""
    (wheel,) = wheels.glob(f"{package.module}-*.whl")
    programs = re.findall(r"```python\n(.*?)```", package.readme.read_text("utf-8"), re.DOTALL)
    with tempfile.TemporaryDirectory() as folder:
        environment = Environment(Path(folder))
        venv.create(environment.folder / "venv", with_pip=True)
        (environment.folder / "work").mkdir()
        environment.install(str(wheel))
        version = environment.run("python", "-c", INSPECTION, package.module).strip()
        for command in package.commands:
            printed = environment.run(*command, "--version")
            assert printed.split()[-1] == version, (command, printed)
        environment.install(f"{wheel}{package.extras}")
        package.examples(environment, programs)
        environment.run("python", "-m", "pip", "install", "--quiet", "--dry-run", f"{wheel}[all]")
    print(f"{wheel.name}: installed alone and with {package.extras}; its README's programs ran")


def expect(found: str, expected: str) -> None:
    """Compare an output."""
    assert found == expected, f"expected {expected!r}, found {found!r}"


if __name__ == "__main__":
    for each in PACKAGES:
        check(each, Path(sys.argv[1]).resolve())

"""The contenders: for each the command that runs a query, and how its answer is read.

Ours is the released binary as a user calls it; the others are programs in `workers/` that follow `protocol`.
Builds commands only; `process` runs them and `contest` decides when.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from harness import paths
from harness.workloads import Workload

#: holder id, held microseconds, score as a double.
TopRow = tuple[str, int, float]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The output of a contender. `seconds` are its own measurements of the work inside its process."""

    top: list[TopRow]
    seconds: list[float]
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The options shared by all queries of a run."""

    binary: Path | None
    python: Path
    threads: int
    top: int


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to score a file. `worker` is None for our binary, else the name of a program in `workers/`."""

    name: str
    title: str
    is_exact: bool
    worker: str | None = None
    #: It is not run on larger inputs; the table says so.
    events_max: int | None = None
    #: Whether repetitions in one process are measured as well.
    is_warmed: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def command(
        self, setting: Setting, workload: Workload, *, repeat: int = 1, scores: Path | None = None
    ) -> list[str]:
        """The command that runs the query once, or, for workers, `repeat` times.

        With `scores` it writes all holders there; our binary then prints no top list.
        """
        if self.worker is None:
            command = [
                str(paths.binary(setting.binary)),
                "score",
                str(workload.path),
                "--as-of",
                workload.as_of,
            ]
            command += ["--threads", str(setting.threads)]
            if scores:
                return [*command, "--format", "parquet", "--output", str(scores)]
            return [*command, "--top", str(setting.top), "--format", "json"]
        command = [str(setting.python), str(paths.WORKERS / self.worker), str(workload.path)]
        command += [
            "--workload",
            workload.name,
            "--as-of-us",
            str(workload.as_of_us),
            "--top",
            str(setting.top),
        ]
        command += ["--threads", str(setting.threads), "--repeat", str(repeat)]
        return [*command, "--scores", str(scores)] if scores else command

    def answer(self, output: str) -> Answer:
        """Read the output of `command`; raises `Unusable` if it is not an answer."""
        try:
            found = json.loads(output)
            if self.worker is None:
                rows = [(row["holder_id"], row["held_us"], row["weighted_score"]) for row in found["holders"]]
                return Answer(top=rows, seconds=[], versions={})
            rows = [(holder, held, score) for holder, held, score in found["top"]]
            return Answer(top=rows, seconds=found["seconds"], versions=found["versions"])
        except (ValueError, KeyError, TypeError) as error:
            raise paths.Unusable(f"{self.name} printed no answer that can be read: {error!r}") from error


CONTENDERS = (
    Contender(name="holdmetrics", title="main_holdmetrics", is_exact=True),
    Contender(name="chdb", title="chdb", is_exact=False, worker="chdb_worker.py", is_warmed=True),
    Contender(name="duckdb", title="DuckDB", is_exact=False, worker="duckdb_worker.py", is_warmed=True),
    Contender(name="polars", title="Polars", is_exact=False, worker="polars_worker.py", is_warmed=True),
    Contender(
        name="python",
        title="pure Python",
        is_exact=True,
        worker="python_worker.py",
        events_max=1_000_000,
        environment={"POH_DISABLE_RUST": "1", "PYTHONPATH": str(paths.PYTHON_PACKAGE)},
    ),
)


def contenders(names: str | None) -> list[Contender]:
    """The contenders named in a comma-separated list, in the order of the table; None is all."""
    known = {contender.name: contender for contender in CONTENDERS}
    wanted = list(known) if names is None else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise paths.Unusable(f"--contenders: unknown contender {name!r}; known are {', '.join(known)}")
    return [contender for contender in CONTENDERS if contender.name in wanted]


def binary_version(binary: Path) -> str:
    """The version that our binary prints, and the commit of the checkout, from git."""
    printed = subprocess.run([str(binary), "--version"], check=False, capture_output=True, text=True).stdout
    version = re.sub(r"^\S+\s+", "", printed.strip()) or "unknown"
    command = ["git", "-C", str(paths.CHECKOUT), "rev-parse", "--short", "HEAD"]
    try:
        commit = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
    except OSError:
        commit = ""
    return f"{version} (checkout at {commit})" if commit else version

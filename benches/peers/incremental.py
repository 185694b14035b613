"""Measures events that arrive in batches, with a leaderboard query after each; see ../README.md.

    benches/peers/.venv/bin/python benches/peers/incremental.py --events 1M --rounds 3

Slow contenders get fewer events, and the table says how many: their rate falls further with more. Fails if
the last leaderboards differ. Writes its table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from harness import paths, process, report, workloads
from harness.agreement import Disagreement, top_problem
from harness.contenders import TopRow, binary_version
from harness.machine import Machine
from harness.workloads import Workload, size_from_text, size_text

LIMITS = process.Limits(seconds_max=900, memory_bytes_max=16 * 10**9)


@dataclass(kw_only=True)
class Entry:
    """One way to keep a leaderboard up to date, and its samples."""

    title: str
    worker: str
    engine: str = ""
    is_inside_binary: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    #: The source of native code that the worker must report; None if it reports none.
    native_source: str | None = None
    events_max: int | None = None
    seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)

    def events(self, options: argparse.Namespace) -> int:
        """How many events it is given, in whole batches."""
        most: int = min(options.events, self.events_max or options.events)
        batch: int = options.batch
        return max(most // batch, 1) * batch

    def command(self, options: argparse.Namespace, workload: Workload, events: int) -> list[str]:
        """The command that feeds it the first `events` events."""
        inside = self.is_inside_binary
        runner = [str(paths.binary(options.binary)), "run"] if inside else [str(paths.venv_python())]
        command = [*runner, str(paths.WORKERS / self.worker), str(workload.path)]
        command += ["--as-of-us", str(workload.past_us), "--events", str(events), "--top", str(options.top)]
        command += ["--batch", str(options.batch), "--threads", str(options.threads)]
        return [*command, "--engine", self.engine] if self.engine else command


def entries() -> list[Entry]:
    """All entries; the first is the reference for the answers of the others."""
    inside = {"VIRTUAL_ENV": str(paths.VENV)}
    pure = {"POH_DISABLE_RUST": "1", "PYTHONPATH": str(paths.PYTHON_PACKAGE)}
    ours = "incremental_holdmetrics.py"
    return [
        Entry(
            title="native Aggregator, in `main_holdmetrics run`",
            worker=ours,
            engine="aggregator",
            is_inside_binary=True,
            environment=inside,
            native_source="host",
        ),
        Entry(
            title="AsyncTracker over it, in `main_holdmetrics run`",
            worker=ours,
            engine="tracker",
            is_inside_binary=True,
            environment=inside,
            native_source="host",
        ),
        Entry(
            title="AsyncTracker, pure Python",
            worker=ours,
            engine="tracker",
            environment=pure,
            native_source="none",
            events_max=100_000,
        ),
        Entry(title="chdb, AggregatingMergeTree", worker="incremental_chdb.py", events_max=200_000),
    ]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--binary", type=Path, help="main_holdmetrics [default: target/release]")
    parser.add_argument("--events", default="1M", help="for contenders that can take them [default: 1M]")
    parser.add_argument("--batch", type=int, default=10_000, help="events of a batch [default: 10000]")
    parser.add_argument("--rounds", type=int, default=3, help="fresh processes of each [default: 3]")
    parser.add_argument("--threads", type=int, default=2, help="threads of chdb [default: 2]")
    parser.add_argument("--top", type=int, default=100, help="length of the leaderboard [default: 100]")
    parser.add_argument("--seed", type=int, default=1, help="of the generated events [default: 1]")
    parser.add_argument("--cache", type=Path, default=paths.cache_folder(), help="[default: %(default)s]")
    parser.add_argument("--output", type=Path, default=paths.CHECKOUT / "docs" / "benchmarks.md")
    parser.add_argument("--quick", action="store_true", help="100K events, one round, writes nothing")
    options = parser.parse_args()
    if options.quick:
        options.events, options.rounds = "100K", 1
    for name in ("batch", "rounds", "threads", "top"):
        if getattr(options, name) < 1:
            parser.error(f"--{name}: {getattr(options, name)} is less than 1")
    return options


def measure(options: argparse.Namespace, workload: Workload, participants: list[Entry]) -> dict[str, str]:
    """Measure all entries, in turns; returns the versions that they report."""
    versions: dict[str, str] = {}
    expected: dict[int, list[TopRow]] = {}
    for events in sorted({entry.events(options) for entry in participants}):
        expected[events] = _ask(options, workload, participants[0], events)[1]
    for turn in range(1, options.rounds + 1):
        for entry in participants:
            events = entry.events(options)
            ran, top, seconds, named = _ask(options, workload, entry, events)
            problem = top_problem(expected[events], top)
            if problem:
                raise Disagreement(f"{entry.title}, {events} events: {problem}")
            entry.seconds.append(seconds)
            entry.peak_bytes.append(ran.peak_bytes)
            versions |= named
            rate = events / seconds / 1e6
            print(f"round {turn} of {options.rounds}: {entry.title}: {rate:.3f}M events/s", file=sys.stderr)
    return versions


def _ask(
    options: argparse.Namespace, workload: Workload, entry: Entry, events: int
) -> tuple[process.Run, list[TopRow], float, dict[str, str]]:
    ran = process.run(entry.command(options, workload, events), LIMITS, entry.environment)
    if ran.failure:
        raise paths.Unusable(f"{entry.title}: {ran.failure}")
    found = json.loads(ran.output)
    if found.get("native_source") != entry.native_source:
        raise paths.Unusable(
            f"{entry.title}: the source of native code is {found['native_source']!r}, not {entry.native_source!r}"
        )
    top = [(holder, held, score) for holder, held, score in found["top"]]
    return ran, top, found["seconds"], found["versions"]


def table(options: argparse.Namespace, participants: list[Entry], head: list[str]) -> str:
    """The text between the markers."""
    lines = [
        *head,
        "",
        f"Events of W1 in batches of {options.batch:,}, the first {options.top} of the leaderboard queried after "
        f"each, as of an instant at which all holds have ended. Medians of {options.rounds} interleaved rounds "
        "of fresh processes; starting the process and cutting the batches are not counted. "
        "The last leaderboards are equal.",
        "",
        "| contender | events | seconds | min to max | million events/s | peak, MB |",
        "| --- | ---: | ---: | :---: | ---: | ---: |",
    ]
    for entry in participants:
        events, seconds = entry.events(options), median(entry.seconds)
        spread = f"{min(entry.seconds):.2f} to {max(entry.seconds):.2f}"
        peak = median(entry.peak_bytes) / 1e6
        rate = events / seconds / 1e6
        lines.append(
            f"| {entry.title} | {size_text(events)} | {seconds:.2f} | {spread} | {rate:.3f} | {peak:,.0f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Exit codes: 0 done; 1 contenders disagree; 2 something needed is missing."""
    options = arguments()
    participants = entries()
    try:
        options.events = size_from_text(options.events)
        workload = workloads.workload(
            "W1",
            options.events,
            seed=options.seed,
            cache=options.cache,
            binary=lambda: paths.binary(options.binary),
            python=paths.venv_python(),
        )
        versions = measure(options, workload, participants)
        versions = {"main_holdmetrics": binary_version(paths.binary(options.binary)), **versions}
        named = ", ".join(f"{name} {version}" for name, version in versions.items())
        head = [f"Measured on {Machine.here().sentence()}.", f"Versions: {named}."]
        text = table(options, participants, head)
        if options.quick:
            print(text)
        else:
            report.write_between_markers(options.output, "incremental", text)
            print(f"{options.output} has the table")
    except paths.Unusable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Disagreement as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Compares `main_holdmetrics score` with the tools that a user could choose instead; see ../README.md.

    benches/peers/.venv/bin/python benches/peers/run.py --sizes 1M,10M --rounds 5

Generates the inputs once, runs every contender in fresh processes in turns, fails if the answers differ,
writes the table into docs/benchmarks.md and every sample into the cache.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from pathlib import Path

from harness import paths, report, workloads
from harness.agreement import Disagreement
from harness.contenders import Setting, binary_version, contenders
from harness.contest import Contest, Rules, hold
from harness.machine import Machine
from harness.process import Limits

#: The share of the machine's memory that one contender may use.
MEMORY_SHARE = 0.8


def arguments() -> argparse.Namespace:
    """The command line, with the defaults of --quick filled in."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--binary", type=Path, help="main_holdmetrics [default: target/release]")
    parser.add_argument("--sizes", help="events, as in 1M,10M,50M [default: 1M,10M]")
    parser.add_argument(
        "--workloads",
        default=",".join(workloads.SHAPES),
        help="of W1 (equal), W2 (mixed), W3 (nested), W4, W5 (transfers)",
    )
    parser.add_argument("--contenders", help="of holdmetrics,chdb,duckdb,polars,python [default: all]")
    parser.add_argument("--rounds", type=int, help="fresh processes of each [default: 5]")
    parser.add_argument("--warm", type=int, help="warm repeats, after one that is left out [default: 3]")
    parser.add_argument("--threads", type=int, default=2, help="threads of each contender [default: 2]")
    parser.add_argument("--top", type=int, default=100, help="length of the leaderboard [default: 100]")
    parser.add_argument("--seed", type=int, default=1, help="of the generated events [default: 1]")
    parser.add_argument("--seconds-max", type=float, default=900, help="per process [default: 900]")
    parser.add_argument("--memory-max-gb", type=float, help="per process [default: 80 %% of the machine's]")
    parser.add_argument("--cache", type=Path, default=paths.cache_folder(), help="[default: %(default)s]")
    parser.add_argument("--output", type=Path, default=paths.CHECKOUT / "docs" / "benchmarks.md")
    parser.add_argument(
        "--section", default="peers", help="the marker lines of --output to write between [default: peers]"
    )
    parser.add_argument(
        "--quick", action="store_true", help="100K events, one round, prints and writes nothing"
    )
    options = parser.parse_args()
    defaults = ("100K", 1, 1) if options.quick else ("1M,10M", 5, 3)
    options.sizes = options.sizes or defaults[0]
    options.rounds = defaults[1] if options.rounds is None else options.rounds
    options.warm = defaults[2] if options.warm is None else options.warm
    for name, least in (("rounds", 1), ("warm", 0), ("threads", 1), ("top", 1)):
        if getattr(options, name) < least:
            parser.error(f"--{name}: {getattr(options, name)} is less than {least}")
    return options


def compete(options: argparse.Namespace) -> list[Contest]:
    """Run every contest of the command line."""
    participants = contenders(options.contenders)
    names = [name.strip() for name in options.workloads.split(",")]
    for name in names:
        if name not in workloads.SHAPES:
            raise paths.Unusable(
                f"--workloads: unknown workload {name!r}; known are {', '.join(workloads.SHAPES)}"
            )
    sizes = [workloads.size_from_text(text) for text in options.sizes.split(",")]
    python = paths.venv_python()
    memory = os.sysconf("SC_PAGESIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE
    if options.memory_max_gb:
        memory = options.memory_max_gb * 1e9
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        rules = Rules(
            setting=Setting(binary=options.binary, python=python, threads=options.threads, top=options.top),
            limits=Limits(seconds_max=options.seconds_max, memory_bytes_max=int(memory)),
            rounds=options.rounds,
            warm_repeats=options.warm,
            scratch=Path(scratch),
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        contests = []
        for name in names:
            for events in sizes:
                workload = workloads.workload(
                    name,
                    events,
                    seed=options.seed,
                    cache=options.cache,
                    binary=lambda: paths.binary(options.binary),
                    python=python,
                )
                contests.append(hold(workload, participants, rules))
        return contests


def versions(options: argparse.Namespace, contests: list[Contest]) -> dict[str, str]:
    """The versions of what was compared, by name; ours first."""
    found: dict[str, str] = {}
    for record in (record for contest in contests for record in contest.records):
        if record.contender.worker is None:
            found["main_holdmetrics"] = binary_version(paths.binary(options.binary))
        found |= record.versions
    return found


def main() -> int:
    """Exit codes: 0 done; 1 contenders disagree; 2 something needed is missing."""
    options = arguments()
    machine = Machine.here()
    try:
        contests = compete(options)
        # Paths of this machine mean nothing to a reader.
        command = shlex.join(["python", "benches/peers/run.py", *_without_paths(sys.argv[1:])])
        found = versions(options, contests)
        text = report.markdown(
            contests, machine=machine, versions=found, command=command, rounds=options.rounds
        )
        if options.quick:
            print(text)
            return 0
        samples = options.cache / f"samples-{machine.date.replace(' ', '-').replace(':', '')}.json"
        about = {"machine": machine.as_dict(), "versions": found, "command": command}
        report.write_samples(samples, contests, **about)
        report.write_between_markers(options.output, options.section, text)
        print(f"{options.output} has the table, {samples} every sample")
    except paths.Unusable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Disagreement as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _without_paths(given: list[str]) -> list[str]:
    kept: list[str] = []
    words = iter(given)
    for word in words:
        name, has_value, _ = word.partition("=")
        if name in {"--binary", "--cache", "--output"}:
            if not has_value:
                next(words, None)
            continue
        kept.append(word)
    return kept


if __name__ == "__main__":
    sys.exit(main())

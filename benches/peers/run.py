"""Compares `main_holdmetrics score` with what else a user could pick; see ../README.md.

    benches/peers/.venv/bin/python benches/peers/run.py --sizes 1M,10M --rounds 5

Generates the inputs once, lets every contender answer in fresh processes in turns, fails where the answers
differ, writes the table into docs/benchmarks.md and every sample into the cache.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from pathlib import Path

from harness import places, report, workloads
from harness.agreement import Disagreement
from harness.contenders import Setting, binary_version, contenders
from harness.contest import Contest, Rules, hold
from harness.machine import Machine
from harness.process import Limits

#: Of the machine's memory, what one contender may take.
MEMORY_SHARE = 0.8


def arguments() -> argparse.Namespace:
    """The command line, with what --quick stands for filled in."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--binary", type=Path, help="main_holdmetrics [default: target/release]")
    parser.add_argument("--sizes", help="events, as in 1M,10M,50M [default: 1M,10M]")
    parser.add_argument("--workloads", default="W1,W2,W3", help="of W1 (equal), W2 (mixed), W3 (nested)")
    parser.add_argument("--contenders", help="of holdmetrics,chdb,duckdb,polars,python [default: all]")
    parser.add_argument("--rounds", type=int, help="fresh processes of each [default: 5]")
    parser.add_argument("--warm", type=int, help="warm repeats, after one that is left out [default: 3]")
    parser.add_argument("--threads", type=int, default=2, help="threads of each contender [default: 2]")
    parser.add_argument("--top", type=int, default=100, help="length of the leaderboard [default: 100]")
    parser.add_argument("--seed", type=int, default=1, help="of the generated events [default: 1]")
    parser.add_argument("--seconds-max", type=float, default=900, help="per process [default: 900]")
    parser.add_argument("--memory-max-gb", type=float, help="per process [default: 80 %% of the machine's]")
    parser.add_argument("--cache", type=Path, default=places.cache_folder(), help="[default: %(default)s]")
    parser.add_argument("--output", type=Path, default=places.CHECKOUT / "docs" / "benchmarks.md")
    parser.add_argument(
        "--quick", action="store_true", help="100K events, one round, prints and writes nothing"
    )
    asked = parser.parse_args()
    defaults = ("100K", 1, 1) if asked.quick else ("1M,10M", 5, 3)
    asked.sizes = asked.sizes or defaults[0]
    asked.rounds = defaults[1] if asked.rounds is None else asked.rounds
    asked.warm = defaults[2] if asked.warm is None else asked.warm
    for name, least in (("rounds", 1), ("warm", 0), ("threads", 1), ("top", 1)):
        if getattr(asked, name) < least:
            parser.error(f"--{name}: {getattr(asked, name)} is less than {least}")
    return asked


def compete(asked: argparse.Namespace) -> list[Contest]:
    """Hold every contest asked for."""
    taking_part = contenders(asked.contenders)
    names = [name.strip() for name in asked.workloads.split(",")]
    for name in names:
        if name not in workloads.SHAPES:
            raise places.Unusable(f"--workloads: {name!r} is none of {', '.join(workloads.SHAPES)}")
    sizes = [workloads.size_from_text(text) for text in asked.sizes.split(",")]
    python = places.venv_python()
    memory = os.sysconf("SC_PAGESIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE
    if asked.memory_max_gb:
        memory = asked.memory_max_gb * 1e9
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        rules = Rules(
            setting=Setting(binary=asked.binary, python=python, threads=asked.threads, top=asked.top),
            limits=Limits(seconds_max=asked.seconds_max, memory_bytes_max=int(memory)),
            rounds=asked.rounds,
            warm_repeats=asked.warm,
            scratch=Path(scratch),
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        contests = []
        for name in names:
            for events in sizes:
                workload = workloads.workload(
                    name,
                    events,
                    seed=asked.seed,
                    cache=asked.cache,
                    binary=lambda: places.binary(asked.binary),
                    python=python,
                )
                contests.append(hold(workload, taking_part, rules))
        return contests


def versions(asked: argparse.Namespace, contests: list[Contest]) -> dict[str, str]:
    """What was compared, by name; ours first."""
    found: dict[str, str] = {}
    for record in (record for contest in contests for record in contest.records):
        if record.contender.worker is None:
            found["main_holdmetrics"] = binary_version(places.binary(asked.binary))
        found |= record.versions
    return found


def main() -> int:
    """Exit codes: 0 done; 1 contenders disagree; 2 something needed is not there."""
    asked = arguments()
    machine = Machine.here()
    try:
        contests = compete(asked)
        # Paths of this machine say nothing to a reader.
        command = shlex.join(["python", "benches/peers/run.py", *_without_paths(sys.argv[1:])])
        found = versions(asked, contests)
        text = report.markdown(
            contests, machine=machine, versions=found, command=command, rounds=asked.rounds
        )
        if asked.quick:
            print(text)
            return 0
        samples = asked.cache / f"samples-{machine.date.replace(' ', '-').replace(':', '')}.json"
        about = {"machine": machine.as_dict(), "versions": found, "command": command}
        report.write_samples(samples, contests, **about)
        report.write_between_markers(asked.output, "peers", text)
        print(f"{asked.output} has the table, {samples} every sample")
    except places.Unusable as error:
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

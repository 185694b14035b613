"""The inputs: four shapes of events in several sizes, generated once and kept in the cache.

`main_holdmetrics generate` writes them (seeded, so that every machine measures the same events); a file of this
`GENERATION` that is already in the cache is used as it is. Facts of each file are read by `facts` and cached
next to it.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.paths import Unusable

#: Part of the name of every input: raise it when `generate` writes other events than before.
GENERATION = 2
TOKENS = 8
EVENTS_PER_HOLDER = 10
#: Time counts up to here: late enough that most counts, early enough that every contender must cut holds off.
AS_OF_SHARE = 0.95

SHAPES = {"W1": "equal", "W2": "mixed", "W3": "nested", "W4": "transfers", "W5": "transfers"}
TITLES = {
    "W1": "one weight per token",
    "W2": "a weight per event",
    "W3": "long nested holds, a weight per event",
    "W4": "transfers, each a change of two balances",
    "W5": "the same transfers, which may be repeated",
}
#: What a reader of the table must know of a workload.
NOTES = {
    "W4": "No row repeats another, and the statements of the peers rely on that. Ours tells transfers apart by "
    "`event_id`, reads that column for it, and would give the same answer if rows were repeated.",
    "W5": "The file of W4, which repeats no row; but the statements of the peers tell rows apart by `event_id` and "
    "would stay right, too.",
}
_SCALES = {"": 1, "K": 1_000, "M": 1_000_000}


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One input file and the query to run on it."""

    name: str
    events: int
    path: Path
    holders: int
    #: The as_of of the query: it cuts holds off, and later changes do not count.
    as_of_us: int
    #: The first whole second that no time of the input lies after.
    past_us: int

    @property
    def as_of(self) -> str:
        """The instant as RFC 3339 text; whole seconds."""
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.as_of_us)
        return instant.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def label(self) -> str:
        """Short name with the size, as in `W2 10M`."""
        return f"{self.name} {size_text(self.events)}"


def size_from_text(text: str) -> int:
    """`250K`, `10M` or plain digits as a count; raises `Unusable` otherwise."""
    found = re.fullmatch(r"(\d+)([KM]?)", text.strip().upper())
    if not found or int(found[1]) == 0:
        raise Unusable(f"--sizes: invalid size {text!r}; write 100K, 1M or 10M")
    return int(found[1]) * _SCALES[found[2]]


def size_text(events: int) -> str:
    """A count of events, written as short as possible."""
    for suffix, scale in (("M", 1_000_000), ("K", 1_000)):
        if events % scale == 0:
            return f"{events // scale}{suffix}"
    return str(events)


def workload(
    name: str, events: int, *, seed: int, cache: Path, binary: Callable[[], Path], python: Path
) -> Workload:
    """The workload with its file in the cache; generates the file if it is missing.

    `binary` is called for the generator only if a file must be generated. Raises `Unusable` if that fails.
    """
    shape = SHAPES[name]
    path = cache / f"{shape}-{size_text(events)}-seed{seed}-generation{GENERATION}.parquet"
    if not path.is_file():
        generate(binary(), path, events, ["--shape", shape, "--seed", str(seed)])
    found = _facts(path, python)
    if found["events"] != events:
        raise Unusable(f"{path} has {found['events']} events, not {events}: delete it and run again")
    span_us = found["last_us"] - found["first_us"]
    as_of_us = found["first_us"] + int(span_us * AS_OF_SHARE)
    return Workload(
        name=name,
        events=events,
        path=path,
        holders=found["holders"],
        as_of_us=as_of_us // 1_000_000 * 1_000_000,
        past_us=-(-found["last_us"] // 1_000_000) * 1_000_000,
    )


def generate(binary: Path, path: Path, events: int, options: Sequence[str]) -> None:
    """Make a file of events, which is at `path` only when it is complete; raises `Unusable` if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"unfinished-{path.name}")
    command = [str(binary), "generate", "--events", str(events), *options]
    command += ["--holders", str(max(events // EVENTS_PER_HOLDER, 1)), "--tokens", str(TOKENS)]
    command += ["--output", str(unfinished)]
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        unfinished.unlink(missing_ok=True)
        raise Unusable(f"`{shlex.join(command)}` failed with the lines above")
    unfinished.rename(path)


def _facts(path: Path, python: Path) -> dict[str, int]:
    kept = path.with_suffix(".json")
    if kept.is_file() and kept.stat().st_mtime >= path.stat().st_mtime:
        return dict(json.loads(kept.read_text()))
    program = Path(__file__).with_name("facts.py")
    done = subprocess.run([str(python), str(program), str(path)], check=False, capture_output=True, text=True)
    if done.returncode:
        raise Unusable(f"{path} cannot be read, delete it and run again: {done.stderr.strip()[-300:]}")
    kept.write_text(done.stdout)
    return dict(json.loads(done.stdout))

"""Measures `main_holdmetrics score` by the shape of its file: ids, weights, event ids, compression, format, times.

    python3 benches/peers/shapes.py --events 1M --rounds 5

Every file has the same events of one seed, so their scores are the same unless the weights differ, and the run fails
if they do not agree. Writes its table into docs/benchmarks.md; needs no other tool.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from harness import paths, process, report
from harness.contenders import binary_version
from harness.machine import Machine, load_average
from harness.workloads import EVENTS_PER_HOLDER, GENERATION, generate, size_from_text, size_text

LIMITS = process.Limits(seconds_max=300, memory_bytes_max=16 * 10**9)
#: Beyond the last hold, so that all of it counts.
AS_OF = "2025-06-01T00:00:00Z"


@dataclass(kw_only=True)
class Shape:
    """One kind of file and its samples."""

    title: str
    #: The ending of its name, which says how text is written and compressed.
    ending: str = "parquet"
    options: str = ""
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)

    def path(self, cache: Path, events: int) -> Path:
        """Its file, whose name tells the options."""
        words = "".join(word if word.isalnum() else "-" for word in self.options).strip("-")
        name = f"shape{words and '-' + words}-{size_text(events)}-generation{GENERATION}.{self.ending}"
        return cache / name

    @property
    def has_own_weights(self) -> bool:
        """Whether its scores differ from those of other files."""
        return "--weights" in self.options


#: Each group is compared with its first shape.
GROUPS: dict[str, list[Shape]] = {
    "Parquet, ids of holders": [
        Shape(title="`0x` and 40 digits"),
        Shape(title="the same in mixed case", options="--ids mixed-hex"),
        Shape(title="UUID", options="--ids uuid"),
        Shape(title="e-mail address", options="--ids email"),
        Shape(title="`0x` and 64 digits", options="--ids hash"),
        Shape(title="16 digits", options="--ids short"),
    ],
    "Parquet, event ids": [
        Shape(title="none"),
        Shape(title="16 digits", options="--event-ids short"),
        Shape(title="UUID", options="--event-ids uuid"),
        Shape(title="`0x` and 64 digits", options="--event-ids hash"),
        Shape(title="UUID, holders too", options="--event-ids uuid --ids uuid"),
    ],
    "Parquet, weights": [
        Shape(title="one per token"),
        Shape(title="none", options="--weights none"),
        Shape(title="integers", options="--weights integer"),
        Shape(title="doubles with two decimals", options="--weights short"),
        Shape(title="doubles with all digits", options="--weights double"),
        Shape(title="text with 18 decimals", options="--weights exact"),
    ],
    "Parquet, compression and times": [
        Shape(title="snappy"),
        Shape(title="none", options="--compression none"),
        Shape(title="zstd", options="--compression zstd"),
        Shape(title="gzip", options="--compression gzip"),
        Shape(title="snappy, times as text", options="--times text"),
    ],
    "JSONL": [
        Shape(title="`0x` and 40 digits", ending="jsonl"),
        Shape(title="UUID", ending="jsonl", options="--ids uuid"),
        Shape(title="event ids, UUID", ending="jsonl", options="--event-ids uuid"),
        Shape(title="doubles with all digits", ending="jsonl", options="--weights double"),
        Shape(title="times as text", ending="jsonl", options="--times text"),
        Shape(title="zstd", ending="jsonl.zst"),
        Shape(title="gzip", ending="jsonl.gz"),
    ],
    "CSV": [
        Shape(title="`0x` and 40 digits", ending="csv"),
        Shape(title="UUID", ending="csv", options="--ids uuid"),
        Shape(title="event ids, UUID", ending="csv", options="--event-ids uuid"),
        Shape(title="times as text", ending="csv", options="--times text"),
        Shape(title="zstd", ending="csv.zst"),
        Shape(title="gzip", ending="csv.gz"),
    ],
}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--binary", type=Path, help="main_holdmetrics [default: target/release]")
    parser.add_argument("--events", default="1M", help="of each file [default: 1M]")
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes of each [default: 5]")
    parser.add_argument("--threads", type=int, default=2, help="[default: 2]")
    parser.add_argument("--cache", type=Path, default=paths.cache_folder(), help="[default: %(default)s]")
    parser.add_argument("--output", type=Path, default=paths.CHECKOUT / "docs" / "benchmarks.md")
    parser.add_argument(
        "--quick", action="store_true", help="100K events, one round, prints and writes nothing"
    )
    options = parser.parse_args()
    if options.quick:
        options.events, options.rounds = "100K", 1
    for name in ("rounds", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name}: {getattr(options, name)} is less than 1")
    return options


def score(binary: Path, path: Path, threads: int) -> process.Run:
    """Score a file; the answer is the held time and the score of the first hundred."""
    command = [str(binary), "score", str(path), "--as-of", AS_OF, "--top", "100", "--format", "csv"]
    ran = process.run([*command, "--threads", str(threads)], LIMITS, {})
    if ran.failure:
        raise paths.Unusable(f"{path.name}: {ran.failure}")
    return ran


def scores(output: str) -> list[list[str]]:
    """The answer without the ids of holders, whose order within a tie is theirs."""
    rows = [line.split(",") for line in output.splitlines()]
    place = rows[0].index("holder_id")
    return sorted(row[:place] + row[place + 1 :] for row in rows)


def measure(options: argparse.Namespace, binary: Path, events: int) -> None:
    """Measure all shapes in turns, each group for itself."""
    expected: list[list[str]] | None = None
    for title, shapes in GROUPS.items():
        files = [shape.path(options.cache, events) for shape in shapes]
        for shape, path in zip(shapes, files, strict=True):
            if not path.is_file():
                generate(binary, path, events, shlex.split(shape.options))
            # Untimed: it also reads the file into the page cache.
            found = scores(score(binary, path, options.threads).output)
            if not shape.has_own_weights:
                expected = expected or found
                if found != expected:
                    raise paths.Unusable(f"{path.name}: its scores differ from those of the first file")
        for turn in range(1, options.rounds + 1):
            for shape, path in zip(shapes, files, strict=True):
                ran = score(binary, path, options.threads)
                shape.seconds.append(ran.seconds)
                shape.cpu_seconds.append(ran.cpu_seconds)
                shape.peak_bytes.append(ran.peak_bytes)
            print(f"{title}: round {turn} of {options.rounds}", file=sys.stderr, flush=True)


def markdown(options: argparse.Namespace, binary: Path, events: int) -> str:
    """The whole text between the markers."""
    command = f"python benches/peers/shapes.py --events {options.events} --rounds {options.rounds}"
    lines = [
        f"Measured on {Machine.here().sentence()}, load average {load_average():.1f}.",
        f"Version: main_holdmetrics {binary_version(binary)}, {options.threads} threads.",
        "",
        f"    {command}",
        "",
        f"Medians of {options.rounds} rounds in turns of whole processes over files of {size_text(events)} events of "
        f"{size_text(max(events // EVENTS_PER_HOLDER, 1))} holders to draw from; each group is compared with its "
        "first row. *time* is by the clock, *CPU* counts all threads; the ratios of CPU are the ones to read if "
        "other work shares the machine. 1 MB = 10^6 bytes.",
    ]
    for title, shapes in GROUPS.items():
        lines += [
            "",
            f"| {title} | `generate` | time, ns an event | ÷ | CPU, ns an event | ÷ | peak, MB | ÷ |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(_row(shape, shapes[0], events) for shape in shapes),
        ]
    return "\n".join(lines) + "\n"


def _row(shape: Shape, first: Shape, events: int) -> str:
    cells = [shape.title, f"`{shape.options or 'defaults'}`, .{shape.ending}"]
    for samples, of_first, unit in (
        (shape.seconds, first.seconds, 1e9 / events),
        (shape.cpu_seconds, first.cpu_seconds, 1e9 / events),
        (shape.peak_bytes, first.peak_bytes, 1e-6),
    ):
        cells.append(f"{median(samples) * unit:,.0f}")
        cells.append(f"{median(samples) / median(of_first):.2f}")
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Exit codes: 0 done; 2 something needed is missing, or the answers differ."""
    options = arguments()
    try:
        binary = paths.binary(options.binary)
        events = size_from_text(options.events)
        measure(options, binary, events)
        text = markdown(options, binary, events)
        if options.quick:
            print(text)
        else:
            report.write_between_markers(options.output, "shapes", text)
            print(f"{options.output} has the table")
    except paths.Unusable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

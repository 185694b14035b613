"""`score(frame)` beside `main_holdmetrics score` on the same Parquet file, and beside floats in polars.

    python benches/frames.py BINARY [EVENTS]

Each round runs all of them in turn; the ratios are those of the medians of one run. Needs the native
extension, polars and pyarrow. What polars computes here is less than a score: it
adds overlapping holds, and rounds.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import polars as pl

from poh_holdmetrics import native, score

ROUNDS = 7
AS_OF = "2026-03-01T00:00:00Z"


def in_floats(frame: pl.DataFrame) -> pl.DataFrame:
    """What a user of polars would write."""
    held = (pl.col("end") - pl.col("start")).dt.total_microseconds() / 1e6
    return (
        frame.lazy()
        .group_by("holder_id")
        .agg((held * pl.col("weight").cast(pl.Float64)).sum().alias("score"))
        .sort("score", descending=True)
        .collect()
    )


def main() -> None:
    """Measure and print."""
    binary, events = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "1000000"  # noqa: PLR2004
    if native.source() == "none":
        sys.exit("no native code found: install the extension poh_holdmetrics_rust")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "holds.parquet"
        command = [binary, "generate", "--events", events, "--output", str(file)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the binary under test
        frame = pl.read_parquet(file)
        arrow = frame.to_arrow()

        def by_binary() -> object:
            line = [binary, "score", str(file), "--as-of", AS_OF, "--format", "json", "--limit", "100"]
            return subprocess.run(line, check=True, capture_output=True)  # noqa: S603

        contenders: dict[str, Callable[[], Any]] = {
            "main_holdmetrics score FILE": by_binary,
            "score(polars frame).top(100)": lambda: score(frame, as_of=AS_OF).top(100),
            "score(pyarrow table).top(100)": lambda: score(arrow, as_of=AS_OF).top(100),
            "score(FILE).top(100)": lambda: score(file, as_of=AS_OF).top(100),
            "polars, sums of floats": lambda: in_floats(frame),
        }
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, run in contenders.items():
                begin = perf_counter()
                run()
                taken[name].append(perf_counter() - begin)
    base = median(taken["main_holdmetrics score FILE"])
    for name, seconds in taken.items():
        middle = median(seconds)
        print(f"{name:<32}{middle * 1e3:>9.0f} ms{middle / base:>8.2f}")


if __name__ == "__main__":
    main()

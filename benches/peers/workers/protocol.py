"""What every worker program takes and prints, so that the harness can treat all contenders alike.

A worker scores one Parquet file `--repeat` times and prints one JSON object: the versions of what it used,
the seconds of each repetition (from reading the file to the top list in hand), and the top list as
[holder_id, held_us, score]. With `--scores` it also writes all holders to Parquet, outside the timing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the harness asks. Times are microseconds since the epoch."""

    workload: str
    file: str
    as_of_us: int
    threads: int
    top: int
    repeat: int
    scores: str | None


def question() -> Question:
    """The question on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--workload", required=True, choices=["W1", "W2", "W3"])
    parser.add_argument("--as-of-us", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--top", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--scores")
    return Question(**vars(parser.parse_args()))


def answer(
    asked: Question,
    *,
    versions: dict[str, str],
    top: Callable[[], Iterable[tuple[str, Any, Any]]],
    write_scores: Callable[[str], None],
) -> None:
    """Time `top` as often as asked, write the scores where asked, print the answer."""
    seconds = []
    rows: list[tuple[str, Any, Any]] = []
    for _ in range(asked.repeat):
        began = time.perf_counter()
        rows = list(top())
        seconds.append(time.perf_counter() - began)
    if asked.scores:
        write_scores(asked.scores)
    listed = [[holder, int(held), float(score)] for holder, held, score in rows]
    print(json.dumps({"versions": versions, "seconds": seconds, "top": listed}))

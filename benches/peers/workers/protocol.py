"""The arguments and the output of every worker program, so that the harness treats all contenders alike.

A worker scores one Parquet file `--repeat` times and prints one JSON object: the versions of what it used,
the seconds of each repetition (from reading the file to having the top list), and the top list as
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
class Query:
    """The arguments. Times are microseconds since the epoch."""

    workload: str
    file: str
    as_of_us: int
    threads: int
    top: int
    repeat: int
    scores: str | None


def parsed_query() -> Query:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--workload", required=True, choices=["W1", "W2", "W3", "W4", "W5"])
    parser.add_argument("--as-of-us", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--top", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--scores")
    return Query(**vars(parser.parse_args()))


def answer(
    query: Query,
    *,
    versions: dict[str, str],
    top: Callable[[], Iterable[tuple[str, Any, Any]]],
    write_scores: Callable[[str], None],
) -> None:
    """Time `top` `repeat` times, write the scores if wanted, print the answer."""
    seconds = []
    rows: list[tuple[str, Any, Any]] = []
    for _ in range(query.repeat):
        began = time.perf_counter()
        rows = list(top())
        seconds.append(time.perf_counter() - began)
    if query.scores:
        write_scores(query.scores)
    listed = [[holder, int(held), float(score)] for holder, held, score in rows]
    print(json.dumps({"versions": versions, "seconds": seconds, "top": listed}))

"""The arguments and the output of the incremental workers: a file in batches, a top list after each.

Prints one JSON object: versions, the source of native code (ours only), the seconds from the first batch to
the last top list, and that list as [holder_id, held_us, score]. Cutting the file into batches is not timed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Feed:
    """The arguments. Times are microseconds since the epoch; the first `events` rows are fed."""

    file: str
    as_of_us: int
    events: int
    batch: int
    top: int
    threads: int
    engine: str


def feed() -> Feed:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--as-of-us", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--top", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--engine", default="")
    return Feed(**vars(parser.parse_args()))


def answer(
    batches: Iterable[Any],
    *,
    versions: dict[str, str],
    take: Callable[[Any], Sequence[tuple[str, Any, Any]]],
    native_source: str | None = None,
) -> None:
    """Time `take`, which records one batch and returns the top list, over all batches; print the answer."""
    ready = list(batches)
    rows: Sequence[tuple[str, Any, Any]] = []
    began = time.perf_counter()
    for batch in ready:
        rows = take(batch)
    seconds = time.perf_counter() - began
    listed = [[holder, int(held), float(score)] for holder, held, score in rows]
    print(
        json.dumps({"versions": versions, "seconds": seconds, "top": listed, "native_source": native_source})
    )

"""The cost of calls between Python and native code, one line per measurement.

    main_holdmetrics run benches/boundary.py [--json]

Prints nanoseconds per call and per row of each registered callable, the crossing of a batch of 10,000 rows
without its scoring, a list of 100,000 models and its columns compared with pure Python, and what starting the
interpreter adds to the process. Each figure is the fastest of several repeats, because other work of the
machine only adds time. Also runs under plain `python` with the extension, without measuring that start.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import platform
import random
import subprocess
import sys
from array import array
from collections.abc import Callable
from decimal import Decimal
from time import perf_counter_ns
from typing import Any

from poh_holdmetrics import native
from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.instants import datetime_from_us
from poh_holdmetrics.pure.aggregator import Aggregator as PureAggregator

BATCH = 10_000
MODELS = 100_000
AS_OF = 1_760_000_000_000_000
SPAN = 30 * 86_400_000_000
REPEATS = 7
BOOTS = 15


class Figures:
    """Prints and keeps figures as they are measured."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, what: str, value: float, unit: str, note: str = "") -> None:
        """Keep and print one figure."""
        self.rows.append({"what": what, "value": value, "unit": unit, "note": note})
        if "--json" not in sys.argv:
            print(f"{what:<58}{value:>14,.1f} {unit:<12}{note}", flush=True)


def fastest(run: Callable[[], object], *, calls: int = 1, repeats: int = REPEATS) -> float:
    """Nanoseconds per call of the fastest repeat."""
    best = float("inf")
    for _ in range(repeats):
        begin = perf_counter_ns()
        for _ in range(calls):
            run()
        best = min(best, (perf_counter_ns() - begin) / calls)
    return best


class Columns:
    """Seeded holds of many holders and eight tokens, a weight with six decimals each."""

    def __init__(self, rows: int, seed: int) -> None:
        draw = random.Random(seed)  # noqa: S311 - test data
        holders = [f"0x{draw.getrandbits(160):040x}" for _ in range(max(1, rows // 10))]
        tokens = [f"token-{number}" for number in range(8)]
        self.token_id = [draw.choice(tokens) for _ in range(rows)]
        self.holder_id = [str(draw.choice(holders).encode(), "ascii") for _ in range(rows)]
        self.start = array("q", (AS_OF - draw.randrange(12 * SPAN) for _ in range(rows)))
        self.end = array("q", (at + draw.randrange(SPAN) for at in self.start))
        self.weight = array("d", (draw.randrange(1, 10**9) / 10**6 for _ in range(rows)))

    def all(self) -> tuple[Any, ...]:
        """The arguments of `record_batch`."""
        return self.token_id, self.holder_id, self.start, self.end, self.weight

    def arrow(self) -> tuple[Any, ...] | None:
        """The same with the texts as Arrow columns; None where pyarrow is not installed."""
        try:
            pyarrow: Any = importlib.import_module("pyarrow")
        except ImportError:
            return None
        texts = (pyarrow.array(self.token_id), pyarrow.array(self.holder_id))
        return *texts, self.start, self.end, self.weight

    def models(self) -> list[HoldEvent]:
        """The same as models, each with objects of its own."""
        return [
            HoldEvent(
                token_id=token_id,
                holder_id=holder_id,
                start=datetime_from_us(start),
                end=datetime_from_us(end),
                weight=Decimal(repr(weight)),
            )
            for token_id, holder_id, start, end, weight in zip(*self.all(), strict=True)
        ]


def single_calls(figures: Figures, ns: Any) -> None:
    """Calls with one event or one answer."""
    calls = 20_000
    aggregator = ns.Aggregator()
    aggregator.record("token", "holder", 0, 1)

    def call(what: str, run: Callable[[], object], count: int = calls) -> None:
        figures.add(what, fastest(run, calls=count), "ns/call")

    weight = Decimal("1.5")
    call("Aggregator.events", lambda: aggregator.events)
    call("Aggregator.record, closed hold", lambda: aggregator.record("token", "holder", 0, 1))
    call("Aggregator.record, Decimal weight", lambda: aggregator.record("token", "holder", 0, 1, weight))
    call("Aggregator.record, named", lambda: aggregator.record("token", "holder", 0, 1, "1", "id", 1))
    call("Aggregator.holder", lambda: aggregator.holder("holder", AS_OF), 2_000)
    call("Aggregator.snapshot, one holder", lambda: aggregator.snapshot(AS_OF), 2_000)
    call("Aggregator.leaderboard(100), one holder", lambda: aggregator.leaderboard(100, AS_OF), 2_000)
    call("calculate_score, no event", lambda: ns.calculate_score([], AS_OF), 2_000)

    def refuse() -> None:
        with contextlib.suppress(ValueError):
            aggregator.record("", "holder", 0, 1)

    call("Aggregator.record, refused", refuse)


def batches(figures: Figures, ns: Any) -> None:
    """Calls with many rows."""
    columns = Columns(BATCH, 1)
    models = columns.models()

    def by_row(what: str, run: Callable[[], object], rows: int = BATCH) -> float:
        taken = fastest(run)
        figures.add(what, taken / rows, "ns/row", f"{taken / 1e3:,.0f} us a call of {rows:,} rows")
        return taken

    by_row("record_batch, lists of str", lambda: ns.Aggregator().record_batch(*columns.all()))
    arrow = columns.arrow()
    if arrow is not None:
        by_row("record_batch, Arrow strings", lambda: ns.Aggregator().record_batch(*arrow))
    by_row("score_columns, lists of str", lambda: ns.score_columns(*columns.all(), as_of_us=AS_OF))
    if arrow is not None:
        by_row("score_columns, Arrow strings", lambda: ns.score_columns(*arrow, as_of_us=AS_OF))
    by_row("record_events, models", lambda: ns.Aggregator().record_events(models))
    by_row("aggregate, models", lambda: ns.aggregate(models, AS_OF))
    by_row("merge_overlaps, models", lambda: ns.merge_overlaps(models))
    aggregator = ns.Aggregator()
    aggregator.record_batch(*columns.all())
    snapshot = aggregator.snapshot(AS_OF)
    by_row("snapshot", lambda: aggregator.snapshot(AS_OF), len(snapshot))
    by_row("leaderboard(100)", lambda: aggregator.leaderboard(100, AS_OF), len(snapshot))
    by_row("Snapshot.rows", snapshot.rows, len(snapshot))
    by_row("Snapshot.__arrow_c_stream__", snapshot.__arrow_c_stream__, len(snapshot))

    # Refused for the length of its last column after all columns are read and before the first row is: what
    # remains is the crossing. Raising costs well under a microsecond.
    short = array("q", [0])

    def cross(given: tuple[Any, ...]) -> Callable[[], None]:
        def run() -> None:
            try:
                aggregator.record_batch(*given, revision=short)
            except ValueError:
                return
            raise AssertionError

        return run

    for what, given in (("lists of str", columns.all()), ("Arrow strings", arrow)):
        if given is not None:
            taken = fastest(cross(given), calls=20) / 1e3
            figures.add(f"crossing of {BATCH:,} rows, {what}", taken, "us", "to reach with columns: 30")
    if arrow is None:
        figures.add("crossing, Arrow strings", float("nan"), "us", "pyarrow is not installed")


def compared_with_pure_python(figures: Figures, ns: Any) -> None:
    """The same work natively and in pure Python; the results must be equal."""
    columns = Columns(MODELS, 2)
    models = columns.models()

    def pure_models() -> Any:
        aggregator = PureAggregator()
        aggregator.record_events(models)
        return aggregator.snapshot(AS_OF, None, False).rows()  # noqa: FBT003 - the native signature

    def pure_columns() -> Any:
        aggregator = PureAggregator()
        aggregator.record_batch(*columns.all())
        return aggregator.snapshot(AS_OF, None, False).rows()  # noqa: FBT003

    if not pure_models() == pure_columns() == ns.aggregate(models, AS_OF).rows():
        raise AssertionError("native code and pure Python disagree")
    slow_models = fastest(pure_models, repeats=2) / 1e6
    slow_columns = fastest(pure_columns, repeats=2) / 1e6
    figures.add(f"{MODELS:,} models, pure Python", slow_models, "ms")
    figures.add(f"{MODELS:,} rows of columns, pure Python", slow_columns, "ms")

    def compared(what: str, run: Callable[[], object], slow: float, least: int) -> None:
        taken = fastest(run) / 1e6
        figures.add(what, taken, "ms", f"{slow / taken:,.1f} times as fast; to reach: {least}")

    compared(f"{MODELS:,} models, native", lambda: ns.aggregate(models, AS_OF), slow_models, 10)
    columns_of = {"lists of str": columns.all(), "Arrow strings": columns.arrow()}
    for what, given in columns_of.items():
        if given is not None:
            score = lambda given=given: ns.score_columns(*given, as_of_us=AS_OF)  # noqa: E731
            compared(f"{MODELS:,} rows of columns, native, {what}", score, slow_columns, 50)


def boot(figures: Figures) -> None:
    """What the interpreter adds to the process, compared with one that only prints its version."""

    def run(*words: str) -> float:
        return fastest(
            lambda: subprocess.run(  # noqa: S603 - this program itself
                [sys.executable, *words], check=True, stdout=subprocess.DEVNULL
            ),
            repeats=BOOTS,
        )

    bare, booted = run("--version") / 1e6, run("python", "-c", "pass") / 1e6
    figures.add("process without Python", bare, "ms")
    figures.add("process with Python", booted, "ms")
    figures.add("boot adds", booted - bare, "ms", "to reach: 50 at most")


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    as_json = parser.parse_args().json
    ns = native.namespace()
    if ns is None:
        sys.exit("no native code found: run this with main_holdmetrics, or install the extension")
    figures = Figures()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    if not as_json:
        print(f"native code from the {native.source()}; {machine}\n")
    single_calls(figures, ns)
    batches(figures, ns)
    compared_with_pure_python(figures, ns)
    if native.source() == "host":
        boot(figures)
    if as_json:
        print(json.dumps({"source": native.source(), "machine": machine, "figures": figures.rows}, indent=1))


if __name__ == "__main__":
    main()

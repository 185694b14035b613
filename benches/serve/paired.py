"""Compares the service of two programs, such as before and after a change, in turns on one machine.

Each round loads each program with each workload, first without questions, then with a caller that requests the top 100
in a loop. The table has the medians of the second program, and the medians of its quotients by the first in the same
round. A change in the pace of a shared machine affects both alike.

    python benches/serve/paired.py --before BINARY --after BINARY
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path

import grpc
from run import WORKLOADS
from running import Figures, Workload, load, ours, served

BATCHES = WORKLOADS[1]


def asked_beside(
    options: argparse.Namespace, workload: Workload, addresses: tuple[str, str], *more: str
) -> Figures:
    """The load, the leaderboards that were answered beside it, a second, and their times."""
    times: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        with grpc.insecure_channel(addresses[0]) as channel:
            call = channel.unary_unary("/poh.HoldMetrics/GetLeaderboard")
            while not stop.is_set():
                began = time.perf_counter()
                # n = 100, the third field of the request.
                call(b"\x18\x64", timeout=30)
                times.append((time.perf_counter() - began) * 1000)

    asking = [threading.Thread(target=ask) for _ in range(options.askers)]
    for thread in asking:
        thread.start()
    began = time.perf_counter()
    figures = load(options.loader, workload, *addresses, *more)
    answers, seconds = len(times), time.perf_counter() - began
    stop.set()
    for thread in asking:
        thread.join()
    times.sort()
    middle, last = times[len(times) // 2], times[int(0.99 * len(times))]
    return {"events": figures["rate"], "answers": answers / seconds, "answer p50": middle, "answer p99": last}


def measured(options: argparse.Namespace, binary: str, workload: Workload, folder: Path) -> Figures:
    """One program at one workload, over a store of some holders."""
    holders = ("--holders", str(options.holders))
    more = (*holders, "--seed", "7", "--duration", str(options.seconds))
    with served(ours(binary, folder)) as (_, *addresses):
        both = (addresses[0], addresses[1])
        fill = ("--count", str(options.events), *holders, "--duration", "600")
        load(options.loader, BATCHES, *both, *fill)
        alone = load(options.loader, workload, *both, *more)
        asked = asked_beside(options, workload, both, *more)
    return {"events alone": alone["rate"], "ack p99 alone": alone["p99"]} | asked


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--before", required=True, help="main_holdmetrics")
    parser.add_argument("--after", required=True, help="main_holdmetrics; its load is used for both")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of one run")
    parser.add_argument("--events", type=int, default=300_000, help="that the store has before")
    parser.add_argument("--holders", type=int, default=100_000)
    parser.add_argument("--askers", type=int, default=1)
    options = parser.parse_args()
    options.loader = options.after
    samples: dict[tuple[str, str], list[Figures]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            programs = [("before", options.before), ("after", options.after)]
            for workload in WORKLOADS:
                # Each begins every second time.
                for name, binary in programs[:: -1 if number % 2 else 1]:
                    figures = measured(options, binary, workload, Path(folder))
                    samples.setdefault((workload.name, name), []).append(figures)
                    print(number + 1, workload.name, name, figures, flush=True)
    for workload in WORKLOADS:
        before, after = samples[workload.name, "before"], samples[workload.name, "after"]
        for figure in after[0]:
            quotient = statistics.median(b[figure] / a[figure] for a, b in zip(before, after, strict=True))
            value = statistics.median(sample[figure] for sample in after)
            print(f"| ({workload.name}) {figure} | {value:,.2f} | {quotient:.2f} |")


if __name__ == "__main__":
    main()

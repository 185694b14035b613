"""Compares the service with servers that discard everything, a Python server, and the fdatasync floor.

Every round runs each contender once at each workload, in turns, client and server on the same cores; the
table has medians. Before each run of ours the floor is measured in the folder of the journal: the time of
one append of 4 KiB with fdatasync. For the acknowledgements at half load the table also has the wait that the
disk alone causes, and the longest time that a core is not available to programs. Figures are valid only on a
machine that does nothing else.

    python benches/serve/run.py --binary BINARY --bare BARE_SERVER
    python benches/serve/run.py ... --quick      # one short round, prints, writes nothing
"""

from __future__ import annotations

import argparse
import bisect
import concurrent.futures
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc
from running import Figures, Workload, load, ours, served, write

FLOOR_SECONDS = 0.3
# The rate of syncs of the service at half load.
SYNCS_A_SECOND = 2_000
SEGMENT_BYTES = 64 << 20
# A hundred holders take more than this.
LEADERS_BYTES_MIN = 2_000

WORKLOADS = (
    Workload(
        name="a",
        what="`Broadcast`, one message at a time, 8 streams",
        arguments=("--protocol", "grpc-stream", "--connections", "8"),
    ),
    Workload(
        name="b",
        what="`BroadcastBatch` of 1,000, 2 streams",
        arguments=("--protocol", "grpc-batch", "--connections", "2", "--batch", "1000"),
    ),
    Workload(
        name="c",
        what="`Record`, 64 connections",
        arguments=("--protocol", "grpc-unary", "--connections", "64"),
    ),
    Workload(
        name="d",
        what="`POST /hold`, NDJSON of 1,000, 4 connections",
        arguments=("--protocol", "http", "--connections", "4", "--batch", "1000"),
    ),
)


def floor_ms(folder: Path) -> float:
    """The median of one append of 4 KiB with fdatasync."""
    file = os.open(folder / "floor", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    times, block, until = [], b"x" * 4096, time.perf_counter() + FLOOR_SECONDS
    while time.perf_counter() < until:
        began = time.perf_counter()
        os.write(file, block)
        os.fdatasync(file)
        times.append(time.perf_counter() - began)
    os.close(file)
    (folder / "floor").unlink()
    return statistics.median(times) * 1000


def disk_wait_ms(folder: Path, seconds: float) -> float:
    """The 99th percentile of the wait of a message that arrives at any time, caused by the disk alone.

    A message waits for the first sync that begins after its arrival, as an acknowledgement does; the file is
    full of synced zeros, as a segment of the journal is.
    """
    path, block, zeros = folder / "floor", b"x" * 4096, bytes(1 << 20)
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    for offset in range(0, SEGMENT_BYTES, len(zeros)):
        os.pwrite(file, zeros, offset)
    os.fdatasync(file)
    begins, ends, first = [], [], time.perf_counter()
    while time.perf_counter() < first + seconds:
        time.sleep(max(0.0, first + len(begins) / SYNCS_A_SECOND - time.perf_counter()))
        os.pwrite(file, block, len(begins) * len(block) % SEGMENT_BYTES)
        begins.append(time.perf_counter())
        os.fdatasync(file)
        ends.append(time.perf_counter())
    os.close(file)
    path.unlink()
    moments = (first + number / 10_000 for number in range(int(seconds * 10_000)))
    waits = sorted(
        ends[bisect.bisect_left(begins, moment)] - moment for moment in moments if moment <= begins[-1]
    )
    return waits[int(0.99 * len(waits))] * 1000


def spin_ms(seconds: float) -> float:
    """The longest gap between two readings of the clock by a program that does nothing else."""
    longest, last = 0.0, time.perf_counter()
    until = last + seconds
    while last < until:
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest * 1000


def pause_ms(seconds: float) -> float:
    """The longest pause of any core while all cores are busy with this alone."""
    cores = os.cpu_count() or 1
    with concurrent.futures.ProcessPoolExecutor(cores) as pool:
        return max(pool.map(spin_ms, [seconds] * cores))


def compare(
    options: argparse.Namespace, folder: Path
) -> tuple[dict[tuple[str, str], list[Figures]], list[float]]:
    """All contenders at all workloads, in turns."""
    samples: dict[tuple[str, str], list[Figures]] = {}
    floors: list[float] = []
    seconds = ("--duration", str(options.seconds))
    for number in range(options.rounds):
        for workload in WORKLOADS:
            floors.append(floor_ms(folder))
            contenders = {
                "ours": ours(options.binary, folder),
                "bare": [options.bare],
                "python": [sys.executable, str(Path(__file__).with_name("python_server.py"))],
            }
            for name, command in contenders.items():
                if name == "python" and workload.name == "d":
                    continue
                with served(command) as (_, grpc_address, http_address):
                    figures = load(options.binary, workload, grpc_address, http_address, *seconds)
                samples.setdefault((workload.name, name), []).append(figures)
                print(f"round {number + 1}, {workload.name}, {name}: {figures['rate']:,.0f}/s", flush=True)
    return samples, floors


def at_half_load(options: argparse.Namespace, folder: Path, saturating: float) -> list[Figures]:
    """Acknowledgements at half the saturating rate, in turns with the disk and the cores alone."""
    rate = max(1, int(saturating / 2))
    more = ("--rate", str(rate), "--duration", str(options.seconds))
    samples = []
    for _ in range(options.rounds):
        disk, pause = disk_wait_ms(folder, options.seconds), pause_ms(options.seconds)
        with served(ours(options.binary, folder)) as (_, grpc_address, http_address):
            figures = load(options.binary, WORKLOADS[0], grpc_address, http_address, *more)
        samples.append(figures | {"wanted": rate, "disk": disk, "pause": pause})
        alone = f"the disk alone {disk:.2f} ms, a core's longest pause {pause:.2f} ms"
        print(f"at half load: p99 {figures['p99']:.2f} ms, {alone}", flush=True)
    return samples


def peak_mb(pid: int) -> float:
    """The largest resident set so far, 1 MB = 10^6 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")


def leaders_at(options: argparse.Namespace, grpc_address: str, *more: str) -> Figures:
    """The time of `GetLeaderboard` for the top 100, called in a loop by one caller while events arrive."""
    times: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        with grpc.insecure_channel(grpc_address) as channel:
            call = channel.unary_unary("/poh.HoldMetrics/GetLeaderboard")
            while not stop.is_set():
                began = time.perf_counter()
                # n = 100, the third field of the request.
                if len(call(b"\x18\x64", timeout=30)) < LEADERS_BYTES_MIN:
                    sys.exit("the leaderboard does not list a hundred holders")
                times.append(time.perf_counter() - began)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        caller = pool.submit(ask)
        sent = load(options.binary, WORKLOADS[0], grpc_address, "", *more)
        stop.set()
        caller.result()
    times.sort()
    at = lambda part: times[min(len(times) - 1, int(part * len(times)))] * 1000  # noqa: E731
    return {"p50": at(0.5), "p99": at(0.99), "answers": len(times), "rate": sent["rate"]}


def large(options: argparse.Namespace, folder: Path, saturating: float) -> tuple[float, Figures, Figures]:
    """A store of many holders: its memory, and its top 100 at half of (a)'s load and at half of its own."""
    holders = ("--holders", str(options.holders))
    seconds = ("--duration", str(options.seconds))
    with served(ours(options.binary, folder)) as (pid, grpc_address, _):
        fill = ("--count", str(options.events), *holders, "--duration", "3600")
        load(options.binary, WORKLOADS[1], grpc_address, "", *fill)
        memory = peak_mb(pid)
        rate = ("--rate", str(max(1, int(saturating / 2))))
        at_half_of_small = leaders_at(options, grpc_address, *holders, *seconds, *rate)
        own = load(options.binary, WORKLOADS[0], grpc_address, "", *holders, *seconds)["rate"]
        rate = ("--rate", str(max(1, int(own / 2))))
        at_half_of_own = leaders_at(options, grpc_address, *holders, *seconds, *rate)
    return memory, at_half_of_small, at_half_of_own


def table(options: argparse.Namespace, folder: Path) -> str:
    """Everything, as Markdown."""
    samples, floors = compare(options, folder)

    def median(workload: str, name: str, figure: str) -> float:
        return statistics.median(sample[figure] for sample in samples[workload, name])

    saturating = median("a", "ours", "rate")
    halves = at_half_load(options, folder, saturating)
    memory, many, many_at_own = large(options, folder, saturating)

    def half(figure: str) -> float:
        return statistics.median(sample[figure] for sample in halves)

    def between(figure: str) -> str:
        return f"{min(sample[figure] for sample in halves):.2f} to {max(sample[figure] for sample in halves):.2f}"

    def leaders(figures: Figures) -> str:
        return (
            f"{figures['p99']:.2f} ms (p50 {figures['p50']:.2f} ms, {figures['answers']:,.0f} answers, "
            f"{figures['rate']:,.0f} events/s)"
        )

    cores, cpu = os.cpu_count(), platform.processor() or platform.machine()
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    lines = [
        f"Measured on {cpu}, {cores} cores, Linux {platform.release()}, {when}; load average before: "
        f"{options.load_before:.1f}. Medians of {options.rounds} interleaved rounds of {options.seconds} s, client and "
        f"server on the same cores. fdatasync floor: {statistics.median(floors):.2f} ms "
        f"({min(floors):.2f} to {max(floors):.2f}).",
        "",
        "| workload | ours, durable, events/s | p50, ms | p99, ms | bare server | ours ÷ bare | Python dict | ours ÷ Python |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for workload in WORKLOADS:
        rate, bare = median(workload.name, "ours", "rate"), median(workload.name, "bare", "rate")
        row = [
            f"({workload.name}) {workload.what}",
            f"{rate:,.0f}",
            f"{median(workload.name, 'ours', 'p50'):.2f}",
            f"{median(workload.name, 'ours', 'p99'):.2f}",
            f"{bare:,.0f}",
            f"{rate / bare:.2f}",
        ]
        if (workload.name, "python") in samples:
            python = median(workload.name, "python", "rate")
            row += [f"{python:,.0f}", f"{rate / python:.1f}"]
        else:
            row += ["", ""]
        lines.append("| " + " | ".join(row) + " |")
    lines += [
        "",
        "| goal | measured |",
        "| --- | --- |",
        f"| (a) at least 0.6 of the bare server | {saturating / median('a', 'bare', 'rate'):.2f} |",
        f"| (a) at least 15 times the Python server | {saturating / median('a', 'python', 'rate'):.1f} |",
        f"| (b) at least 1M events/s acknowledged durable | {median('b', 'ours', 'rate'):,.0f} |",
        f"| acknowledgement p99 at most 10 ms at half of (a)'s load | {half('p99'):.2f} ms ({between('p99')}; "
        f"p50 {half('p50'):.2f} ms) at {half('rate'):,.0f}/s of {half('wanted'):,.0f}/s wanted |",
        f"| the same wait with the disk alone, in turns, {SYNCS_A_SECOND:,} syncs/s | {half('disk'):.2f} ms "
        f"({between('disk')}) |",
        f"| the longest pause of a core with nothing else to do, in turns | {half('pause'):.2f} ms ({between('pause')}) |",
        f"| `GetLeaderboard`, top 100 of {options.holders:,} holders, p99 at most 10 ms at half of (a)'s load | "
        f"{leaders(many)} |",
        f"| the same at half of the load that saturates such a store | {leaders(many_at_own)} |",
        f"| memory of {options.events:,} closed holds of {options.holders:,} holders at most 1.5 GB | "
        f"{memory:,.0f} MB at its peak |",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and write the table unless it was a quick run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--binary", required=True, help="main_holdmetrics")
    parser.add_argument("--bare", required=True, help="the bare server")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of one run")
    parser.add_argument("--events", type=int, default=10_000_000, help="of the large store")
    parser.add_argument("--holders", type=int, default=1_000_000, help="of the large store")
    parser.add_argument("--folder", type=Path, help="of the journal [default: a temporary folder]")
    parser.add_argument("--quick", action="store_true", help="one short round; writes nothing")
    options = parser.parse_args()
    options.load_before = os.getloadavg()[0]
    if options.quick:
        options.rounds, options.seconds, options.events, options.holders = 1, 1, 100_000, 10_000
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        text = table(options, Path(folder))
    print(text)
    if not options.quick:
        write(text, "serve")


if __name__ == "__main__":
    main()

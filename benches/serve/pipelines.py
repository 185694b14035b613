"""Measures the service with pipelines: beside itself without one, a Python server, and Bytewax with the same fold.

Every round runs each contender once, in turns, client and server on the same cores; the table has medians.
A pipeline's rate is the number of events that its handler was given, over the time from the first event sent
until the last one is handled. Figures are valid only on a machine that does nothing else.

    python benches/serve/pipelines.py --binary BINARY
    python benches/serve/pipelines.py ... --quick     # one short round, prints, writes nothing
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from running import Figures, Workload, load, ours, served, write

HERE = Path(__file__).parent
BATCHES = Workload(
    name="batches",
    what="`BroadcastBatch` of 1,000, 2 streams",
    arguments=("--protocol", "grpc-batch", "--connections", "2", "--batch", "1000"),
)
RELOADS_A_SECOND = 5
LIMITS = {"SOFT": "1h", "HARD": "1h", "FATAL": "0s"}
CAUGHT_UP_SECONDS_MAX = 120.0

Samples = dict[str, list[Figures]]


def get(http_address: str, path: str) -> bytes:
    """The body of an answer."""
    with urllib.request.urlopen(f"http://{http_address}{path}", timeout=30) as answer:
        body: bytes = answer.read()
        return body


def metric(http_address: str, pattern: str) -> float:
    """The sum of all samples whose name and labels match."""
    lines = get(http_address, "/metrics").decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(pattern, line))


def handled(http_address: str, script: str) -> float:
    """Events that the handler of a script was given."""
    return metric(
        http_address, rf'holdmetrics_pipeline_events_total{{handler="[a-z_]+",pipeline="{script}"}}'
    )


@contextlib.contextmanager
def service(options: argparse.Namespace, folder: Path, script: str | None) -> Iterator[tuple[int, str, str]]:
    """The service over an empty store, with a script or without."""
    more = [] if script is None else ["--pipeline", str(HERE / "scripts" / f"{script}.py")]
    if script == "counted":
        (folder / "counted.txt").unlink(missing_ok=True)
        more += ["--pipeline-arg", f"counted.file={folder / 'counted.txt'}"]
    # Nobody ends the stuck handler.
    limits = [f"HOLDMETRICS_PIPELINES_{name}_LIMIT={time}" for name, time in LIMITS.items()]
    prefix = ["env", *limits] if script == "stuck" else []
    with served(prefix + ours(options.binary, folder, *more)) as found:
        yield found


def at_full_rate(options: argparse.Namespace, folder: Path, script: str | None) -> Figures:
    """Events as fast as they are accepted; with a script, also how fast its handler gets them."""
    more = ("--duration", str(options.seconds))
    with service(options, folder, script) as (_, grpc_address, http_address):
        began = time.perf_counter()
        figures = load(options.binary, BATCHES, grpc_address, http_address, *more)
        if script in {"running_sum", "each_event"}:
            sequence = json.loads(get(http_address, "/stats?limit=1"))["sequence"]
            until = time.perf_counter() + CAUGHT_UP_SECONDS_MAX
            while (count := handled(http_address, script)) < sequence:
                if time.perf_counter() > until:
                    sys.exit(f"{script} has handled {count:,.0f} of {sequence:,} events")
                time.sleep(0.02)
            figures["handled"] = sequence / (time.perf_counter() - began)
    return figures


def reloaded(options: argparse.Namespace, folder: Path) -> Figures:
    """Reloads under load: events that the pipeline missed or was given twice, counted against the journal."""
    more = ("--duration", str(options.seconds))
    with service(options, folder, "counted") as (pid, grpc_address, http_address):
        stop = threading.Event()

        def reload() -> None:
            while not stop.wait(1 / RELOADS_A_SECOND):
                os.kill(pid, signal.SIGHUP)

        thread = threading.Thread(target=reload)
        thread.start()
        figures = load(options.binary, BATCHES, grpc_address, http_address, *more)
        stop.set()
        thread.join()
        sequence = json.loads(get(http_address, "/stats?limit=1"))["sequence"]
        until = time.perf_counter() + CAUGHT_UP_SECONDS_MAX
        numbers: list[int] = []
        while time.perf_counter() < until:
            numbers = [int(line) for line in (folder / "counted.txt").read_text("ascii").splitlines()]
            if numbers and numbers[-1] >= sequence:
                break
            time.sleep(0.1)
    missed = sequence - len(set(numbers))
    return figures | {"missed": missed, "repeated": len(numbers) - len(set(numbers)), "events": sequence}


def latencies(options: argparse.Namespace, folder: Path, script: str | None, rate: int) -> Figures:
    """Acknowledgements at a moderate rate, and `/healthz` beside them."""
    times: list[float] = []
    stop = threading.Event()
    with service(options, folder, script) as (_, grpc_address, http_address):

        def ask() -> None:
            while not stop.wait(0.002):
                began = time.perf_counter()
                get(http_address, "/healthz")
                times.append(time.perf_counter() - began)

        thread = threading.Thread(target=ask)
        thread.start()
        one = Workload(name="one", what="one at a time", arguments=("--connections", "4"))
        more = ("--rate", str(rate), "--duration", str(options.seconds))
        figures = load(options.binary, one, grpc_address, http_address, *more)
        stop.set()
        thread.join()
    times.sort()
    return figures | {"healthz": times[int(0.99 * len(times))] * 1000}


def bytewax(options: argparse.Namespace) -> Figures:
    """The fold alone."""
    command = [sys.executable, str(HERE / "bytewax_sum.py"), str(options.fold_events)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"rate": float(ended.stdout.split()[-1])}


def measured(options: argparse.Namespace, folder: Path) -> Samples:
    """Everything, in turns."""
    samples: Samples = {}

    def add(name: str, figures: Figures) -> None:
        samples.setdefault(name, []).append(figures)
        shown = ", ".join(f"{word} {value:,.2f}" for word, value in figures.items())
        print(f"{name}: {shown}", flush=True)

    for _ in range(options.rounds):
        add("none", at_full_rate(options, folder, None))
        for script in ("running_sum", "each_event", "stuck"):
            add(script, at_full_rate(options, folder, script))
        add("reload", reloaded(options, folder))
        with served([sys.executable, str(HERE / "python_server.py")]) as (_, grpc_address, _):
            add("python", load(options.binary, BATCHES, grpc_address, "", "--duration", str(options.seconds)))
        add("bytewax", bytewax(options))
        add("quiet", latencies(options, folder, None, options.rate))
        add("busy", latencies(options, folder, "busy", options.rate))
    return samples


def table(options: argparse.Namespace, samples: Samples) -> str:
    """The figures as Markdown."""

    def median(name: str, figure: str = "rate") -> float:
        return statistics.median(sample[figure] for sample in samples[name])

    def total(name: str, figure: str) -> float:
        return sum(sample[figure] for sample in samples[name])

    def ratio(name: str, other: str, figure: str = "rate") -> str:
        pairs = zip(samples[name], samples[other], strict=True)
        return f"{statistics.median(one[figure] / two[figure] for one, two in pairs):.2f}"

    rows = [
        (
            "`on_batch`, a sum by token: events through the handler, at least 1M/s",
            f"{median('running_sum', 'handled'):,.0f}/s while ingest takes {median('running_sum'):,.0f}/s",
        ),
        ("ingest beside it, at least 0.9 of ingest without", ratio("running_sum", "none")),
        (
            "`on_event`, `async`, the same sum: at least 100,000/s",
            f"{median('each_event', 'handled'):,.0f}/s",
        ),
        ("ingest beside it", ratio("each_event", "none")),
        ("ingest beside a stuck handler, at least 0.95", ratio("stuck", "none")),
        (
            f"{RELOADS_A_SECOND} reloads a second under load: events missed, repeated",
            f"{total('reload', 'missed'):,.0f}, {total('reload', 'repeated'):,.0f} "
            f"of {total('reload', 'events'):,.0f}",
        ),
        (
            f"p99 of an acknowledgement at {options.rate:,}/s under a busy script, at most 1.2 times without",
            f"{ratio('busy', 'quiet', 'p99')} ({median('busy', 'p99'):.2f} and {median('quiet', 'p99'):.2f} ms)",
        ),
        (
            "p99 of `/healthz` at the same time, at most 1.2 times without",
            f"{ratio('busy', 'quiet', 'healthz')} "
            f"({median('busy', 'healthz'):.2f} and {median('quiet', 'healthz'):.2f} ms)",
        ),
        (
            "a `grpc.aio` server with a dict, nothing durable: ours with the sum ÷ it",
            f"{ratio('running_sum', 'python')} ({median('python'):,.0f}/s)",
        ),
        (
            "Bytewax, the fold alone over rows in memory: ours, durable and served ÷ it",
            f"{median('running_sum', 'handled') / median('bytewax'):.2f} ({median('bytewax'):,.0f}/s)",
        ),
        ("ingest without a pipeline, durable", f"{median('none'):,.0f}/s"),
    ]
    cores, cpu = os.cpu_count(), platform.processor() or platform.machine()
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    lines = [
        f"Measured on {cpu}, {cores} cores, Linux {platform.release()}, {when}; load average before: "
        f"{options.load_before:.1f}. Medians of {options.rounds} interleaved rounds of {options.seconds} s, "
        f"client and server on the same cores; {BATCHES.what}.",
        "",
        "| what, and the goal | measured |",
        "| --- | --- |",
    ]
    return "\n".join(lines + [f"| {what} | {found} |" for what, found in rows])


def main() -> None:
    """Measure, and write the table unless it was a quick run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--binary", required=True, help="main_holdmetrics")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of one run")
    parser.add_argument(
        "--rate", type=int, default=2_000, help="events per second when latencies are measured"
    )
    parser.add_argument("--fold-events", type=int, default=2_000_000, help="rows of Bytewax")
    parser.add_argument("--folder", type=Path, help="of the journal [default: a temporary folder]")
    parser.add_argument("--quick", action="store_true", help="one short round; writes nothing")
    options = parser.parse_args()
    options.load_before = os.getloadavg()[0]
    if options.quick:
        options.rounds, options.seconds, options.fold_events = 1, 2, 200_000
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        text = table(options, measured(options, Path(folder)))
    print(text)
    if not options.quick:
        write(text, "pipelines")


if __name__ == "__main__":
    main()

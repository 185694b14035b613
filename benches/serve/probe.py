"""How long `/healthz` and `/readyz` take beside heavy questions.

Each caller requests pages of 10,000 holders, packed, over and over. Give the program as
`python benches/serve/probe.py --binary BINARY`.
"""

from __future__ import annotations

import argparse
import http.client
import tempfile
import threading
import time
from pathlib import Path

from run import WORKLOADS
from running import load, ours, served

PROBES = ("/healthz", "/readyz")
# The first one looks for the leaders, the second one sorts all holders and keeps them for the next page.
QUESTIONS = ("/leaderboard?n=10000", "/stats?limit=10000")


def asking(address: str, path: str, stop: threading.Event, answers: list[int]) -> None:
    """One caller, which reads each answer to its end."""
    connection = http.client.HTTPConnection(address, timeout=60)
    while not stop.is_set():
        connection.request("GET", path, headers={"accept-encoding": "gzip"})
        answer = connection.getresponse()
        answer.read()
        answers.append(answer.status)


def probed(address: str, seconds: float) -> dict[str, list[float]]:
    """The times of each probe in milliseconds, in order, of two requests every 5 ms."""
    connection = http.client.HTTPConnection(address, timeout=60)
    times: dict[str, list[float]] = {path: [] for path in PROBES}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for path in PROBES:
            began = time.perf_counter()
            connection.request("GET", path)
            connection.getresponse().read()
            times[path].append((time.perf_counter() - began) * 1000)
        time.sleep(0.005)
    return {path: sorted(found) for path, found in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--binary", required=True, help="main_holdmetrics")
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--events", type=int, default=300_000, help="that the store has")
    parser.add_argument("--holders", type=int, default=100_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(ours(options.binary, Path(folder))) as (_, grpc_address, http_address),
    ):
        fill = ("--count", str(options.events), "--holders", str(options.holders), "--duration", "600")
        load(options.binary, WORKLOADS[1], grpc_address, http_address, *fill)
        answers: list[int] = []
        for callers in (0, options.callers):
            stop = threading.Event()
            paths = [QUESTIONS[number % len(QUESTIONS)] for number in range(callers)]
            threads = [
                threading.Thread(target=asking, args=(http_address, path, stop, answers)) for path in paths
            ]
            for thread in threads:
                thread.start()
            try:
                for path, times in probed(http_address, options.seconds).items():
                    middle, last = times[len(times) // 2], times[int(0.99 * len(times))]
                    print(
                        f"{callers} callers, {path}: p50 {middle:.2f} ms, p99 {last:.2f} ms, max {times[-1]:.2f} ms"
                    )
            finally:
                stop.set()
    print(
        f"{len(answers)} heavy answers, {sum(status == http.HTTPStatus.OK for status in answers)} of them complete"
    )


if __name__ == "__main__":
    main()

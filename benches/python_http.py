"""The HTTP server in Python with the extension beside itself without it, over a socket.

    PYTHONPATH=python_pkg python benches/python_http.py --events 200000

Starts `python -m poh_holdmetrics.app_holdmetrics http` twice and does the same to both in turns: posts lines,
then asks. Prints for each request the median wall time, its ratio, and the mean CPU time of the server. The
environment must have the extension. Writes nothing.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import re
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from poh_holdmetrics import native

_YEAR_MS = 365 * 86_400 * 1000
_BEGIN_MS = 1_700_000_000_000
_TICKS = os.sysconf("SC_CLK_TCK")


class _Server:
    """One process, with one connection to it."""

    def __init__(self, name: str, *, is_native: bool) -> None:
        self.name = name
        self._environment = {**os.environ, "HTTP_PORT": "0"}
        self._environment.pop(native.DISABLE_VARIABLE, None)
        if not is_native:
            self._environment[native.DISABLE_VARIABLE] = "1"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "poh_holdmetrics.app_holdmetrics", "http"]
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter
            command, env=self._environment, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None  # noqa: S101 - a pipe was asked for
        for line in self._process.stderr:
            if found := re.search(r"Listening for http on (\S+):(\d+)", line):
                self._connection = http.client.HTTPConnection(found[1], int(found[2]), timeout=600)
                return self
        raise SystemExit(f"the server {self.name} ended with {self._process.wait()}")

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.communicate(timeout=30)

    def ask(self, path: str, body: bytes | None = None) -> tuple[float, float]:
        """Wall time and CPU time of the server for one request."""
        cpu, wall = self._cpu_seconds(), time.perf_counter()
        method = "GET" if body is None else "POST"
        self._connection.request(method, path, body, {"content-type": "application/x-ndjson"})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise SystemExit(f"{path}: {answer.status} {text[:200]!r}")
        return time.perf_counter() - wall, self._cpu_seconds() - cpu

    def _cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def _bodies(events: int, lines: int) -> list[bytes]:
    """Closed holds, and one change in a hundred below 0: 8 tokens, 10 holders for each 100 events."""
    draw = random.Random(1)  # noqa: S311 - the same events each time
    written = []
    for number in range(events):
        start = _BEGIN_MS + draw.randrange(_YEAR_MS)
        key = f'{{"token_id":"token-{draw.randrange(8)}","holder_id":"0x{draw.randrange(events // 10):040x}"'
        if number % 100:
            weight = f"{draw.randrange(1, 100)}.5"
            written.append(
                f'{key},"start":{start},"end":{start + draw.randrange(_YEAR_MS)},"weight":"{weight}"}}'
            )
        else:
            written.append(f'{key},"at":{start},"delta":-1,"event_id":"e{number}"}}')
    return ["\n".join(written[at : at + lines]).encode() for at in range(0, events, lines)]


def _print(what: str, samples: dict[str, list[tuple[float, float]]], events: int | None = None) -> None:
    walls = [statistics.median(wall for wall, _ in each) for each in samples.values()]
    cpus = [statistics.fmean(cpu for _, cpu in each) for each in samples.values()]
    shown = [f"{wall * 1000:9.1f} ms" if events is None else f"{events / wall:9,.0f}/s" for wall in walls]
    print(
        f"{what:24} {shown[0]:>13} {shown[1]:>13}  {walls[0] / walls[1]:7.1f}x"
        f"   CPU {cpus[0] * 1000:8.1f} ms {cpus[1] * 1000:8.1f} ms",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=200_000, help="events posted (default: %(default)s)")
    parser.add_argument("--lines", type=int, default=10_000, help="lines of a request (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="how often is asked (default: %(default)s)")
    arguments = parser.parse_args()
    if native.source() != "extension":
        raise SystemExit("native code: not installed here; install the wheel of poh_holdmetrics_rust first")
    bodies = _bodies(arguments.events, arguments.lines)
    as_of = _BEGIN_MS + _YEAR_MS // 2
    questions = {
        "leaderboard": f"/leaderboard?limit=100&as_of={as_of}",
        "leaderboard of a token": f"/leaderboard?limit=100&token_id=token-3&as_of={as_of}",
        "page of a token": f"/stats?limit=1000&token_id=token-3&as_of={as_of}",
        "holder": f"/holders/0x{7:040x}?as_of={as_of}",
        "deficits": f"/deficits?limit=100&as_of={as_of}",
    }
    print(f"{arguments.events:,} events, {arguments.lines:,} lines a request; {os.cpu_count()} CPUs")
    print(f"{'':24} {'without':>13} {'extension':>13}")
    with ExitStack() as stack:
        servers = [
            stack.enter_context(_Server("without", is_native=False)),
            stack.enter_context(_Server("extension", is_native=True)),
        ]
        posted: dict[str, list[tuple[float, float]]] = {server.name: [] for server in servers}
        for body in bodies:
            for server in servers:
                posted[server.name].append(server.ask("/hold", body))
        _print("POST /hold", posted, arguments.lines)
        for what, path in questions.items():
            asked: dict[str, list[tuple[float, float]]] = {server.name: [] for server in servers}
            for _ in range(arguments.rounds):
                for server in servers:
                    asked[server.name].append(server.ask(path))
            _print(what, asked)


if __name__ == "__main__":
    main()

"""Servers and load for the benchmarks of this folder: starting, loading, and writing the table of results."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
READY_SECONDS_MAX = 60.0

Figures = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One way to send events."""

    name: str
    what: str
    arguments: tuple[str, ...]


@contextlib.contextmanager
def served(command: list[str]) -> Iterator[tuple[int, str, str]]:
    """A server in a process of its own: its process id and its two addresses."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(process.stdout.readline()))  # type: ignore[union-attr]
    reader.start()
    reader.join(READY_SECONDS_MAX)
    try:
        if not lines or not lines[0].startswith("listening: "):
            process.kill()
            sys.exit(f"{command[0]} did not start: {process.communicate()[1][-500:]}")
        grpc_address, _, http_address = lines[0].removeprefix("listening: grpc=").strip().partition(" http=")
        # Its log is read, or it would block on a full pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()  # type: ignore[union-attr]
        yield process.pid, grpc_address, http_address
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def load(binary: str, workload: Workload, grpc_address: str, http_address: str, *more: str) -> Figures:
    """One run of the load generator."""
    address = http_address if workload.name == "d" else grpc_address
    command = [binary, "load", "--json", "--server", f"http://{address}", *workload.arguments, *more]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        sys.exit(f"{' '.join(command)}: {ended.stderr.strip()}")
    report = json.loads(ended.stdout)
    return {
        "rate": report["events_per_second"],
        "p50": report["latency_ms"]["p50"],
        "p99": report["latency_ms"]["p99"],
    }


def ours(binary: str, folder: Path, *more: str) -> list[str]:
    """The command of the service over an empty store."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    addresses = ["--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"]
    return [binary, "serve", "--data-dir", str(folder / "data"), *addresses, *more]


def write(text: str, section: str) -> None:
    """Write a table between the marker lines of its section of the document."""
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    document = DOCUMENT.read_text(encoding="utf-8")
    before, found, rest = document.partition(begin)
    _, also_found, after = rest.partition(end)
    if not found or not also_found:
        sys.exit(f"{DOCUMENT}: the marker lines {begin} and {end} are missing")
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")

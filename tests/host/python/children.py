"""Processes started from inside compute natively, however they are started."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import _holdmetrics_host as native

SCORE = (
    "import _holdmetrics_host as n; a = n.Aggregator(); a.record('t', 'h', 0, 5); print(a.leaderboard(1, 9))"
)


def work(holders):
    aggregator = native.Aggregator()
    for holder in range(holders):
        aggregator.record("t", str(holder), 0, 5)
    return len(aggregator.snapshot(9)), aggregator.leaderboard(1, 9)


def check():
    expected = (3_000, [(1, "0", 5, "0.000005", 5e-06)])
    # The parent's own workers are at work before it forks.
    assert work(3_000) == expected
    for method in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            assert list(pool.map(work, [3_000, 3_000])) == [expected, expected], method
    for words in (["-c", SCORE], ["-I", "-S", "-c", SCORE], ["-"]):
        child = subprocess.run(
            [sys.executable, *words], input=SCORE, capture_output=True, text=True, check=True, timeout=60
        )
        assert child.stdout == "[(1, 'h', 5, '0.000005', 5e-06)]\n", child


if __name__ == "__main__":
    check()
    print("ok")

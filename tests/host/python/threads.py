"""One aggregator under many threads: nothing is lost, and heavy calls let the others run."""

from __future__ import annotations

import threading
from array import array

import _holdmetrics_host as native

THREADS = 4
ROWS = 5_000

aggregator = native.Aggregator()
stop = threading.Event()
ticks = 0


def write(thread):
    holders = [f"{thread}-{row}" for row in range(ROWS)]
    for row in range(0, ROWS, 500):
        stretch = range(row, row + 500)
        aggregator.record_batch(
            ["t"] * 500, holders[row : row + 500], array("q", stretch), array("q", (n + 7 for n in stretch))
        )
        aggregator.record("t", holders[row], row, row + 9)


def tick():
    global ticks  # noqa: PLW0603 - a counter that another thread reads after the join
    while not stop.is_set():
        ticks += 1
        aggregator.leaderboard(3, 10**9)


ticker = threading.Thread(target=tick)
ticker.start()
writers = [threading.Thread(target=write, args=(thread,)) for thread in range(THREADS)]
for writer in writers:
    writer.start()
for writer in writers:
    writer.join()
stop.set()
ticker.join()

assert aggregator.events == THREADS * (ROWS + ROWS // 500), aggregator.events
assert aggregator.holders == aggregator.keys == THREADS * ROWS
held = sum(row[2] for row in aggregator.snapshot(10**9).rows())
assert held == THREADS * (ROWS * 7 + ROWS // 500 * 2), held
assert ticks > 0


# A buffer that changes while it is read must not crash anything; which value counts is undefined.
times = array("q", range(ROWS))
stop.clear()


def scribble():
    while not stop.is_set():
        for row in range(0, ROWS, 50):
            times[row] = row


scribbler = threading.Thread(target=scribble)
scribbler.start()
names = ["n"] * ROWS
for _ in range(50):
    native.score_columns(names, names, times, None, as_of_us=ROWS)
    names[:] = [str(row) for row in range(ROWS)]
stop.set()
scribbler.join()
print("ok")

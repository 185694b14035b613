"""A child that is forked while a thread of its parent uses an aggregator is told so, and never waits."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from array import array

import _holdmetrics_host as native

ROWS = 20_000
ATTEMPTS_MAX = 200
#: What a child ends with.
COUNTED, TOLD = 10, 11

# Python warns that a process with threads forks, which is what this is about.
warnings.simplefilter("ignore", DeprecationWarning)
aggregator = native.Aggregator()
stop = threading.Event()


def write():
    holders = [str(row) for row in range(ROWS)]
    first = 0
    while not stop.is_set():
        times = array("q", range(first, first + ROWS))
        aggregator.record_batch(["t"] * ROWS, holders, times, array("q", (time + 7 for time in times)))
        first += 1


def forked():
    """What a child that uses the aggregator ends with."""
    child = os.fork()
    if child == 0:
        # A child that waits for a lock of its parent is ended by this signal.
        signal.alarm(20)
        try:
            aggregator.record("t", "child", 0, 5)
            os._exit(COUNTED if aggregator.holder("child", 9) else 1)
        except RuntimeError as error:
            os._exit(TOLD if "in use by another thread when the process was forked" in str(error) else 2)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


assert forked() == COUNTED
writer = threading.Thread(target=write)
writer.start()
ends = set()
for _ in range(ATTEMPTS_MAX):
    ends.add(forked())
    if TOLD in ends:
        break
stop.set()
writer.join()
assert TOLD in ends <= {COUNTED, TOLD}, ends
# The parent goes on, and a child of the idle aggregator may use it.
assert aggregator.holders == ROWS
assert forked() == COUNTED
print("ok")

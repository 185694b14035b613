"""The same fold in Bytewax: the sum of all weights by token, of rows that lie in memory already.

No server, no disk and no conversion: what is measured is the fold alone, at Bytewax's best.
"""

from __future__ import annotations

import sys
import time

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main

BATCH = 1_000


def main() -> None:
    """Print the rows of a second."""
    rows = [(f"token-{number % 100}", 1.0) for number in range(int(sys.argv[1]))]
    sums: list[tuple[str, float]] = []
    flow = Dataflow("sum")
    read = op.input("rows", flow, TestingSource(rows, batch_size=BATCH))
    added = op.stateful_map(
        "sum", read, lambda total, weight: ((total or 0.0) + weight, (total or 0.0) + weight)
    )
    op.output("sums", added, TestingSink(sums))
    began = time.perf_counter()
    run_main(flow)
    print(len(sums) / (time.perf_counter() - began))


main()

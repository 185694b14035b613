"""`python -m poh_holdmetrics`: the command line of `cli`."""

from __future__ import annotations

import sys

from poh_holdmetrics.cli import main

if __name__ == "__main__":
    sys.exit(main())

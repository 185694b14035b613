"""`python -m poh_batcher`: the command line of `cli`."""

from __future__ import annotations

from poh_batcher.cli import main

if __name__ == "__main__":
    main()

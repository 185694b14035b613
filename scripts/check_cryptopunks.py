"""Reads the JSON that examples/cryptopunks.py prints, and fails where a figure is not the published one."""

from __future__ import annotations

import json
import sys

FIGURES = {
    "events": 33_648,
    "holders": 5_912,
    "rank 1": (1, "2190", "13034832719"),
    "rank 2": (2, "5134", "11210772987"),
}


def main() -> int:
    """Compare standard input with the figures, one line each; 1 where any differs."""
    report = json.load(sys.stdin)
    found = {"events": report["events"], "holders": report["holders"]}
    for place, holder in enumerate(report["top"][:2], start=1):
        found[f"rank {place}"] = (holder["rank"], holder["holder_id"], holder["score"])
    for name, expected in FIGURES.items():
        print(
            f"{name}: {found.get(name)}" + ("" if found.get(name) == expected else f", expected {expected}")
        )
    return 0 if found == FIGURES else 1


if __name__ == "__main__":
    sys.exit(main())

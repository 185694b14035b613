"""Scores of the recipes, computed the slow and obvious way from the same files.

Each balance is replayed change by change with fractions, without code of the package. A test holds the
figures against those of `main_holdmetrics score`.

    python examples/recipes/naive_twin.py FOLDER > examples/recipes/figures.json
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

NULL_ADDRESS = "0x" + "0" * 40
Changes = dict[tuple[str, str], dict[Fraction, Fraction]]


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, each once."""
    with path.open(newline="", encoding="utf-8") as file:
        distinct = {tuple(row.items()) for row in csv.DictReader(file)}
    return [dict(row) for row in distinct]


def seconds(text: str) -> Fraction:
    """Return the seconds since 1970 of a time as the exports write it."""
    plain = text.removesuffix(" UTC").replace("Z", "").replace(" ", "T")
    return Fraction(datetime.fromisoformat(plain).replace(tzinfo=UTC).timestamp())


def transfers(path: Path, names: dict[str, str], unit: int) -> Changes:
    """Return the changes of balance that a file of transfers states, by token and holder."""
    changes: Changes = defaultdict(lambda: defaultdict(Fraction))
    for row in rows(path):
        token = "/".join(row[name] for name in names["token"].split("+"))
        amount = Fraction(row[names["amount"]] if "amount" in names else "1") / 10**unit
        at = seconds(row[names["time"]])
        for party, sign in ((row[names["from"]], -1), (row[names["to"]], 1)):
            if party != NULL_ADDRESS:
                changes[token, party][at] += sign * amount
    return changes


def integral(changes: Changes, start: Fraction | None, end: Fraction) -> dict[str, Fraction]:
    """Return each holder's balance times the time it was held, within the window."""
    scores: dict[str, Fraction] = defaultdict(Fraction)
    for (_, holder), steps in changes.items():
        scores[holder] += 0
        balance = Fraction(0)
        instants = [*sorted(steps), end]
        for at, following in zip(instants, [*instants[1:], end], strict=True):
            balance += steps.get(at, Fraction(0))
            first = at if start is None else max(at, start)
            length = min(following, end) - first
            if balance > 0 and length > 0:
                scores[holder] += balance * length
    return scores


def nft(folder: Path) -> dict[str, Fraction]:
    """Return the scores of the recipe of numbered tokens."""
    names = {"token": "contract_address+token_id", "from": "from", "to": "to", "time": "block_time"}
    changes = transfers(folder / "nft.csv", names, 0)
    return integral(changes, None, seconds("2025-01-01T00:00:00Z"))


def erc20(folder: Path) -> dict[str, Fraction]:
    """Return the scores of the recipe of balances over a window."""
    names = {
        "token": "token_address",
        "from": "from_address",
        "to": "to_address",
        "time": "block_timestamp",
        "amount": "value",
    }
    changes = transfers(folder / "erc20.csv", names, 18)
    return integral(changes, seconds("2024-01-01T00:00:00Z"), seconds("2024-07-01T00:00:00Z"))


def staking(folder: Path) -> dict[str, Fraction]:
    """Return the scores of the recipe of deposits and withdrawals."""
    changes: Changes = defaultdict(lambda: defaultdict(Fraction))
    for row in rows(folder / "staking.csv"):
        sign = -1 if row["event"] == "Withdrawn" else 1
        at = Fraction(row["timestamp"])
        changes[row["pool"], row["user"]][at] += sign * Fraction(row["amount"]) / 10**18
    return integral(changes, None, seconds("2025-01-01T00:00:00Z"))


def billing(folder: Path) -> dict[str, Fraction]:
    """Return the scores of the recipe of subscriptions.

    Of those that overlap, the one with the most seats counts. An open one lasts until the customer's
    next open one of the same plan.
    """
    end = seconds("2025-01-01T00:00:00Z")
    spans: dict[tuple[str, str], list[tuple[Fraction, Fraction, int]]] = defaultdict(list)
    marks: dict[tuple[str, str], dict[Fraction, int]] = defaultdict(dict)
    for row in rows(folder / "billing.csv"):
        key = (row["plan"], row["customer"])
        start, seats = seconds(row["started_at"]), int(row["seats"])
        if row["ended_at"]:
            spans[key].append((start, seconds(row["ended_at"]), seats))
        else:
            marks[key][start] = max(seats, marks[key].get(start, 0))
    for key, starts in marks.items():
        instants = sorted(starts)
        for start, following in zip(instants, [*instants[1:], end], strict=True):
            spans[key].append((start, following, starts[start]))
    scores: dict[str, Fraction] = defaultdict(Fraction)
    for (_, customer), held in spans.items():
        edges = sorted({min(edge, end) for start, stop, _ in held for edge in (start, stop)})
        for first, last in pairwise(edges):
            counts = [count for start, stop, count in held if start <= first and stop >= last]
            scores[customer] += Fraction(max(counts, default=0)) * (last - first)
    return scores


def decimal(value: Fraction) -> str:
    """Return an exact decimal of at most 18 places without trailing zeros."""
    whole, rest = divmod(value.numerator * 10**18 // value.denominator, 10**18)
    return f"{whole}.{rest:018}".rstrip("0").rstrip(".")


def main() -> None:
    """Print the best ten of every recipe."""
    folder = Path(sys.argv[1])
    figures = {}
    for recipe in (nft, erc20, staking, billing):
        scores = recipe(folder)
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        figures[recipe.__name__] = {
            "holders": len(scores),
            "best": [[holder, decimal(score)] for holder, score in best[:10]],
        }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Sums per holder and their order: score descending, then holder_id; equal scores share a rank.

Text compares by code point, which is the order of its UTF-8 bytes. Sums come from `aggregator`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from poh_holdmetrics import instants, wads


class Total(NamedTuple):
    """A sum over keys: microseconds held, wad-microseconds of score, and the keys in deficit."""

    held_us: int
    wad_us: int
    deficits: int = 0


#: rank, holder_id, held_us, score (exact decimal text in weight-seconds), weighted_score (nearest double).
Row = tuple[int, str, int, str, float]


def rows_from_totals(totals: Mapping[str, Total], n: int | None = None) -> list[Row]:
    """The leaderboard of all holders, or its first `n` lines."""
    order = sorted(totals.items(), key=lambda item: (-item[1].wad_us, item[0]))
    rows: list[Row] = []
    rank = 0
    above: int | None = None
    for position, (holder_id, total) in enumerate(order[:n], start=1):
        if total.wad_us != above:
            rank, above = position, total.wad_us
        rows.append(_row(rank, holder_id, total))
    return rows


def row_of_holder(totals: Mapping[str, Total], holder_id: str) -> Row | None:
    """One holder's line with its true rank; None if the holder has no event."""
    own = totals.get(holder_id)
    if own is None:
        return None
    return _row(1 + sum(total.wad_us > own.wad_us for total in totals.values()), holder_id, own)


def rows_behind(rows: Iterable[Row], score: str, holder_id: str) -> Iterator[Row]:
    """The rows behind a position in leaderboard order, also if the holder's own row has moved since."""
    at = Decimal(score)
    for row in rows:
        own = Decimal(row[3])
        if own < at or (own == at and row[1] > holder_id):
            yield row


def document_from_row(row: Row) -> dict[str, object]:
    """A row as JSON answers have it."""
    rank, holder_id, held_us, score, weighted_score = row
    return {
        "rank": rank,
        "holder_id": holder_id,
        "held_us": held_us,
        "score": score,
        "weighted_score": weighted_score,
        "total_seconds": held_us // instants.MICROS_PER_SECOND,
    }


def _row(rank: int, holder_id: str, total: Total) -> Row:
    return (rank, holder_id, total.held_us, wads.score_text(total.wad_us), wads.score_float(total.wad_us))

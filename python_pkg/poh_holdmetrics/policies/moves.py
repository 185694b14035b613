"""Who moves between two leaderboards: another rank or score, or published by only one of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from poh_holdmetrics.native import Row


class Move(NamedTuple):
    """Rank and exact score of a holder in both; None where it is not published."""

    holder_id: str
    rank_before: int | None
    rank_after: int | None
    score_before: str | None
    score_after: str | None


def moves_between(before: Iterable[Row], after: Iterable[Row]) -> tuple[list[Move], int]:
    """Those who move, and how many holders there are in both together.

    In the order of the ranks after, then before, those without a rank last; then by `holder_id`.
    """
    old = {holder_id: (rank, score) for rank, holder_id, _, score, _ in before}
    new = {holder_id: (rank, score) for rank, holder_id, _, score, _ in after}
    moves = []
    for holder_id in old.keys() | new.keys():
        rank_before, score_before = old.get(holder_id, (None, None))
        rank_after, score_after = new.get(holder_id, (None, None))
        if (rank_before, score_before) != (rank_after, score_after):
            moves.append(Move(holder_id, rank_before, rank_after, score_before, score_after))
    return sorted(moves, key=_order), len(old.keys() | new.keys())


def _order(move: Move) -> tuple[bool, int, bool, int, str]:
    after, before = move.rank_after, move.rank_before
    return after is None, after or 0, before is None, before or 0, move.holder_id

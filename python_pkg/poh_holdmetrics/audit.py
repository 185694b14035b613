"""A second opinion on a whole set of files: every line read and scored in pure Python, never natively.

The Rust host feeds it raw lines or split rows, and reads counts, refusals and rows back. Opens no file and
prints nothing. Feeding and counting are in `intake`, scoring in `pure`.
"""

from __future__ import annotations

from poh_holdmetrics.intake import Intake
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.ranking import Row


class Audit(Intake):
    """One set of events and its leaderboard."""

    def __init__(self) -> None:
        self._aggregator = Aggregator()
        super().__init__(self._aggregator.add)

    def rows(self, as_of_us: int, from_us: int | None = None, closed_only: bool = False) -> list[Row]:  # noqa: FBT001, FBT002 - called from Rust by position
        """All rows (rank, holder_id, held_us, score, weighted_score) in leaderboard order."""
        return self._aggregator.snapshot(as_of_us, from_us, closed_only).rows()

"""Rows of files scored in pure Python alone: what `main_holdmetrics score --engine python` runs.

The Rust host passes raw lines or split rows and reads the counts, refusals and leaderboard, so that two
implementations can be compared. Opens no file and prints nothing; rows are read in `row_reader`.
"""

from __future__ import annotations

from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.findings import Finder, Findings
from poh_holdmetrics.pure.ranking import Row
from poh_holdmetrics.pure.statement import Deficit
from poh_holdmetrics.row_reader import RowReader
from poh_holdmetrics.validation import Record


class RowScorer(RowReader):
    """One set of events and its leaderboard."""

    def __init__(self) -> None:
        self._aggregator = Aggregator()
        self._finder = Finder()
        super().__init__(self._accept_record)

    def _accept_record(self, record: Record) -> None:
        self._aggregator.add(record)
        self._finder.see(record)

    @property
    def aggregator(self) -> Aggregator:
        """The accepted events, for policies."""
        return self._aggregator

    def rows(self, as_of_us: int, from_us: int | None = None, closed_only: bool = False) -> list[Row]:  # noqa: FBT001, FBT002 - called from Rust by position
        """All rows (rank, holder_id, held_us, score, weighted_score) in leaderboard order."""
        return self._aggregator.snapshot(as_of_us, from_us, closed_only).rows()

    def findings(self) -> Findings:
        """What the accepted events have that is probably not meant."""
        return self._finder.findings()

    def deficits(self, as_of_us: int) -> list[Deficit]:
        """The keys whose balance is below 0 at some instant before `as_of_us`."""
        return self._aggregator.deficits(as_of_us)

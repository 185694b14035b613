"""Rows of files scored in pure Python alone: what `main_holdmetrics score --engine python` runs.

The Rust host passes raw lines, split rows or the values of columns, and reads the counts, refusals and
leaderboard, so that two implementations can be compared. Prints nothing, and opens no file but those that the
options name; rows are read in `row_reader`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from poh_holdmetrics.errors import Refused
from poh_holdmetrics.feeds.layout import FeedLayout, FeedRow
from poh_holdmetrics.feeds.lookup_files import lookups_of
from poh_holdmetrics.feeds.tables import FEEDS
from poh_holdmetrics.input_options import OWN
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.findings import Finder, Findings
from poh_holdmetrics.pure.ranking import Row
from poh_holdmetrics.pure.statement import Deficit
from poh_holdmetrics.row_reader import RowReader
from poh_holdmetrics.validation import Record

#: The index of a file, its name, that of its feed, and the columns that are read if all rows have the same.
Export = tuple[int, str, str, Sequence[str] | None]


class RowScorer(RowReader):
    """One set of events and its leaderboard."""

    def __init__(self, mapping: str = "{}") -> None:
        """`mapping` is a table `[input]` of a mapping file as JSON; raises `InputError`."""
        self._aggregator = Aggregator()
        self._finder = Finder()
        self._layout: FeedLayout | None = None
        self._file_index: int | None = None
        self._input_options = OWN.updated(json.loads(mapping))
        self._looked_up = lookups_of(self._input_options)
        super().__init__(self._accept_record, self._input_options, self._looked_up)

    def _accept_record(self, record: Record) -> None:
        self._aggregator.add(record)
        self._finder.see(record)

    def feed_export(self, rows: Sequence[FeedRow | str], export: Export, numbers: Sequence[int]) -> int:
        """Read rows of a known feed, each by its columns, or why it cannot be split.

        Returns how many are not events of the kind that is read.
        """
        file_index, file, feed, columns = export
        if self._layout is None or self._file_index != file_index:
            self._file_index = file_index
            self._layout = FeedLayout(file, FEEDS[feed], self._input_options, self._looked_up, columns)
        before = self._layout.left_out
        self.feed_rows(
            (
                (number, Refused("", row) if isinstance(row, str) else row)
                for number, row in zip(numbers, rows, strict=True)
            ),
            self._layout,
        )
        return self._layout.left_out - before

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

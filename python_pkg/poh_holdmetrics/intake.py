"""Lines and rows taken in from files: counted, read, and handed on or listed as refused.

Opens no file and keeps no event; where records go is the owner's choice (`audit`, `reading`). Single lines
are read in `ingest`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from poh_holdmetrics import ingest
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.records import Record

_Input = TypeVar("_Input")


class Intake:
    """Reads all that it is fed, hands on what is accepted, lists what is refused.

    `read` counts events read, `accepted` those handed on; `rejected` lists (file, line, reason) in the order
    of reading. A refused event changes nothing else.
    """

    def __init__(self, accept: Callable[[Record], None]) -> None:
        """`accept` gets every record that is one; it never refuses."""
        self.read = 0
        self.accepted = 0
        self.rejected: list[tuple[str, int, str]] = []
        self._accept = accept

    def feed_jsonl(self, lines: Sequence[bytes], file: str, first_line: int) -> None:
        """Read raw lines without their newline; `first_line` is the number of the first of them.

        Blank lines are skipped and not counted as read.
        """
        for line, text in enumerate(lines, start=first_line):
            if not ingest.is_blank(text):
                self._take(ingest.record_from_json, text, file, line)

    def feed_csv(
        self, rows: Sequence[Sequence[str]], header: Sequence[str], file: str, lines: Sequence[int]
    ) -> None:
        """Read rows of cells under `header`; `lines` holds the line number of each row."""
        columns = ingest.CsvColumns(header)
        for row, line in zip(rows, lines, strict=True):
            self._take(columns.record, row, file, line)

    def feed_values(self, rows: Sequence[Sequence[object]], file: str, lines: Sequence[int]) -> None:
        """Read rows of columns; `lines` holds the row number of each.

        A row is (token_id, holder_id, start_us, end_us, weight_text, event_id, revision, retract), None
        where absent, times in microseconds.
        """
        for row, line in zip(rows, lines, strict=True):
            self._take(ingest.record_from_values, row, file, line)

    def _take(self, record_from: Callable[[_Input], Record], given: _Input, file: str, line: int) -> None:
        self.read += 1
        try:
            record = record_from(given)
        except Refused as refused:
            self.rejected.append((file, line, str(refused)))
            return
        self._accept(record)
        self.accepted += 1

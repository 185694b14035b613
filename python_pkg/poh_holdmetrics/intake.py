"""Lines and rows taken in from files: counted, read, and handed on or listed as refused.

Opens no file and keeps no event; where records go is the owner's choice (`audit`, `reading`). Single lines
are read in `ingest`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from poh_holdmetrics import ingest
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.records import Record

_Input = TypeVar("_Input")

#: The line number of the first of a batch, the others following, or one number for each.
Numbers = int | Sequence[int]


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

    def feed_jsonl(self, lines: Sequence[bytes], file: str, numbers: Numbers) -> None:
        """Read raw lines without their newline; blank ones are skipped and not counted as read."""
        for number, line in _numbered(lines, numbers):
            if not ingest.is_blank(line):
                self._take(ingest.record_from_json, line, file, number)

    def feed_csv(
        self, rows: Sequence[Sequence[str]], header: Sequence[str], file: str, numbers: Numbers
    ) -> None:
        """Read rows of cells under `header`; a row without cells is one that was no CSV."""
        columns = ingest.CsvColumns(header)
        for number, row in _numbered(rows, numbers):
            self._take(columns.record, row, file, number)

    def feed_values(self, rows: Sequence[Sequence[object]], file: str, numbers: Numbers) -> None:
        """Read rows of columns.

        A row is (token_id, holder_id, start_us, end_us, weight_text, event_id, revision, retract), None
        where absent, times in microseconds.
        """
        for number, row in _numbered(rows, numbers):
            self._take(ingest.record_from_values, row, file, number)

    def _take(self, record_from: Callable[[_Input], Record], given: _Input, file: str, line: int) -> None:
        self.read += 1
        try:
            record = record_from(given)
        except Refused as refused:
            self.rejected.append((file, line, str(refused)))
            return
        self._accept(record)
        self.accepted += 1


def _numbered(batch: Sequence[_Input], numbers: Numbers) -> Iterable[tuple[int, _Input]]:
    if isinstance(numbers, int):
        return enumerate(batch, start=numbers)
    return zip(numbers, batch, strict=True)

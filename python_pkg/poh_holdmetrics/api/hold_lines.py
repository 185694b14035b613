"""The lines of a request body as events: read natively if the tracker is native, else as those of files.

Each line is accepted or refused alone. Stores nothing, so that a service can first make room for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.api.intake import (
    AHEAD_US_MAX,
    ID_BYTES_MAX,
    LINE_BYTES_MAX,
    TOO_LONG,
    records_from_line,
)
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.pure.findings import Findings, findings_of
from poh_holdmetrics.row_reader import is_blank

if TYPE_CHECKING:
    from poh_holdmetrics.native import Namespace
    from poh_holdmetrics.pure.aggregator import AcceptedLines
    from poh_holdmetrics.validation import Record


class _PureLines:
    """Lines read without native code."""

    def __init__(self, text: bytes, now_us: int) -> None:
        self.accepted = 0
        self.refused: list[tuple[int, str, str]] = []
        self._records: list[Record] = []
        lines = text.split(b"\n")
        self.lines = len(lines)
        for number, line in enumerate(lines, 1):
            if len(line) > LINE_BYTES_MAX:
                self.refused.append((number, "line", TOO_LONG))
            elif not is_blank(line):
                try:
                    self._records += records_from_line(line, now_us)
                    self.accepted += 1
                except Refused as refused:
                    self.refused.append((number, refused.blamed or "json", str(refused)))

    def __len__(self) -> int:
        return len(self._records)

    def findings(self) -> Findings:
        return findings_of(self._records)

    def records(self) -> list[Record]:
        return self._records


def read_lines(namespace: Namespace | None, text: bytes, now_us: int) -> AcceptedLines:
    """Read lines, without the break of the last one, with the native code that will record them, if any."""
    if namespace is None:
        return _PureLines(text, now_us)
    return namespace.read_lines(
        text,
        now_us,
        id_bytes_max=ID_BYTES_MAX,
        ahead_us_max=AHEAD_US_MAX,
        line_bytes_max=LINE_BYTES_MAX,
    )

"""What a `before_accept` handler returns, read as verdicts: by row, why it is refused or what replaces it.

A handler may return None (every row is accepted), a list with one entry a row, or a mapping from rows to
entries. An entry is a reason, a `HoldEvent` that takes the place of the row, or None. Calls nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.errors import excerpt
from poh_holdmetrics.integers import integer_from

#: By row from 0: the reason of a refusal, or the event that takes the place of the row.
Verdicts = dict[int, str | HoldEvent]

_EXPECTED = "expected None, or a reason or HoldEvent by row"


def verdicts_from(returned: object, rows: int) -> Verdicts:
    """The verdicts on a batch of `rows` rows; raises `TypeError` or `IndexError` for anything else."""
    if returned is None:
        return {}
    verdicts: Verdicts = {}
    for row, entry in _entries(returned, rows):
        if isinstance(entry, str):
            if not entry.strip():
                raise TypeError(f"row {row}: the reason is empty; say why the event is refused")
            verdicts[row] = entry
        elif isinstance(entry, HoldEvent):
            verdicts[row] = entry
        elif entry is not None:
            raise TypeError(f"row {row}: {_EXPECTED}, not {excerpt(entry)}")
    return verdicts


def _entries(returned: object, rows: int) -> Iterable[tuple[int, Any]]:
    if isinstance(returned, Mapping):
        return [(_row(row, rows), entry) for row, entry in returned.items()]
    if isinstance(returned, Sequence) and not isinstance(returned, str | bytes):
        if len(returned) != rows:
            raise TypeError(f"{len(returned)} entries for {rows} rows; return one a row, or a mapping")
        return enumerate(returned)
    raise TypeError(f"{_EXPECTED}, not {excerpt(returned)}")


def _row(row: object, rows: int) -> int:
    number = integer_from(row)
    if number is None:
        raise TypeError(f"expected the number of a row, not {excerpt(row)}")
    if not 0 <= number < rows:
        raise IndexError(f"row {number}: the batch has {rows} rows")
    return number

"""What a policy sees: the effective weight of each key within a window, as columns.

A segment is a maximal stretch of one weight, cut to the window; one that is still open ends at `as_of_us`.
Rows are sorted by `holder_id`, `token_id` and `start_us`. Nothing is scored here.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, Self

from poh_holdmetrics.windows import Window


class Segment(NamedTuple):
    """Held at `weight_wads` (steps of 1e-18) from `start_us` up to, not including, `end_us`."""

    holder_id: str
    token_id: str
    start_us: int
    end_us: int
    weight_wads: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Segments:
    """Columns of equal length, which nothing can change, and the window that they lie in."""

    holder_id: tuple[str, ...]
    token_id: tuple[str, ...]
    start_us: memoryview[int]
    """Read-only, int64."""
    end_us: memoryview[int]
    """Read-only, int64."""
    weight_wads: tuple[int, ...]
    as_of_us: int
    """The first instant after the window."""
    from_us: int | None = None
    """The first instant of the window; None for the beginning of time."""
    closed_only: bool = False

    @classmethod
    def of(cls, rows: Iterable[Segment | tuple[str, str, int, int, int]], window: Window) -> Self:
        """The columns of rows in any order; they are taken as they are, and not cut to the window."""
        ordered = sorted(rows)
        return cls.of_columns(
            (row[0] for row in ordered),
            (row[1] for row in ordered),
            (row[2] for row in ordered),
            (row[3] for row in ordered),
            (row[4] for row in ordered),
            window,
        )

    @classmethod
    def of_columns(
        cls,
        holder_id: Iterable[str],
        token_id: Iterable[str],
        start_us: Iterable[int],
        end_us: Iterable[int],
        weight_wads: Iterable[int],
        window: Window,
    ) -> Self:
        """Columns that are sorted already."""
        return cls(
            holder_id=tuple(holder_id),
            token_id=tuple(token_id),
            start_us=_int64(start_us),
            end_us=_int64(end_us),
            weight_wads=tuple(weight_wads),
            as_of_us=window.as_of_us,
            from_us=window.from_us,
            closed_only=window.closed_only,
        )

    def __len__(self) -> int:
        return len(self.holder_id)

    def __iter__(self) -> Iterator[Segment]:
        columns = (self.holder_id, self.token_id, self.start_us, self.end_us, self.weight_wads)
        return map(Segment, *columns)

    def by_holder(self) -> Iterator[tuple[str, list[Segment]]]:
        """Each holder with its segments, in order."""
        for holder_id, rows in groupby(self, key=lambda row: row.holder_id):
            yield holder_id, list(rows)


def _int64(values: Iterable[int]) -> memoryview[int]:
    # Native code passes the bytes of the column. A view of bytes cannot be written through.
    column = values if isinstance(values, bytes) else array("q", values).tobytes()
    return memoryview(column).cast("q")

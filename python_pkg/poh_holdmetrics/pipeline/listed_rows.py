"""Rows of a leaderboard that were listed once: the first ones of a snapshot, or those that a process sent.

It has what a snapshot has, without the engine behind it and without Arrow columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poh_holdmetrics import native


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedRows:
    """A snapshot of these rows alone."""

    listed: list[native.Row]
    as_of_us: int
    from_us: int | None
    closed_only: bool
    deficits: int
    """Keys of all holders whose balance is below 0 at some instant."""

    def __len__(self) -> int:
        return len(self.listed)

    def rows(self, n: int | None = None) -> list[native.Row]:
        """The rows, or the first `n` of them."""
        return self.listed[:n]

"""What a storage keeps in memory while its server is away: each event once, in order, up to a bound.

Hands events over part by part. Knows no server; see `mongodb`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Literal

from poh_holdmetrics.errors import InputError, StoreFull

if TYPE_CHECKING:
    from poh_holdmetrics.validation import Record

#: What happens to events beyond the bound: `refuse` raises `StoreFull`, `drop_oldest` loses the first ones.
WhenFull = Literal["refuse", "drop_oldest"]


class KeptEvents:
    """Records that wait for a server."""

    def __init__(self, events_max: int, when_full: WhenFull) -> None:
        if events_max < 1:
            raise InputError("kept_max", f"expected 1 or more, not {events_max}")
        if when_full not in ("refuse", "drop_oldest"):
            raise InputError("when_full", f"expected refuse or drop_oldest, not {when_full!r}")
        self.dropped = 0
        """How many events were lost because of `drop_oldest`."""
        self._records: dict[Record, None] = {}
        self._events_max = events_max
        self._when_full = when_full

    def __len__(self) -> int:
        return len(self._records)

    def add(self, records: Iterable[Record]) -> int:
        """Keep records; returns how many were new. `StoreFull` means that none was kept."""
        fresh = dict.fromkeys(record for record in records if record not in self._records)
        beyond = len(self._records) + len(fresh) - self._events_max
        if beyond > 0 and self._when_full == "refuse":
            raise StoreFull(len(self._records), len(fresh), self._events_max)
        self._records.update(fresh)
        for record in self.first(beyond):
            del self._records[record]
            self.dropped += 1
        return len(fresh)

    def first(self, count: int | None = None) -> list[Record]:
        """The oldest `count` records, or all."""
        return list(islice(self._records, None if count is None else max(count, 0)))

    def remove(self, records: Iterable[Record]) -> None:
        """Keep these records no longer; they have been handed over, and some may be gone already."""
        for record in records:
            self._records.pop(record, None)

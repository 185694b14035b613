"""The pure-Python counterpart of the native `Aggregator`: the same methods, the same exact answers.

Holds facts by holder and token; each query sums them again over its window. Adding an event takes constant
time, a query O(n log n) for n events of one key, in every pattern (see `envelope`). For one thread, or one
event loop: it locks nothing. Columns are read in `columns`, single sums in `envelope`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Protocol, cast

from poh_holdmetrics import field_parsers, validation
from poh_holdmetrics.instants import MIN_US
from poh_holdmetrics.pure.columns import records_from_columns
from poh_holdmetrics.pure.curve import OPEN_US
from poh_holdmetrics.pure.envelope import effective_segments, integral
from poh_holdmetrics.pure.facts import KeyFacts
from poh_holdmetrics.pure.ranking import Row, Total, row_of_holder, rows_behind, rows_from_totals
from poh_holdmetrics.pure.statement import Deficit, KeyStatement, deficit_of, key_statement
from poh_holdmetrics.validation import Record

if TYPE_CHECKING:
    from poh_holdmetrics.column_types import (
        DecimalColumn,
        FlagColumn,
        Int64Column,
        OptionalTextColumn,
        TextColumn,
    )
    from poh_holdmetrics.pure.findings import FindingsRow

#: token_id, holder_id, start_us, end_us (None: still open at the end), weight in wads.
HeldSegment = tuple[str, str, int, int | None, int]

#: holder_id, token_id, start_us, end_us, weight in wads: one value for each segment.
HeldColumns = tuple[Iterable[str], Iterable[str], Iterable[int], Iterable[int], Iterable[int]]

#: The fields of a `Record`.
RecordRow = tuple[str, str, int | None, int | None, int, str | None, int, bool, int | None, int | None, int]


class Recorded(Protocol):
    """A model of an event or a transfer: it returns its checked values as records."""

    def records(self) -> tuple[Record, ...]: ...  # noqa: D102


class AcceptedLines(Protocol):
    """Lines of JSON that were read: the events of those that were accepted, and the others."""

    @property
    def lines(self) -> int: ...  # noqa: D102
    @property
    def accepted(self) -> int: ...  # noqa: D102
    @property
    def refused(self) -> list[tuple[int, str, str]]:
        """The number of a line from 1, what is to blame (a field, `json` or `line`), and the reason."""

    def __len__(self) -> int: ...
    def findings(self) -> FindingsRow: ...  # noqa: D102
    def records(self) -> Sequence[RecordRow]: ...  # noqa: D102


class Snapshot:
    """The leaderboard at one instant over one window, computed once; later events do not change it."""

    __slots__ = ("as_of_us", "closed_only", "deficits", "from_us", "totals")

    def __init__(
        self,
        totals: dict[str, Total],
        as_of_us: int,
        from_us: int | None,
        *,
        closed_only: bool,
        deficits: int,
    ) -> None:
        """`deficits` counts the keys whose balance is below 0 at some instant before `as_of_us`."""
        self.totals = totals
        self.as_of_us = as_of_us
        self.from_us = from_us
        self.closed_only = closed_only
        self.deficits = deficits

    def __len__(self) -> int:
        return len(self.totals)

    def rows(self, n: int | None = None) -> list[Row]:
        """All rows, or the first `n`, in leaderboard order."""
        return rows_from_totals(self.totals, n)


class Aggregator:
    """Facts of many keys. Order, repetition and splitting of the events do not matter."""

    __slots__ = ("_events", "_holders", "_keys")

    def __init__(self) -> None:
        self._holders: dict[str, dict[str, KeyFacts]] = {}
        self._events = 0
        self._keys = 0

    @property
    def events(self) -> int:
        """Events accepted, repetitions included."""
        return self._events

    @property
    def holders(self) -> int:
        """Holders with at least one accepted event."""
        return len(self._holders)

    @property
    def keys(self) -> int:
        """Pairs of token and holder with at least one accepted event."""
        return self._keys

    @property
    def facts(self) -> Mapping[str, Mapping[str, KeyFacts]]:
        """The facts by holder, then by token, to be read only."""
        return self._holders

    def add(self, record: Record) -> None:
        """Add an accepted record."""
        self._facts(record.token_id, record.holder_id).add(record)
        self._events += 1

    def record(
        self,
        token_id: str,
        holder_id: str,
        start_us: int | None = None,
        end_us: int | None = None,
        weight: str | float | Decimal | None = None,
        event_id: str | None = None,
        revision: int = 0,
        retract: bool = False,  # noqa: FBT001, FBT002 - the native method's own signature
        at_us: int | None = None,
        delta: str | float | Decimal | None = None,
        seq: int = 0,
    ) -> None:
        """Record one event; raises `Refused` and changes nothing if it is invalid."""
        for record in validation.records_from_fields(
            field_parsers.MICROS,
            *(token_id, holder_id, start_us, end_us, weight, event_id, revision, retract),
            *(at_us, delta, seq),
        ):
            self.add(record)

    def record_events(self, events: Iterable[Recorded]) -> int:
        """Record `HoldEvent` and `Transfer` models, all or none; returns how many records they have."""
        return self._add_all([record for event in events for record in event.records()])

    def record_batch(
        self,
        token_id: TextColumn,
        holder_id: OptionalTextColumn | None = None,
        start_us: Int64Column | None = None,
        end_us: Int64Column | None = None,
        weight: DecimalColumn | None = None,
        event_id: OptionalTextColumn | None = None,
        revision: Int64Column | None = None,
        retract: FlagColumn | None = None,
        at_us: Int64Column | None = None,
        delta: DecimalColumn | None = None,
        seq: Int64Column | None = None,
        from_id: OptionalTextColumn | None = None,
        to_id: OptionalTextColumn | None = None,
        amount: DecimalColumn | None = None,
    ) -> int:
        """Record columns, all rows or none; returns how many records. Shapes and errors: `columns`."""
        return self._add_all(
            records_from_columns(
                *(token_id, holder_id, start_us, end_us, weight, event_id, revision, retract),
                *(at_us, delta, seq, from_id, to_id, amount),
            )
        )

    def record_lines(self, lines: AcceptedLines) -> int:
        """Record the events of lines that were read; returns how many."""
        return self._add_all([Record._make(fields) for fields in lines.records()])

    def merge(self, other: Aggregator) -> None:
        """Unite with another aggregator's facts, as sets are united; the other stays as it is."""
        for holder_id, tokens in other._holders.items():
            for token_id, facts in tokens.items():
                self._facts(token_id, holder_id).merge(facts)
        self._events += other._events

    def snapshot(
        self,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002 - the native method's own signature
    ) -> Snapshot:
        """The scores of all holders over [from_us, as_of_us)."""
        totals = self._totals(as_of_us, from_us, closed_only=closed_only)
        deficits = sum(total.deficits for total in totals.values())
        return Snapshot(totals, as_of_us, from_us, closed_only=closed_only, deficits=deficits)

    def leaderboard(
        self,
        n: int,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002 - the native method's own signature
    ) -> list[Row]:
        """The first `n` rows of the snapshot."""
        return self.snapshot(as_of_us, from_us, closed_only).rows(n)

    def holder(
        self,
        holder_id: str,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002 - the native method's own signature
    ) -> Row | None:
        """One holder's row with its true rank; None if it has no event."""
        if holder_id not in self._holders:
            return None
        return row_of_holder(self.snapshot(as_of_us, from_us, closed_only).totals, holder_id)

    def deficits(self, as_of_us: int) -> list[Deficit]:
        """The keys whose balance is below 0 at some instant before `as_of_us`, by token and holder."""
        found = []
        for token_id, holder_id in self._sorted_keys():
            deficit = deficit_of(token_id, holder_id, self._holders[holder_id][token_id], as_of_us)
            if deficit is not None:
                found.append(deficit)
        return found

    def deficit_page(
        self, n: int, as_of_us: int, token_id: str | None = None, after: tuple[str, str] | None = None
    ) -> tuple[list[Deficit], bool, int]:
        """The first `n` of these keys, or those behind `after`; whether more follow; how many there are."""
        found = [each for each in self.deficits(as_of_us) if token_id in (None, each.token_id)]
        left = [each for each in found if after is None or each[:2] > after]
        return left[:n], len(left) > n, len(found)

    def page(
        self,
        n: int,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002 - the native method's own signature
        token_id: str | None = None,
        after: tuple[str, str] | None = None,
    ) -> tuple[list[Row], int, int, int]:
        """The first `n` holders, or those behind `after`, a score as text and a `holder_id`.

        Also how many holders follow, how many there are, and how many of their keys are below 0.
        """
        totals = self._totals(as_of_us, from_us, closed_only=closed_only, token_id=token_id)
        deficits = sum(total.deficits for total in totals.values())
        if after is None:
            rows = rows_from_totals(totals, n)
            return rows, len(totals) - len(rows), len(totals), deficits
        behind = list(rows_behind(rows_from_totals(totals), *after))
        rows = list(islice(behind, n))
        return rows, len(behind) - len(rows), len(totals), deficits

    def explain(
        self,
        holder_id: str,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002 - the native method's own signature
        token_id: str | None = None,
    ) -> tuple[Row, list[KeyStatement], int] | None:
        """One holder's row, its keys by token, and how many of them are below 0; None if there is nothing."""
        totals = self._totals(as_of_us, from_us, closed_only=closed_only, token_id=token_id)
        row = row_of_holder(totals, holder_id)
        if row is None:
            return None
        tokens = self._holders[holder_id]
        keys = [
            key_statement(each, holder_id, tokens[each])
            for each in sorted(tokens)
            if token_id in (None, each)
        ]
        return row, keys, totals[holder_id].deficits

    def segments(self) -> Iterator[HeldSegment]:
        """The effective segments of every key, sorted by token, holder and start."""
        for token_id, holder_id in self._sorted_keys():
            for start_us, end_us, wad in effective_segments(self._holders[holder_id][token_id]):
                yield token_id, holder_id, start_us, None if end_us == OPEN_US else end_us, wad

    def held_columns(
        self,
        as_of_us: int,
        from_us: int | None = None,
        closed_only: bool = False,  # noqa: FBT001, FBT002 - the native method's own signature
    ) -> HeldColumns:
        """What was held within [from_us, as_of_us): columns sorted by holder, token and start."""
        since_us = MIN_US if from_us is None else from_us
        rows: list[tuple[str, str, int, int, int]] = []
        for holder_id, token_id in sorted(
            (holder_id, token_id) for token_id, holder_id in self._sorted_keys()
        ):
            facts = self._holders[holder_id][token_id]
            for start_us, end_us, wad in effective_segments(facts, closed_only=closed_only):
                cut = (max(start_us, since_us), min(end_us, as_of_us))
                if cut[0] < cut[1]:
                    rows.append((holder_id, token_id, *cut, wad))
        columns = tuple(zip(*rows, strict=True)) or ((), (), (), (), ())
        return cast("HeldColumns", columns)

    def _totals(
        self, as_of_us: int, from_us: int | None, *, closed_only: bool, token_id: str | None = None
    ) -> dict[str, Total]:
        """The sums of the holders that have an event, of one token if it is given."""
        return {
            holder_id: self._total(
                tokens if token_id is None else {token_id: tokens[token_id]},
                as_of_us,
                from_us,
                closed_only=closed_only,
            )
            for holder_id, tokens in self._holders.items()
            if token_id is None or token_id in tokens
        }

    def _sorted_keys(self) -> list[tuple[str, str]]:
        return sorted(
            (token_id, holder_id) for holder_id, tokens in self._holders.items() for token_id in tokens
        )

    def _add_all(self, batch: list[Record]) -> int:
        for record in batch:
            self.add(record)
        return len(batch)

    def _facts(self, token_id: str, holder_id: str) -> KeyFacts:
        tokens = self._holders.get(holder_id)
        if tokens is None:
            tokens = self._holders[holder_id] = {}
        facts = tokens.get(token_id)
        if facts is None:
            facts = tokens[token_id] = KeyFacts()
            self._keys += 1
        return facts

    @staticmethod
    def _total(
        tokens: dict[str, KeyFacts], as_of_us: int, from_us: int | None, *, closed_only: bool
    ) -> Total:
        since_us = MIN_US if from_us is None else from_us
        held_us = wad_us = deficits = 0
        for facts in tokens.values():
            key_us, key_wad_us, key_deficits = integral(facts, since_us, as_of_us, closed_only=closed_only)
            held_us += key_us
            wad_us += key_wad_us
            deficits += key_deficits
        return Total(held_us, wad_us, deficits)

"""One holder explained: the segments whose scores add up to its score, and the events behind each.

Computed from the holder's own facts by the pure-Python engine, natively scored or not, because both give the
same figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from poh_holdmetrics import instants
from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.frames.explained_segment import ExplainedSegment
from poh_holdmetrics.frames.export import arrow_of_segments, html_table, pandas_frame, polars_frame
from poh_holdmetrics.frames.plots import timeline_plot
from poh_holdmetrics.instants import MIN_US, text_from_us
from poh_holdmetrics.pure.envelope import effective_segments

if TYPE_CHECKING:
    import polars

    from poh_holdmetrics.native import Row
    from poh_holdmetrics.pure.aggregator import Aggregator
    from poh_holdmetrics.validation import Record
    from poh_holdmetrics.windows import Window


@dataclass(frozen=True, kw_only=True, repr=False)
class Explanation:
    """A holder's row, and its segments by token and time; their scores add up to `score` exactly."""

    holder_id: str
    rank: int
    held_us: int
    score: str
    segments: tuple[ExplainedSegment, ...]

    def to_arrow(self) -> Any:
        """A `pyarrow.Table` of the segments; `event_ids` are those of the events that have one."""
        return arrow_of_segments(self.segments)

    def to_polars(self) -> polars.DataFrame:
        """The same as a frame of polars."""
        return polars_frame(self.to_arrow())

    def to_pandas(self) -> Any:
        """The same as a frame of pandas."""
        return pandas_frame(self.to_arrow())

    def plot(self, *, ax: Any = None) -> Any:
        """Draw the weight of each token over time with matplotlib; returns the axes."""
        return timeline_plot(self.segments, str(self), ax)

    def __repr__(self) -> str:
        return f"Explanation({self})"

    def __str__(self) -> str:
        return f"{self.holder_id}: rank {self.rank:,}, score {self.score} in {len(self.segments):,} segments"

    def _repr_html_(self) -> str:
        rows = [
            (
                segment.token_id,
                text_from_us(segment.start_us),
                text_from_us(segment.end_us),
                f"{segment.weight:f}",
                segment.score,
                ", ".join(event.event_id or "(no id)" for event in segment.events),
            )
            for segment in self.segments[:100]
        ]
        header = ("token_id", "start", "end", "weight", "score", "events")
        return html_table(header, rows, len(self.segments), str(self))


def explanation(row: Row, facts: Aggregator, window: Window) -> Explanation:
    """The explanation of a leaderboard row; `facts` are those of its holder."""
    rank, holder_id, held_us, score, _ = row
    return Explanation(
        rank=rank,
        holder_id=holder_id,
        held_us=held_us,
        score=score,
        segments=tuple(_segments(holder_id, facts, window)),
    )


def _segments(holder_id: str, facts: Aggregator, window: Window) -> Iterator[ExplainedSegment]:
    since_us = MIN_US if window.from_us is None else window.from_us
    for token_id, key in sorted(facts.facts.get(holder_id, {}).items()):
        spans = effective_segments(key, closed_only=window.closed_only)
        behind = _behind(key.records(token_id, holder_id), spans)
        for (start_us, end_us, wad), records in zip(spans, behind, strict=True):
            cut = max(start_us, since_us), min(end_us, window.as_of_us)
            if cut[0] < cut[1]:
                # Of a long segment only what is behind the part within the window.
                inside = (record for record in records if _touches(record, *cut))
                yield ExplainedSegment(
                    token_id=token_id,
                    start_us=cut[0],
                    end_us=cut[1],
                    wad=wad,
                    events=tuple(map(HoldEvent.from_record, inside)),
                )


def _touches(record: Record, start_us: int, end_us: int) -> bool:
    if record.start_us is None or record.end_us is None:
        return True
    return record.start_us < end_us and record.end_us > start_us


def _behind(records: Sequence[Record], spans: Sequence[tuple[int, int, int]]) -> Iterator[list[Record]]:
    """The records behind each span: one sweep, in time linear in what is found."""
    covers: defaultdict[int, list[tuple[int, int, Record]]] = defaultdict(list)
    for start_us, end_us, record in chain(_holds(records), _reigns(records)):
        covers[record.wad].append((start_us, end_us, record))
    for group in covers.values():
        group.sort(key=lambda cover: cover[:2], reverse=True)
    changes: defaultdict[int, list[Record]] = defaultdict(list)
    balances = list(_balances(records, changes))[::-1]
    active: defaultdict[int, list[tuple[int, int, Record]]] = defaultdict(list)
    balance_at: tuple[int, int] | None = None
    for start_us, end_us, wad in spans:
        running, waiting = active[wad], covers[wad]
        running[:] = [cover for cover in running if cover[1] > start_us]
        while waiting and waiting[-1][0] < end_us:
            cover = waiting.pop()
            if cover[1] > start_us:
                running.append(cover)
        found = [record for _, _, record in running]
        while balances and balances[-1][0] < end_us:
            before, balance_at = balance_at, balances.pop()
            if before is not None and before[1] == wad and balance_at[0] > start_us:
                found += changes.get(before[0], [])
        if balance_at is not None and balance_at[1] == wad:
            found += changes.get(balance_at[0], [])
        yield found


def _holds(records: Iterable[Record]) -> Iterator[tuple[int, int, Record]]:
    for record in records:
        if record.start_us is not None and record.end_us is not None:
            yield record.start_us, record.end_us, record


def _reigns(records: Iterable[Record]) -> Iterator[tuple[int, int, Record]]:
    """Each deciding start mark, and the time until the next mark."""
    marks: defaultdict[int, list[Record]] = defaultdict(list)
    for record in records:
        if record.at_us is None and (record.start_us is None) != (record.end_us is None):
            at_us = record.end_us if record.start_us is None else record.start_us
            if at_us is not None:
                marks[at_us].append(record)
    instants_of_marks = sorted(marks)
    for at_us, next_us in pairwise([*instants_of_marks, instants.MAX_US + 1]):
        last = max(record.seq for record in marks[at_us])
        deciding = [record for record in marks[at_us] if record.seq == last]
        if all(record.start_us is not None for record in deciding):
            heaviest = max(record.wad for record in deciding)
            for record in deciding:
                if record.wad == heaviest:
                    yield at_us, next_us, record


def _balances(
    records: Iterable[Record], changes: defaultdict[int, list[Record]]
) -> Iterator[tuple[int, int]]:
    """Each instant of a change, and the balance from then on; fills `changes` with those of each instant."""
    for record in records:
        if record.at_us is not None:
            changes[record.at_us].append(record)
    balance = 0
    for at_us in sorted(changes):
        balance += sum(record.delta or 0 for record in changes[at_us])
        yield at_us, balance

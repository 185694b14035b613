"""The scores of a frame: a frozen result that becomes a table of any library, and explains itself.

Keeps the events, so that calendar windows and explanations are exact and need no second call. Computes
lazily: an engine is made when `windows` needs it first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Self, overload

from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.frames.calendar import Frequency, calendar_windows
from poh_holdmetrics.frames.events import Events
from poh_holdmetrics.frames.explanation import Explanation, explanation
from poh_holdmetrics.frames.export import (
    arrow_of_windows,
    arrow_table,
    html_table,
    pandas_frame,
    polars_frame,
)
from poh_holdmetrics.frames.plots import leaderboard_plot
from poh_holdmetrics.instants import text_from_us
from poh_holdmetrics.pure import aggregator as pure
from poh_holdmetrics.pure.ranking import Total
from poh_holdmetrics.tracker import HoldSnapshot
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    import polars

    from poh_holdmetrics import native
    from poh_holdmetrics.hold_warnings import HoldWarning
    from poh_holdmetrics.input_options import TimeUnit

#: Decimal digits of a score after the point.
_PLACES = 24
_EXACT = Context(prec=120)


@dataclass(frozen=True, eq=False, repr=False)
class HoldScores(HoldSnapshot):
    """A leaderboard of exact scores: `rows`, `top(n)`, iteration, and tables for other libraries.

    `held_us` and `score` become decimals; `weighted_score` is the nearest double.
    """

    events: Events
    excluded: frozenset[str]
    warnings: tuple[HoldWarning, ...] = ()
    """What is valid and probably not meant in the events: `code`, `name` and `text` of each."""

    @classmethod
    def of(cls, events: Events, window: Window, excluded: frozenset[str]) -> Self:
        """The scores of `events` over `window`, without the holders that are excluded."""
        snapshot = events.snapshot(window)
        if excluded:
            snapshot = _without(snapshot, events, window, excluded)
        return cls(snapshot, events, excluded)

    @classmethod
    def with_warnings(
        cls, events: Events, window: Window, excluded: frozenset[str], time_unit: TimeUnit
    ) -> Self:
        """The same, with what is probably not meant; numbers were read as times in `time_unit`."""
        snapshot, warnings = events.with_warnings(window, time_unit)
        if excluded:
            snapshot = _without(snapshot, events, window, excluded)
        return cls(snapshot, events, excluded, tuple(warnings))

    @property
    def window(self) -> Window:
        """The time that counts."""
        return Window(self.columns.as_of_us, self.columns.from_us, self.columns.closed_only)

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`; a column of decimals that needs more than 38 digits is a `decimal256`."""
        return arrow_table(self.columns)

    def to_polars(self) -> polars.DataFrame:
        """A frame of polars, whose decimals have 38 digits.

        The scale of `score` is as small as needed; a score that does not fit makes it a column of exact text.
        """
        return polars_frame(self.to_arrow())

    def to_pandas(self) -> Any:
        """A frame of pandas, whose decimals are Arrow columns (`pandas.ArrowDtype`)."""
        return pandas_frame(self.to_arrow())

    def windows(self, freq: Frequency = "month", *, time_zone: str = "UTC") -> WindowScores:
        """The scores within each day, week (from Monday), month, quarter or year; they add up to the whole.

        Without `from_` the first one is that in which something was held first.
        """
        parts = calendar_windows(self.events.engine, self.window, freq, time_zone)
        return WindowScores(tuple(HoldScores.of(self.events, part, self.excluded) for part in parts))

    def explain(self, holder_id: str) -> Explanation:
        """The segments that make up a holder's score, with the events behind each; they add up exactly."""
        if holder_id in self.excluded:
            raise InputError("explain", f"holder {excerpt(holder_id)} is excluded")
        row = next((row for row in self.rows() if row[1] == holder_id), None)
        if row is None:
            raise InputError("explain", f"unknown holder {excerpt(holder_id)}; no event names it")
        return explanation(row, self.events.of_holder(holder_id), self.window)

    def plot(self, limit: int = 10, *, ax: Any = None) -> Any:
        """Draw the first `limit` holders as bars with matplotlib; returns the axes.

        `explain(holder).plot()` draws the timeline of one.
        """
        return leaderboard_plot(self.top(limit), str(self), ax)

    def __repr__(self) -> str:
        return f"HoldScores({self})"

    def __str__(self) -> str:
        since = "" if self.window.from_us is None else f" from {text_from_us(self.window.from_us)}"
        closed = ", closed holds only" if self.window.closed_only else ""
        return f"{len(self):,} holders{since} as of {text_from_us(self.window.as_of_us)}{closed}"

    def _repr_html_(self) -> str:
        return html_table(
            ("rank", "holder_id", "held_us", "score"),
            [(f"{rank:,}", holder, f"{us:,}", score) for rank, holder, us, score, _ in self.rows(20)],
            len(self),
            str(self),
        )


@dataclass(frozen=True, eq=False, repr=False)
class WindowScores(Sequence["HoldScores"]):
    """The scores of each window, in order; tables have a row for each holder that held something in it."""

    scores: tuple[HoldScores, ...]

    def __len__(self) -> int:
        return len(self.scores)

    @overload
    def __getitem__(self, index: int) -> HoldScores: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[HoldScores]: ...
    def __getitem__(self, index: int | slice) -> HoldScores | Sequence[HoldScores]:
        return self.scores[index]

    def to_arrow(self) -> Any:
        """A `pyarrow.Table` with the columns `from` and `as_of` of each window before those of the scores."""
        return arrow_of_windows([each.columns for each in self.scores])

    def to_polars(self) -> polars.DataFrame:
        """The same as a frame of polars."""
        return polars_frame(self.to_arrow())

    def to_pandas(self) -> Any:
        """The same as a frame of pandas."""
        return pandas_frame(self.to_arrow())

    def __repr__(self) -> str:
        return f"WindowScores({len(self)} windows)"

    def _repr_html_(self) -> str:
        rows = []
        for each in self.scores:
            first = each.rows(1)
            holder, score = (first[0][1], first[0][3]) if first else ("", "0")
            since_us = each.window.from_us
            since = "" if since_us is None else text_from_us(since_us)
            rows.append((since, text_from_us(each.window.as_of_us), holder, score))
        return html_table(("from", "as_of", "first", "score"), rows, len(rows), repr(self))


def _without(
    snapshot: native.Snapshot, events: Events, window: Window, excluded: frozenset[str]
) -> pure.Snapshot:
    """The snapshot without some holders, ranked anew."""
    totals = {
        holder_id: Total(held_us, int(Decimal(score).scaleb(_PLACES, _EXACT)))
        for _, holder_id, held_us, score, _ in snapshot.rows()
        if holder_id not in excluded
    }
    deficits = snapshot.deficits
    if deficits:
        deficits = sum(row[1] not in excluded for row in events.engine.deficits(window.as_of_us))
    as_of_us, from_us, closed_only = window
    return pure.Snapshot(totals, as_of_us, from_us, closed_only=closed_only, deficits=deficits)

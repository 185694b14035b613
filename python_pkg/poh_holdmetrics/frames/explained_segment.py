"""A part of an explained score: one stretch of one effective weight, and the events behind it.

A plain value; made in `explanation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poh_holdmetrics import wads
from poh_holdmetrics.instants import datetime_from_us

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from poh_holdmetrics.data_models import HoldEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedSegment:
    """A stretch of one effective weight, cut to the window."""

    token_id: str
    start_us: int
    end_us: int
    wad: int
    """The weight in steps of 1e-18."""
    events: tuple[HoldEvent, ...]
    """Holds and start marks that set this weight, and changes that led to this balance at its last change."""

    @property
    def start(self) -> datetime:
        """The first instant."""
        return datetime_from_us(self.start_us)

    @property
    def end(self) -> datetime:
        """The first instant after it: the end of the window if it is still open there."""
        return datetime_from_us(self.end_us)

    @property
    def weight(self) -> Decimal:
        """The effective weight."""
        return wads.decimal_from_wad(self.wad)

    @property
    def score(self) -> str:
        """Its part of the score in weight-seconds, exact."""
        return wads.score_text((self.end_us - self.start_us) * self.wad)

"""What counts by when it was held: less the longer ago it is, or by seasons.

>>> Decay(multipliers={"365d": 0, "30d": "0.5"}).document()
{'multipliers': {'30d': '0.5', '365d': '0'}}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.instants import MIN_US, text_from_us, us_from_argument
from poh_holdmetrics.policies.pieces import Holdings, multiplied
from poh_holdmetrics.policies.values import (
    MILLION,
    document_of_multipliers,
    millionths_from_multiplier,
    multipliers_from,
    text_from_millionths,
)

if TYPE_CHECKING:
    from poh_holdmetrics.durations import Duration
    from poh_holdmetrics.instants import Instant
    from poh_holdmetrics.policies.values import Number

_SEASONS_MAX = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Decay:
    """Multiplies by age: what was held more than a duration before the end of the window, by its multiplier.

    What is younger than the smallest duration counts once. The steps move with `as_of`.
    """

    kind: ClassVar[str] = "decay"
    multiplies: ClassVar[bool] = True

    multipliers: Mapping[Duration, Number] = field(compare=False)
    _ages: tuple[tuple[int, int], ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ages", multipliers_from("decay: multipliers", self.multipliers))

    def apply(self, holdings: Holdings, as_of_us: int) -> Holdings:
        """The holdings with all factors multiplied."""
        # From the oldest instant on; the multiplier of an age ends where the next smaller one begins.
        ages = [(0, MILLION), *self._ages]
        cuts = [(MIN_US, ages[-1][1])]
        cuts += [(as_of_us - us, millionths) for (us, _), (_, millionths) in _backwards(ages)]
        return _multiplied(holdings, cuts)

    def document(self) -> dict[str, object]:
        """The parameters, each in its one spelling."""
        return {"multipliers": document_of_multipliers(self._ages)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Season:
    """The time from `start` up to, not including, `end`, and what it counts."""

    start: Instant = field(compare=False)
    end: Instant = field(compare=False)
    multiplier: Number = field(default=1, compare=False)
    start_us: int = field(init=False)
    end_us: int = field(init=False)
    millionths: int = field(init=False)

    def __post_init__(self) -> None:
        try:
            start_us, end_us = us_from_argument("start", self.start), us_from_argument("end", self.end)
        except Refused as refused:
            raise InputError("seasons", str(refused)) from refused
        if start_us >= end_us:
            raise InputError("seasons: end", "not after the start of its season")
        object.__setattr__(self, "start_us", start_us)
        object.__setattr__(self, "end_us", end_us)
        millionths = millionths_from_multiplier("seasons: multiplier", self.multiplier)
        object.__setattr__(self, "millionths", millionths)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seasons:
    """Multiplies what was held in a season by its multiplier, and everything else by `otherwise`."""

    kind: ClassVar[str] = "seasons"
    multiplies: ClassVar[bool] = True

    seasons: Sequence[Season]
    otherwise: Number = field(default=0, compare=False)
    _otherwise: int = field(init=False)

    def __post_init__(self) -> None:
        seasons = tuple(sorted(self.seasons, key=lambda season: season.start_us))
        if not 0 < len(seasons) <= _SEASONS_MAX:
            raise InputError("seasons: seasons", f"expected 1 to {_SEASONS_MAX} seasons")
        for before, after in pairwise(seasons):
            if after.start_us < before.end_us:
                start = text_from_us(after.start_us)
                raise InputError(
                    "seasons: seasons", f"the one from {start} overlaps the one before it; let it start later"
                )
        object.__setattr__(self, "seasons", seasons)
        otherwise = millionths_from_multiplier("seasons: otherwise", self.otherwise)
        object.__setattr__(self, "_otherwise", otherwise)

    def apply(self, holdings: Holdings, as_of_us: int) -> Holdings:  # noqa: ARG002 - any step's signature
        """The holdings with all factors multiplied."""
        cuts = [(MIN_US, self._otherwise)]
        for season in self.seasons:
            cuts += [(season.start_us, season.millionths), (season.end_us, self._otherwise)]
        return _multiplied(holdings, cuts)

    def document(self) -> dict[str, object]:
        """The parameters, each in its one spelling."""
        return {
            "otherwise": text_from_millionths(self._otherwise),
            "seasons": [
                {
                    "start": text_from_us(season.start_us),
                    "end": text_from_us(season.end_us),
                    "multiplier": text_from_millionths(season.millionths),
                }
                for season in self.seasons
            ],
        }


def _backwards(ages: list[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Each age but the smallest, with the next smaller one, the largest first."""
    return ((older, younger) for younger, older in reversed(list(pairwise(ages))))


def _multiplied(holdings: Holdings, cuts: Iterable[tuple[int, int]]) -> Holdings:
    in_order = list(cuts)
    return {
        key: [part for piece in pieces for part in multiplied(piece, in_order)]
        for key, pieces in holdings.items()
    }

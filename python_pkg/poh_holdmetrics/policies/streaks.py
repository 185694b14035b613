"""What counts by the time for which a token was held without a gap: a minimum, and tiers with multipliers.

The time is that of a streak within the window: it begins at `from` at the earliest. Held at another weight is
still held, and so is weight 0.

    >>> Tiers(multipliers={"30d": "1.50", "24h": 1}).document()
    {'counting': 'reached', 'multipliers': {'1d': '1', '30d': '1.5'}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from poh_holdmetrics.durations import text_from_duration_us, us_from_duration
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.policies.pieces import Holdings, Piece, multiplied, streaks
from poh_holdmetrics.policies.values import MILLION, document_of_multipliers, multipliers_from

if TYPE_CHECKING:
    from poh_holdmetrics.durations import Duration
    from poh_holdmetrics.policies.values import Number


@dataclass(frozen=True, kw_only=True, slots=True)
class MinimumHold:
    """Leaves out every streak shorter than `duration`."""

    kind: ClassVar[str] = "minimum_hold"
    multiplies: ClassVar[bool] = False

    duration: Duration = field(compare=False)
    _least_us: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_least_us", us_from_duration("minimum_hold: duration", self.duration))

    def apply(self, holdings: Holdings, as_of_us: int) -> Holdings:  # noqa: ARG002 - any step's signature
        """The holdings without the streaks that are too short."""
        left = {key: list(self._long_enough(pieces)) for key, pieces in holdings.items()}
        return {key: pieces for key, pieces in left.items() if pieces}

    def document(self) -> dict[str, object]:
        """The parameters, each in its one spelling."""
        return {"duration": text_from_duration_us(self._least_us)}

    def _long_enough(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        for streak in streaks(pieces):
            if streak[-1].end_us - streak[0].start_us >= self._least_us:
                yield from streak


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiers:
    """Multiplies by the time held: from each duration of `multipliers` on by its multiplier, and before by 1.

    With `counting="reached"` each instant counts by the time for which the streak has lasted at that instant,
    with `"whole"` the whole streak by its length.
    """

    kind: ClassVar[str] = "tiers"
    multiplies: ClassVar[bool] = True

    multipliers: Mapping[Duration, Number] = field(compare=False)
    counting: Literal["reached", "whole"] = "reached"
    _tiers: tuple[tuple[int, int], ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tiers", multipliers_from("tiers: multipliers", self.multipliers))
        if self.counting not in ("reached", "whole"):
            raise InputError("tiers: counting", f"expected reached or whole, not {excerpt(self.counting)}")

    def apply(self, holdings: Holdings, as_of_us: int) -> Holdings:  # noqa: ARG002 - any step's signature
        """The holdings with all factors multiplied."""
        count = self._whole if self.counting == "whole" else self._reached
        return {
            key: [counted for streak in streaks(pieces) for counted in count(streak)]
            for key, pieces in holdings.items()
        }

    def document(self) -> dict[str, object]:
        """The parameters, each in its one spelling."""
        return {"counting": self.counting, "multipliers": document_of_multipliers(self._tiers)}

    def _reached(self, streak: Sequence[Piece]) -> Iterator[Piece]:
        since_us = streak[0].start_us
        cuts = [(since_us, MILLION), *((since_us + us, millionths) for us, millionths in self._tiers)]
        for piece in streak:
            yield from multiplied(piece, cuts)

    def _whole(self, streak: Sequence[Piece]) -> Iterator[Piece]:
        length_us = streak[-1].end_us - streak[0].start_us
        millionths = MILLION
        for us, following in self._tiers:
            if us <= length_us:
                millionths = following
        for piece in streak:
            yield piece._replace(factor=piece.factor * millionths)

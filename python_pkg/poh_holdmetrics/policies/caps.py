"""Upper limits: of the weight that counts at an instant, and of a holder's score.

>>> WeightCap(most="100.0").document(), ScoreCap(most=5).document()
({'most': '100'}, {'most': '5'})
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from poh_holdmetrics import wads
from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.policies.pieces import Holdings
from poh_holdmetrics.policies.values import steps_from_score

if TYPE_CHECKING:
    from poh_holdmetrics.policies.values import Number


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightCap:
    """Counts at most `most` of the weight of a key at each instant."""

    kind: ClassVar[str] = "weight_cap"
    multiplies: ClassVar[bool] = False

    most: Number = field(compare=False)
    _wads: int = field(init=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "_wads", wads.wad_from_value("most", self.most))
        except Refused as refused:
            raise InputError("weight_cap", str(refused)) from refused

    def apply(self, holdings: Holdings, as_of_us: int) -> Holdings:  # noqa: ARG002 - any step's signature
        """The holdings with no weight above the limit."""
        return {
            key: [piece._replace(wads=min(piece.wads, self._wads)) for piece in pieces]
            for key, pieces in holdings.items()
        }

    def document(self) -> dict[str, object]:
        """The parameters, each in its one spelling."""
        return {"most": f"{wads.decimal_from_wad(self._wads):f}"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreCap:
    """Publishes at most `most` weight-seconds for a holder; it is the last step."""

    kind: ClassVar[str] = "score_cap"
    multiplies: ClassVar[bool] = False

    most: Number = field(compare=False)
    steps: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", steps_from_score("score_cap: most", self.most))

    def apply(self, holdings: Holdings, as_of_us: int) -> Holdings:  # noqa: ARG002 - any step's signature
        """The holdings as they are: the limit is that of their sum."""
        return holdings

    def document(self) -> dict[str, object]:
        """The parameters, each in its one spelling."""
        return {"most": wads.score_text(self.steps)}

"""Ready policies: steps one after the other, then each holder's sum, rounded down once.

    >>> from poh_holdmetrics.policies import MinimumHold
    >>> Policy(steps=[MinimumHold(duration="7d")]).text
    '{"steps":[{"duration":"7d","step":"minimum_hold"}]}'

A holder is published if a piece of it is left after all steps. All arithmetic is that of integers. Native
code computes the same from the same text; see `published`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from poh_holdmetrics import wads
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.policies.caps import ScoreCap
from poh_holdmetrics.policies.links import Linked
from poh_holdmetrics.policies.pieces import Holdings, Step, holdings_from_segments
from poh_holdmetrics.policies.segments import Segments
from poh_holdmetrics.policies.values import MILLION, STEPS_MAX

_STEPS_MAX = 32
_MULTIPLYING_MAX = 4
#: What the text of a policy is hashed with: another definition of a step gets another number.
_DEFINITION = "holdmetrics-policy-1\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A policy of ready steps; a function of segments like any other policy."""

    steps: Sequence[Step]
    text: str = field(init=False, compare=False)
    """The canonical document."""

    def __post_init__(self) -> None:
        steps = tuple(self.steps)
        object.__setattr__(self, "steps", steps)
        if not 0 < len(steps) <= _STEPS_MAX:
            raise InputError("steps", f"expected 1 to {_STEPS_MAX} steps, found {len(steps)}")
        if sum(step.multiplies for step in steps) > _MULTIPLYING_MAX:
            raise InputError("steps", f"more than {_MULTIPLYING_MAX} steps multiply; combine some")
        for place, step in enumerate(steps):
            if isinstance(step, ScoreCap) and place + 1 < len(steps):
                raise InputError(f"steps[{place}]", "score_cap: not the last step; move it to the end")
            if isinstance(step, Linked) and any(each.multiplies for each in steps[:place]):
                raise InputError(f"steps[{place}]", "linked: after a step that multiplies; move it before")
        document = {"steps": [{"step": step.kind, **step.document()} for step in steps]}
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        object.__setattr__(self, "text", text)

    @property
    def version(self) -> str:
        """The SHA-256 of the canonical document and the definition of its steps, in hexadecimal digits."""
        return hashlib.sha256(f"{_DEFINITION}{self.text}".encode()).hexdigest()

    def __call__(self, segments: Segments) -> dict[str, Fraction]:
        """The published score of each holder in weight-seconds."""
        return {
            holder_id: Fraction(steps, wads.WAD_MICROS)
            for holder_id, steps in self.scored_steps(segments).items()
        }

    def scored_steps(self, segments: Segments) -> dict[str, int]:
        """The same in steps of 1e-24 weight-seconds."""
        holdings = holdings_from_segments(segments)
        for step in self.steps:
            holdings = step.apply(holdings, segments.as_of_us)
        scale = MILLION ** sum(step.multiplies for step in self.steps)
        last = self.steps[-1]
        most = last.steps if isinstance(last, ScoreCap) else STEPS_MAX
        return {holder_id: min(total // scale, most) for holder_id, total in _totals(holdings).items()}


def _totals(holdings: Holdings) -> dict[str, int]:
    totals: dict[str, int] = {}
    for (holder_id, _), pieces in holdings.items():
        if pieces:
            count = sum((piece.end_us - piece.start_us) * piece.wads * piece.factor for piece in pieces)
            totals[holder_id] = totals.get(holder_id, 0) + count
    return totals

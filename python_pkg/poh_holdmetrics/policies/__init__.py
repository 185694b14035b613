"""Ready policies: what is published for the exact segments of holders.

    policy = Policy(
        steps=[
            Exclude(holders={"0x000000000000000000000000000000000000dead"}),
            Linked(wallets={"ann": ["0xa1", "0xa2"]}),
            Tiers(multipliers={"30d": "1.5", "365d": 2}),
            ScoreCap(most=1_000_000_000),
        ]
    )

A policy is a pure function from `Segments` to a score in weight-seconds for each holder; any function of that
form is one. Imported on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poh_holdmetrics.policies.caps import ScoreCap, WeightCap
    from poh_holdmetrics.policies.document import policy_from_document
    from poh_holdmetrics.policies.links import Linked
    from poh_holdmetrics.policies.lists import Exclude, Include
    from poh_holdmetrics.policies.periods import Decay, Season, Seasons
    from poh_holdmetrics.policies.policy import Policy
    from poh_holdmetrics.policies.segments import Segment, Segments
    from poh_holdmetrics.policies.streaks import MinimumHold, Tiers

__all__ = [
    "Decay",
    "Exclude",
    "Include",
    "Linked",
    "MinimumHold",
    "Policy",
    "ScoreCap",
    "Season",
    "Seasons",
    "Segment",
    "Segments",
    "Tiers",
    "WeightCap",
    "policy_from_document",
]

_HOMES = {
    "Decay": "periods",
    "Exclude": "lists",
    "Include": "lists",
    "Linked": "links",
    "MinimumHold": "streaks",
    "Policy": "policy",
    "ScoreCap": "caps",
    "Season": "periods",
    "Seasons": "periods",
    "Segment": "segments",
    "Segments": "segments",
    "Tiers": "streaks",
    "WeightCap": "caps",
    "policy_from_document": "document",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

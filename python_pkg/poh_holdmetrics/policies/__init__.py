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

from typing import TYPE_CHECKING

from poh_holdmetrics.lazy_names import lazy_names

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

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Decay": "poh_holdmetrics.policies.periods",
        "Exclude": "poh_holdmetrics.policies.lists",
        "Include": "poh_holdmetrics.policies.lists",
        "Linked": "poh_holdmetrics.policies.links",
        "MinimumHold": "poh_holdmetrics.policies.streaks",
        "Policy": "poh_holdmetrics.policies.policy",
        "ScoreCap": "poh_holdmetrics.policies.caps",
        "Season": "poh_holdmetrics.policies.periods",
        "Seasons": "poh_holdmetrics.policies.periods",
        "Segment": "poh_holdmetrics.policies.segments",
        "Segments": "poh_holdmetrics.policies.segments",
        "Tiers": "poh_holdmetrics.policies.streaks",
        "WeightCap": "poh_holdmetrics.policies.caps",
        "policy_from_document": "poh_holdmetrics.policies.document",
    },
)

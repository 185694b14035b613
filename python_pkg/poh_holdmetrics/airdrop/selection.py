"""Which scores count in a round, and whose they are: exclusions, wallets, the least score, duplicates.

The same rules as in the service, in plain Python; amounts are computed in `allocation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from poh_holdmetrics.airdrop.keccak import checksummed
from poh_holdmetrics.airdrop.units import steps_from_score
from poh_holdmetrics.errors import InputError, excerpt


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The conditions; two are equal if they mean the same."""

    excluded: frozenset[str]
    owners: Mapping[str, str]
    """From wallets to holders."""
    min_score: int
    merge_duplicates: bool

    @classmethod
    def of(
        cls,
        *,
        exclude: Iterable[str],
        holders: Mapping[str, str],
        min_score: int,
        merge_duplicates: bool,
    ) -> Self:
        """The conditions of a request; raises `InputError` for a wallet that is given twice."""
        owners: dict[str, str] = {}
        for wallet, holder in sorted(holders.items()):
            key = address_or_text(wallet)
            if key in owners:
                raise InputError(
                    "holders", f"wallet {excerpt(wallet)} has two holders (keep one of its lines)"
                )
            owners[key] = holder
        return cls(
            excluded=frozenset(map(address_or_text, exclude)),
            owners=owners,
            min_score=min_score,
            merge_duplicates=merge_duplicates,
        )


@dataclass(kw_only=True)
class Selected:
    """Scores in steps of 1e-24 by address, and what became of the others."""

    steps: dict[str, int] = field(default_factory=dict)
    holders: int = 0
    excluded: int = 0
    merged: int = 0
    below_min_score: int = 0
    without_score: int = 0


def select(scores: Iterable[tuple[str, str]], selection: Selection) -> Selected:
    """Choose and add up; raises `InputError` that names a holder without an address."""
    excluded, owners, min_score = selection.excluded, selection.owners, selection.min_score
    found = Selected()
    own: dict[str, str] = {}
    for holder_id, score in scores:
        found.holders += 1
        key = address_or_text(holder_id)
        owner = checksummed(owners[key]) if key in owners else key
        if key in excluded or owner in excluded:
            found.excluded += 1
            continue
        address = checksummed(owner)
        if key not in owners:
            if address in own and not selection.merge_duplicates:
                same = f"{excerpt(own[address])} and {excerpt(holder_id)} are one address"
                raise InputError("holder_id", f"{same} (merge_duplicates adds their scores)")
            own[address] = holder_id
        found.merged += address in found.steps
        found.steps[address] = found.steps.get(address, 0) + steps_from_score(score)
    found.below_min_score = sum(steps < min_score for steps in found.steps.values())
    kept = {address: steps for address, steps in found.steps.items() if steps >= min_score}
    found.steps = {address: steps for address, steps in kept.items() if steps}
    found.without_score = len(kept) - len(found.steps)
    return found


def address_or_text(holder_id: str) -> str:
    """What ids are compared by: the address, or the text of what is not one."""
    try:
        return checksummed(holder_id)
    except InputError:
        return holder_id

"""Which scores count in a round, and whose they are: exclusions, wallets, the least score, duplicates.

The same rules as in the service, in plain Python; amounts are computed in `allocation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from poh_holdmetrics.airdrop.keccak import checksummed
from poh_holdmetrics.airdrop.units import steps_from_score
from poh_holdmetrics.errors import InputError, excerpt


@dataclass(kw_only=True)
class Selected:
    """Scores in steps of 1e-24 by address, and what became of the others."""

    steps: dict[str, int] = field(default_factory=dict)
    holders: int = 0
    excluded: int = 0
    merged: int = 0
    below_min_score: int = 0
    without_score: int = 0


def select(
    scores: Iterable[tuple[str, str]],
    *,
    exclude: Iterable[str] = (),
    holders: Mapping[str, str] | None = None,
    min_score: int = 0,
    merge_duplicates: bool = False,
) -> Selected:
    """Choose and add up; raises `InputError` that names a holder without an address."""
    excluded = {_key(holder_id) for holder_id in exclude}
    owners = {_key(wallet): holder for wallet, holder in (holders or {}).items()}
    found = Selected()
    own: set[str] = set()
    for holder_id, score in scores:
        found.holders += 1
        key = _key(holder_id)
        owner = checksummed(owners[key]) if key in owners else key
        if key in excluded or owner in excluded:
            found.excluded += 1
            continue
        address = checksummed(owner)
        if key not in owners:
            if address in own and not merge_duplicates:
                problem = "is in the list in another case, too (merge_duplicates adds their scores)"
                raise InputError("holder_id", f"{excerpt(holder_id)} {problem}")
            own.add(address)
        found.merged += address in found.steps
        found.steps[address] = found.steps.get(address, 0) + steps_from_score(score)
    found.below_min_score = sum(steps < min_score for steps in found.steps.values())
    kept = {address: steps for address, steps in found.steps.items() if steps >= min_score}
    found.steps = {address: steps for address, steps in kept.items() if steps}
    found.without_score = len(kept) - len(found.steps)
    return found


def _key(holder_id: str) -> str:
    """What ids are compared by: the address, or the text of what is not one."""
    try:
        return checksummed(holder_id)
    except InputError:
        return holder_id

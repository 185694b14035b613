"""The amounts: a pool shared in proportion to scores, which sums to the pool to the last unit.

Each holder has floor(pool x weight / total); the spare units go one by one to the largest remainders, ties by
`holder_id`, bytes ascending. The native code computes the same; which scores count is decided in `selection`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from math import isqrt
from typing import Literal

from poh_holdmetrics import native
from poh_holdmetrics.airdrop.units import UNITS_END, steps_from_score
from poh_holdmetrics.errors import InputError, excerpt

Curve = Literal["linear", "square-root"]
Score = str | int | Decimal

#: The root of steps of 1e-24 is in steps of 1e-12.
_ROOT_SCALE = 10**24
#: A holder and its weight.
_Member = tuple[str, int]


@dataclass(frozen=True)
class Allocation:
    """Amounts above 0 by holder, how many get the cap, and how many are left out because of the minimum."""

    amounts: dict[str, int]
    capped: int
    below_minimum: int


def allocate(
    scores: Mapping[str, Score] | Iterable[tuple[str, Score]],
    pool: int,
    *,
    curve: Curve = "linear",
    cap: int | None = None,
    min_amount: int = 0,
) -> dict[str, int]:
    """What each holder gets of `pool`, in base units, sorted by holder; those with 0 are left out.

    Scores are weight-seconds, exact. `cap` is the most that one holder gets. A holder that would get
    less than `min_amount` is left out, and the pool is shared anew. Raises `InputError` if it cannot be.
    """
    pairs = scores.items() if isinstance(scores, Mapping) else scores
    shares = [(holder_id, steps_from_score(score)) for holder_id, score in pairs]
    return allocation_of(shares, pool, curve=curve, cap=cap, min_amount=min_amount).amounts


def allocation_of(
    shares: Iterable[_Member], pool: int, *, curve: Curve, cap: int | None, min_amount: int
) -> Allocation:
    """The same for scores in steps of 1e-24, with what became of the holders."""
    shares = sorted(shares, key=lambda share: share[0].encode())
    if any(one[0] == other[0] for one, other in pairwise(shares)):
        raise InputError("allocate", "a holder is listed twice (add its scores)")
    for name, amount in (("pool", pool), ("cap", cap), ("min_amount", min_amount)):
        if amount is not None and not 0 <= amount < UNITS_END:
            raise InputError(
                "allocate", f"{name}: {excerpt(amount)} is not a number of base units below 2^256"
            )
    namespace = native.namespace()
    try:
        if namespace is None:
            found = _allocated(shares, pool, curve, cap, min_amount)
        else:
            texts, capped, below_minimum = namespace.allocate_pool(
                [(holder_id, str(score)) for holder_id, score in shares],
                str(pool),
                curve,
                None if cap is None else str(cap),
                str(min_amount),
            )
            amounts = {share[0]: int(text) for share, text in zip(shares, texts, strict=True)}
            found = Allocation(amounts, capped, below_minimum)
    except ValueError as refusal:
        raise InputError("allocate", str(refusal)) from refusal
    # In the order of the shares.
    amounts = {holder_id: found.amounts[holder_id] for holder_id, _ in shares if found.amounts.get(holder_id)}
    return replace(found, amounts=amounts)


def _allocated(shares: list[_Member], pool: int, curve: str, cap: int | None, min_amount: int) -> Allocation:
    """The allocation; raises ValueError with the sentences of the native code."""
    if curve not in ("linear", "square-root"):
        raise ValueError(f"curve: {excerpt(curve)} is not linear or square-root")
    if pool == 0:
        raise ValueError("pool: 0 (write an amount above 0)")
    members = [
        (holder_id, score if curve == "linear" else isqrt(score * _ROOT_SCALE)) for holder_id, score in shares
    ]
    members = [member for member in members if member[1]]
    if not members:
        raise ValueError("the scores sum to 0, so that no holder has a share of the pool")
    with_a_share = len(members)
    while True:
        amounts, capped = _shared_out(members, pool, cap)
        kept = [member for member in members if amounts[member[0]] >= min_amount]
        if not kept:
            raise ValueError(
                f"minimum: no holder gets {min_amount} base units or more "
                "(lower the minimum or raise the pool)"
            )
        if len(kept) == len(members):
            return Allocation(amounts, capped, with_a_share - len(kept))
        members = kept


def _shared_out(members: list[_Member], pool: int, cap: int | None) -> tuple[dict[str, int], int]:
    """The amounts, and how many of them are the cap."""
    total = sum(weight for _, weight in members)
    if total >= UNITS_END:
        raise ValueError(
            "the scores sum to 2^256 steps of 1e-24 or more "
            "(divide them by a constant, which changes no share)"
        )
    if cap is None:
        return _shares_of(members, pool, total), 0
    heaviest_first = sorted(members, key=lambda member: (-member[1], member[0].encode()))
    rest = pool
    for capped, (_, weight) in enumerate(heaviest_first):
        if rest * weight <= cap * total:
            amounts = dict.fromkeys((holder_id for holder_id, _ in heaviest_first[:capped]), cap)
            return amounts | _shares_of(heaviest_first[capped:], rest, total), capped
        rest -= cap
        total -= weight
    raise ValueError(
        f"cap: {len(members)} holders at {cap} base units each do not use up the pool of {pool} "
        "(raise the cap or lower the pool)"
    )


def _shares_of(members: list[_Member], pool: int, total: int) -> dict[str, int]:
    parts = [(holder_id, *divmod(pool * weight, total)) for holder_id, weight in members]
    spare = pool - sum(part[1] for part in parts)
    amounts = {holder_id: amount for holder_id, amount, _ in parts}
    for holder_id, _, _ in sorted(parts, key=lambda part: (-part[2], part[0].encode()))[:spare]:
        amounts[holder_id] += 1
    return amounts

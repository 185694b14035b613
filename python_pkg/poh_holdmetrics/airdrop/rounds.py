"""Rounds: a pool shared by the scores of one state, with its tree and a manifest of its origin.

A service seals rounds for ever (`HoldClient.seal_round`, `Context.seal_round`); `seal_round` computes the
same from a snapshot in plain Python, for tests of pipelines and for scores of one's own. Keeps nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack, cast

from poh_holdmetrics.airdrop.allocation import Curve, allocation_of
from poh_holdmetrics.airdrop.selection import Selection, address_or_text, select
from poh_holdmetrics.airdrop.trees import STANDARD, Tree, tree
from poh_holdmetrics.airdrop.units import SCORE_PLACES, plain_text, units_from_text
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.instants import Instant, text_from_us, us_from_argument
from poh_holdmetrics.version import __version__

if TYPE_CHECKING:
    from poh_holdmetrics.tracker import HoldSnapshot

_REMAINDER_RULE = (
    "floor(pool x weight / total); spare units to the largest remainders, "
    "ties by holder_id ascending by bytes"
)
#: Amounts in tokens.
Amount = str | int | Decimal


class RoundOptions(TypedDict, total=False):
    """The options of a round beside its id, its pool and the token's decimal places; amounts in tokens."""

    token_id: str
    """Scores of holding this token alone."""
    as_of: Instant
    """The first instant that does not count; the moment of sealing if left out."""
    from_: Instant
    """The first instant that counts."""
    closed_only: bool
    policy: str
    """Shares by the scores under a policy that the service publishes."""
    curve: Curve
    cap: Amount
    min_amount: Amount
    min_score: Amount
    merge_duplicates: bool
    exclude: Sequence[str]
    """Holders or addresses that get nothing."""
    holders: Mapping[str, str]
    """The holder of each wallet whose score counts for another address."""
    format: str
    """Format of the tree; `standard-v1` if left out."""
    token: str
    """Address of the token, in the leaves of `merkl`."""


@dataclass(frozen=True, kw_only=True)
class RoundPlan:
    """A request as values; plans are equal if their requests mean the same, but for the id."""

    request: Mapping[str, Any] = field(compare=False)
    as_of_us: int | None
    """None means the moment of sealing."""
    from_us: int | None
    closed_only: bool
    decimals: int
    pool: int
    cap: int | None
    min_amount: int
    curve: Curve
    selection: Selection
    format: str
    token: str | None

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Self:
        """The plan of a request of `round_request`; raises `InputError` that names the invalid field."""
        decimals: int = request["decimals"]
        as_of, from_, cap, token = (request.get(name) for name in ("as_of", "from", "cap", "token"))
        return cls(
            request=request,
            as_of_us=None if as_of is None else us_from_argument("as_of", as_of),
            from_us=None if from_ is None else us_from_argument("from", from_),
            closed_only=bool(request.get("closed_only", False)),
            decimals=decimals,
            pool=units_from_text("pool", request["pool"], decimals),
            cap=None if cap is None else units_from_text("cap", cap, decimals),
            min_amount=units_from_text("min_amount", request.get("min_amount", "0"), decimals),
            curve=request.get("curve", "linear"),
            selection=Selection.of(
                exclude=request.get("exclude", ()),
                holders=request.get("holders", {}),
                min_score=units_from_text("min_score", request.get("min_score", "0"), SCORE_PLACES),
                merge_duplicates=bool(request.get("merge_duplicates", False)),
            ),
            format=request.get("format", STANDARD),
            token=None if token is None else address_or_text(token),
        )


@dataclass(frozen=True)
class SealedRound:
    """A round that was computed here: its manifest, the amounts in base units by address, and the tree."""

    manifest: Mapping[str, Any]
    amounts: Mapping[str, int]
    tree: Tree


def round_request(
    id: str,  # noqa: A002 - the name of the field
    *,
    pool: Amount,
    decimals: int,
    **options: Unpack[RoundOptions],
) -> dict[str, Any]:
    """The request as `POST /rounds` takes it; what is left out stays out."""
    request: dict[str, Any] = {"id": id, "pool": plain_text(pool), "decimals": decimals}
    for name, value in options.items():
        if name in ("as_of", "from_"):
            request[name.rstrip("_")] = text_from_us(
                us_from_argument(name.rstrip("_"), cast("Instant", value))
            )
        elif name in ("cap", "min_amount", "min_score"):
            request[name] = plain_text(cast("Amount", value))
        elif name == "exclude":
            request[name] = list(cast("Sequence[str]", value))
        elif name == "holders":
            request[name] = dict(cast("Mapping[str, str]", value))
        else:
            request[name] = value
    return request


def seal_round(
    snapshot: HoldSnapshot,
    id: str,  # noqa: A002
    *,
    pool: Amount,
    decimals: int,
    **options: Unpack[RoundOptions],
) -> SealedRound:
    """Share the pool by the scores of a snapshot, whose window `as_of` and `from_` must not name again.

    The manifest has the fields of `GET /rounds/{id}`; the sequence number is 0, because no service was asked.
    """
    for name in ("as_of", "from_", "closed_only", "token_id", "policy"):
        if name in options:
            raise InputError(name, "the snapshot has it already (leave it out)")
    request = round_request(id, pool=pool, decimals=decimals, **options)
    return seal_plan(snapshot, RoundPlan.of(request), sealed_at_us=snapshot.columns.as_of_us)


def seal_plan(snapshot: HoldSnapshot, plan: RoundPlan, *, sealed_at_us: int) -> SealedRound:
    """The same for a plan whose window is that of the snapshot."""
    request, selection = plan.request, plan.selection
    scores = ((holder_id, score) for _, holder_id, _, score, _ in snapshot.rows())
    selected = select(scores, selection)
    shares = selected.steps.items()
    found = allocation_of(shares, plan.pool, curve=plan.curve, cap=plan.cap, min_amount=plan.min_amount)
    amounts = found.amounts
    claims = tree(amounts, plan.format, token=plan.token)
    columns = snapshot.columns
    manifest = {
        "format": "holdmetrics-round-1",
        "version": __version__,
        "id": request["id"],
        "sealed_at": text_from_us(sealed_at_us),
        "options": {
            "token_id": None,
            "as_of": text_from_us(columns.as_of_us),
            "from": None if columns.from_us is None else text_from_us(columns.from_us),
            "closed_only": columns.closed_only,
            "pool": str(plan.pool),
            "decimals": plan.decimals,
            "curve": plan.curve,
            "cap": None if plan.cap is None else str(plan.cap),
            "min_amount": str(plan.min_amount),
            "min_score": str(selection.min_score),
            "merge_duplicates": selection.merge_duplicates,
            "format": plan.format,
            "token": plan.token,
        },
        "store": {"sequence": 0, "journal_head": None},
        "policy": None,
        "exclude": _hashed(request.get("exclude", ())),
        "holders": _hashed(f"{wallet},{holder}" for wallet, holder in request.get("holders", {}).items()),
        "remainder_rule": _REMAINDER_RULE,
        "deficits": snapshot.deficits,
        "counts": {
            "holders": selected.holders,
            "excluded": selected.excluded,
            "merged": selected.merged,
            "below_min_score": selected.below_min_score,
            "without_score": selected.without_score,
            "below_min_amount": found.below_minimum,
            "without_amount": len(shares) - found.below_minimum - len(amounts),
            "capped": found.capped,
            "recipients": len(amounts),
        },
        "sum": str(sum(amounts.values())),
        "root": claims.root,
        "list_sha256": hashlib.sha256(_csv(amounts)).hexdigest(),
    }
    return SealedRound(manifest, amounts, claims)


def _hashed(lines: Iterable[str]) -> dict[str, Any] | None:
    distinct = sorted(set(lines), key=str.encode)
    if not distinct:
        return None
    text = "".join(f"{line}\n" for line in distinct)
    return {"count": len(distinct), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _csv(amounts: Mapping[str, int]) -> bytes:
    """The list as `airdrop allocate` writes it; an address needs no quotes."""
    lines = [f"{address},{amount}\n" for address, amount in amounts.items()]
    return f"address,amount\n{''.join(lines)}".encode()

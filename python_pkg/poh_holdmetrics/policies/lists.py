"""Who and what counts: lists of holders and tokens to leave out, or to count alone.

>>> Exclude(holders={"0xdead"}).document()
{'holders': ['0xdead'], 'tokens': []}
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.policies.pieces import Holdings
from poh_holdmetrics.policies.values import ids_from


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lists:
    """Holders, tokens, or both."""

    kind: ClassVar[str]
    multiplies: ClassVar[bool] = False

    holders: Collection[str] = ()
    tokens: Collection[str] = ()

    def __post_init__(self) -> None:
        for name in ("holders", "tokens"):
            object.__setattr__(self, name, ids_from(f"{self.kind}: {name}", getattr(self, name)))
        if not self.holders and not self.tokens:
            raise InputError(self.kind, "no holders and no tokens; list at least one of them")

    def document(self) -> dict[str, object]:
        """The parameters, each in its one spelling."""
        return {"holders": list(self.holders), "tokens": list(self.tokens)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Exclude(_Lists):
    """Leaves out the keys of these holders, and those of these tokens."""

    kind: ClassVar[str] = "exclude"

    def apply(self, holdings: Holdings, as_of_us: int) -> Holdings:  # noqa: ARG002 - any step's signature
        """The holdings without the keys that are listed."""
        holders, tokens = set(self.holders), set(self.tokens)
        return {
            (holder_id, token_id): pieces
            for (holder_id, token_id), pieces in holdings.items()
            if holder_id not in holders and token_id not in tokens
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Include(_Lists):
    """Counts nothing but keys of these holders, if any are listed, and of these tokens, if any are listed."""

    kind: ClassVar[str] = "include"

    def apply(self, holdings: Holdings, as_of_us: int) -> Holdings:  # noqa: ARG002 - any step's signature
        """The holdings of the keys that are listed."""
        holders, tokens = set(self.holders), set(self.tokens)
        return {
            (holder_id, token_id): pieces
            for (holder_id, token_id), pieces in holdings.items()
            if (not holders or holder_id in holders) and (not tokens or token_id in tokens)
        }

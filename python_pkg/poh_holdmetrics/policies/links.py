"""Wallets of one holder: their keys become keys of that holder, and their weights are added up.

>>> Linked(wallets={"ann": ["0xa2", "0xa1"]}).document()
{'wallets': {'ann': ['0xa1', '0xa2']}}
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.policies.pieces import Holdings, Piece
from poh_holdmetrics.policies.values import ids_from


@dataclass(frozen=True, kw_only=True, slots=True)
class Linked:
    """Publishes each holder of `wallets` with all that its wallets hold, and what it holds itself.

    At each instant the weights of one token are added up over the wallets, so a token that moves from one
    wallet of a holder to another has been held without a gap. It stands before the steps that multiply.
    """

    kind: ClassVar[str] = "linked"
    multiplies: ClassVar[bool] = False

    wallets: Mapping[str, Collection[str]]

    def __post_init__(self) -> None:
        if not isinstance(self.wallets, Mapping) or not self.wallets:
            raise InputError(
                "linked: wallets",
                "expected at least one holder with a list of its wallets, as in ann: [0xa1]",
            )
        names = ids_from("linked: wallets", list(self.wallets))
        wallets = {
            name: tuple(
                wallet
                for wallet in ids_from(f"linked: wallets: {excerpt(name)}", self.wallets[name])
                if wallet != name
            )
            for name in names
        }
        seen: set[str] = set()
        for wallet in [wallet for each in wallets.values() for wallet in each]:
            if wallet in seen or wallet in wallets:
                raise InputError(
                    "linked: wallets",
                    f"{excerpt(wallet)} occurs twice; a wallet has one holder, which is not a wallet itself",
                )
            seen.add(wallet)
        object.__setattr__(self, "wallets", wallets)

    def apply(self, holdings: Holdings, as_of_us: int) -> Holdings:  # noqa: ARG002 - any step's signature
        """The holdings with the wallets of a holder under its own id."""
        holder_of = {wallet: name for name, wallets in self.wallets.items() for wallet in wallets}
        parts: dict[tuple[str, str], list[list[Piece]]] = {}
        for (holder_id, token_id), pieces in holdings.items():
            parts.setdefault((holder_of.get(holder_id, holder_id), token_id), []).append(pieces)
        return {key: each[0] if len(each) == 1 else added(each) for key, each in parts.items()}

    def document(self) -> dict[str, object]:
        """The parameters, each in its one spelling."""
        return {"wallets": {name: list(wallets) for name, wallets in self.wallets.items()}}


def added(parts: list[list[Piece]]) -> list[Piece]:
    """Pieces of several wallets as those of one holder: at each instant the sum of the weights held."""
    changes: dict[int, list[int]] = {}
    for piece in (piece for pieces in parts for piece in pieces):
        for at_us, count in ((piece.start_us, 1), (piece.end_us, -1)):
            change = changes.setdefault(at_us, [0, 0])
            change[0] += count
            change[1] += count * piece.wads
    found: list[Piece] = []
    start_us = holders = wads = 0
    for at_us in sorted(changes):
        if holders:
            found.append(Piece(start_us, at_us, wads))
        start_us = at_us
        holders += changes[at_us][0]
        wads += changes[at_us][1]
    return found

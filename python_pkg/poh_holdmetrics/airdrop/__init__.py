"""Airdrops: a pool shared by score to the last unit, Merkle trees with proofs, and sealed rounds.

    amounts = allocate({"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359": "3", BOB: "1"}, pool=100)
    claims = tree(amounts)
    proof(claims, BOB)

With native code every format of one file is built; without it `standard-v1`, with the extra `airdrop`. Both
give the same amounts, roots and proofs. Imported on first use, so that importing the package costs next to
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.lazy_names import lazy_names

if TYPE_CHECKING:
    from poh_holdmetrics.airdrop.allocation import allocate
    from poh_holdmetrics.airdrop.rounds import RoundOptions, SealedRound, round_request, seal_round
    from poh_holdmetrics.airdrop.trees import Proof, Tree, proof, tree, verify

__all__ = [
    "Proof",
    "RoundOptions",
    "SealedRound",
    "Tree",
    "allocate",
    "proof",
    "round_request",
    "seal_round",
    "tree",
    "verify",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Proof": "poh_holdmetrics.airdrop.trees",
        "RoundOptions": "poh_holdmetrics.airdrop.rounds",
        "SealedRound": "poh_holdmetrics.airdrop.rounds",
        "Tree": "poh_holdmetrics.airdrop.trees",
        "allocate": "poh_holdmetrics.airdrop.allocation",
        "proof": "poh_holdmetrics.airdrop.trees",
        "round_request": "poh_holdmetrics.airdrop.rounds",
        "seal_round": "poh_holdmetrics.airdrop.rounds",
        "tree": "poh_holdmetrics.airdrop.trees",
        "verify": "poh_holdmetrics.airdrop.trees",
    },
)

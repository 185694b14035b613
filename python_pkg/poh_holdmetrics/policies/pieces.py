"""What the steps of a policy pass on: the pieces of each key, each with its weight and its multiplier.

A multiplier is a product of millionths, one factor for each step that multiplies. A streak is a run of pieces
of one key that follow each other without a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple, Protocol

from poh_holdmetrics.policies.segments import Segments


class Piece(NamedTuple):
    """Held at `wads` from `start_us` up to `end_us`, and counted `factor` times (in millionths per step)."""

    start_us: int
    end_us: int
    wads: int
    factor: int = 1


#: The pieces of each holder and token, in order of time.
Holdings = dict[tuple[str, str], list[Piece]]


class Step(Protocol):
    """One step of a policy: frozen parameters, and what they do to the pieces of all keys."""

    kind: ClassVar[str]
    """Its name in documents."""
    multiplies: ClassVar[bool]
    """Whether it multiplies each factor by a number of millionths."""

    def apply(self, holdings: Holdings, as_of_us: int) -> Holdings:
        """The holdings after this step; the given ones stay as they are."""
        ...

    def document(self) -> dict[str, object]:
        """The parameters, each in its one spelling."""
        ...


def holdings_from_segments(segments: Segments) -> Holdings:
    """The pieces of all keys, counted once."""
    holdings: Holdings = {}
    for holder_id, token_id, start_us, end_us, wads in segments:
        holdings.setdefault((holder_id, token_id), []).append(Piece(start_us, end_us, wads))
    return holdings


def streaks(pieces: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
    """The runs of pieces without a gap."""
    first = 0
    for place in range(1, len(pieces) + 1):
        if place == len(pieces) or pieces[place - 1].end_us != pieces[place].start_us:
            yield pieces[first:place]
            first = place


def multiplied(piece: Piece, cuts: Iterable[tuple[int, int]]) -> Iterator[Piece]:
    """A piece cut at instants: `cuts` are instants in order of time, each with the multiplier from there on.

    The first one is not after the beginning of the piece.
    """
    start_us, millionths = piece.start_us, 0
    for at_us, following in cuts:
        if at_us >= piece.end_us:
            break
        if at_us > start_us:
            yield Piece(start_us, at_us, piece.wads, piece.factor * millionths)
            start_us = at_us
        millionths = following
    yield Piece(start_us, piece.end_us, piece.wads, piece.factor * millionths)

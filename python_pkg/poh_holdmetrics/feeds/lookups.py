"""What exports keep in other files: the times of blocks and the decimals of tokens, in memory.

The tables are filled by `feeds.lookup_files`, which reads the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from poh_holdmetrics import instants
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.feeds.quantities import small_number

_UNKNOWN_BLOCK = "not a block whose time is known (add it to the file of --blocks)"


@dataclass(frozen=True, slots=True)
class BlockTimes:
    """The time of each block."""

    file: str
    times: Mapping[int, int]
    """In microseconds, by number."""

    def time_of_number(self, field: str, text: str, found: object) -> int | None:
        """The time of the block whose number `text` is; None if it is not a number."""
        block = small_number(text)
        if block is None:
            if not instants.NUMBER.fullmatch(text):
                return None
            # As pandas writes a column of numbers some of which are missing: 17000000.0.
            try:
                block = instants.us_from_number(field, text, "us")
            except Refused:
                block = None
        at_us = None if block is None else self.times.get(block)
        if at_us is None:
            raise Refused(field, _UNKNOWN_BLOCK, found)
        return at_us


@dataclass(frozen=True, slots=True)
class TokenDecimals:
    """The decimals of each token."""

    file: str
    decimals: Mapping[str, int]
    """By token; hexadecimal ids in lower case."""

    def of(self, token: str) -> int | None:
        """The decimals of a token; None if it is not listed."""
        return self.decimals.get(token_key(token))


@dataclass(frozen=True, slots=True)
class Lookups:
    """Both, if they are given."""

    blocks: BlockTimes | None = None
    decimals: TokenDecimals | None = None


#: Neither.
NO_LOOKUPS = Lookups()


def token_key(token: str) -> str:
    """A token as it is listed: contracts are written in any case."""
    return token.lower() if token.startswith("0x") else token

"""Raw logs of transfers, as the contracts write them.

ERC-20 and ERC-721 `Transfer`, ERC-1155 `TransferSingle` and `TransferBatch`, in the forms of the Ethereum
ABI: words of 32 bytes, big-endian, here as hexadecimal digits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from poh_holdmetrics.errors import Refused
from poh_holdmetrics.input_options import TokenKind

_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
_TRANSFER_SINGLE = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
_TRANSFER_BATCH = "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"
#: Hexadecimal digits of a word, and of the address at its end.
_WORD, _ADDRESS = 64, 40
_PARTIES, _SINGLE, _UNINDEXED = 2, 2, 3
_HEX = re.compile(r"[0-9a-fA-F]*", re.ASCII)
_CUT = "data ends within a list"

#: The number of a token, None for a fungible one, and the amount.
Items = list[tuple[str | None, str]]


@dataclass(frozen=True, slots=True)
class LoggedTransfers:
    """What a log says."""

    kind: TokenKind
    from_id: str
    to_id: str
    items: Items
    is_batch: bool = False


def logged_transfers(
    topics: Sequence[str | None], data: str | None, kind: TokenKind | None
) -> LoggedTransfers | None:
    """The transfers that a log states; None if it is about something else, or of another kind than `kind`.

    Raises `Refused` if a log of transfers is damaged.
    """
    signature, *indexed = topics
    reader = {_TRANSFER: _transfer, _TRANSFER_SINGLE: _single, _TRANSFER_BATCH: _batch}.get(
        (signature or "").lower()
    )
    if reader is None:
        return None
    words = _words("0x" if data is None else data)
    if words is None:
        raise _refused("data is not words of 32 bytes")
    found = reader(indexed, words, kind)
    return found if kind in (None, found.kind) else None


def _transfer(topics: Sequence[str | None], data: list[str], kind: TokenKind | None) -> LoggedTransfers:
    """A `Transfer`, whose number or amount is the fourth topic or the data."""
    from_id, to_id, number = topics
    if number is not None:
        words = _words(number)
        if words is None:
            raise _refused("topic3 is not a word")
        return _between("erc721", from_id, to_id, [(_number("".join(words)), "1")])
    if from_id is not None:
        if not data:
            raise _refused("data has no amount")
        return _between("erc20", from_id, to_id, [(None, _number(data[0]))])
    # Some old contracts index nothing, and only the user knows what their last word is.
    if len(data) != _UNINDEXED:
        raise _refused("data has not the three words of a log without indexed parties")
    value = _number(data[2])
    if kind == "erc20":
        return _between(kind, data[0], data[1], [(None, value)])
    if kind == "erc721":
        return _between(kind, data[0], data[1], [(value, "1")])
    raise _refused("the parties are not indexed; say --token-kind erc20 or erc721")


def _single(topics: Sequence[str | None], data: list[str], _: TokenKind | None) -> LoggedTransfers:
    if len(data) < _SINGLE:
        raise _refused("data has less than two words, the number and the amount")
    return _between("erc1155", topics[1], topics[2], [(_number(data[0]), _number(data[1]))])


def _batch(topics: Sequence[str | None], data: list[str], _: TokenKind | None) -> LoggedTransfers:
    numbers, amounts = _list(data, 0), _list(data, 1)
    if len(numbers) != len(amounts):
        raise _refused("data has not as many numbers as amounts")
    items: Items = list(zip(numbers, amounts, strict=True))
    return _between("erc1155", topics[1], topics[2], items, is_batch=True)


def _between(
    kind: TokenKind, from_id: str | None, to_id: str | None, items: Items, *, is_batch: bool = False
) -> LoggedTransfers:
    return LoggedTransfers(kind, _address(from_id), _address(to_id), items, is_batch)


def _address(word: str | None) -> str:
    """The address in the last 20 bytes of a word."""
    if word is None:
        raise _refused("a topic of a party is missing")
    digits = word.removeprefix("0x")
    if len(digits) != _WORD or not digits.isascii():
        raise _refused("a topic of a party is not a word of 32 bytes")
    return f"0x{digits[-_ADDRESS:].lower()}"


def _words(data: str) -> list[str] | None:
    digits = data.removeprefix("0x")
    if len(digits) % _WORD or not _HEX.fullmatch(digits):
        return None
    return [digits[at : at + _WORD] for at in range(0, len(digits), _WORD)]


def _number(word: str) -> str:
    """A word as decimal digits."""
    if not word or len(word.lstrip("0")) > _WORD:
        raise _refused("a number has more than 256 bits")
    return str(int(word, 16))


def _list(data: list[str], index: int) -> list[str]:
    """The list whose offset is the word at `index`."""
    if index >= len(data):
        raise _refused(_CUT)
    start = int(data[index], 16) // 32
    if start >= len(data):
        raise _refused(_CUT)
    end = start + int(data[start], 16)
    if end >= len(data):
        raise _refused(_CUT)
    return [_number(word) for word in data[start + 1 : end + 1]]


def _refused(reason: str) -> Refused:
    return Refused("amount", reason)

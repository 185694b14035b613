"""Merkle trees over amounts: built, written, read back with every hash checked, and the proof of each holder.

The native code has every format of one file. Without it there is `standard-v1`, the dump of OpenZeppelin's
`StandardMerkleTree`, computed here. The formats are specified in `docs/airdrop.md`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from poh_holdmetrics import native
from poh_holdmetrics.airdrop.keccak import checksummed, keccak256
from poh_holdmetrics.airdrop.units import UNITS_END, units_from_text
from poh_holdmetrics.errors import InputError, excerpt

STANDARD = "standard-v1"
_TYPES = ["address", "uint256"]


@dataclass(frozen=True)
class Proof:
    """What a holder shows to the contract; hashes are 0x and 64 hexadecimal digits."""

    value: tuple[str, ...]
    leaf: str
    proof: tuple[str, ...]
    root: str


class Tree(Protocol):
    """A list with its tree."""

    @property
    def format(self) -> str:
        """As in `standard-v1`."""

    @property
    def root(self) -> str:
        """What the contract keeps."""

    @property
    def sum(self) -> str | None:
        """The sum of the amounts in base units; None if the leaves have none."""

    def __len__(self) -> int: ...

    def proofs(self, holder: str) -> Sequence[str]:
        """Objects of value, leaf and proof as JSON, one for each row of a holder."""

    def dump(self) -> bytes:
        """The file in its format."""


def tree(amounts: Mapping[str, int], format: str = STANDARD, *, token: str | None = None) -> Tree:  # noqa: A002
    """The tree of amounts in base units by address; `token` is that of `merkl`. Raises `InputError`."""
    rows = [(address, str(amount)) for address, amount in amounts.items()]
    namespace = native.namespace()
    try:
        if namespace is not None:
            return namespace.MerkleTree.of_list(rows, format, token)
    except ValueError as refusal:
        raise InputError("tree", str(refusal)) from refusal
    if format != STANDARD:
        raise InputError(
            "tree",
            f"format: {excerpt(format)} needs native code, and {STANDARD} does not (see native.source())",
        )
    if token is not None:
        raise InputError("tree", "token: only merkl has the token in its leaves")
    return _StandardTree(rows)


def verify(dump: bytes | str) -> Tree:
    """Read a tree, and check every leaf, hash and sum. Raises `InputError` if something in it is wrong."""
    text = dump.encode() if isinstance(dump, str) else dump
    namespace = native.namespace()
    try:
        if namespace is not None:
            return namespace.MerkleTree.read(text)
    except ValueError as refusal:
        raise InputError("tree", str(refusal)) from refusal
    return _read(text)


def proof(tree: Tree, holder: str) -> Proof:
    """The proof of a holder, an address in any case. Raises `InputError` if it is not in the tree."""
    try:
        found = tree.proofs(holder)
    except ValueError as refusal:
        raise InputError("proof", str(refusal)) from refusal
    if len(found) != 1:
        count = "not in the tree" if not found else f"in the tree {len(found)} times"
        raise InputError("proof", f"holder: {excerpt(holder)} is {count}")
    shown = json.loads(found[0])
    value = tuple(each if isinstance(each, str) else json.dumps(each) for each in shown["value"])
    return Proof(value, shown["leaf"], tuple(shown["proof"]), tree.root)


class _StandardTree:
    """`StandardMerkleTree` over addresses and amounts, with sorted leaves."""

    format = STANDARD

    def __init__(self, rows: Sequence[tuple[str, str]]) -> None:
        if not rows:
            raise InputError("tree", "the list is empty (write a header and at least one row)")
        self._rows = rows
        self._row_of: dict[str, int] = {}
        for row, (address, amount) in enumerate(rows):
            account = checksummed(address).lower()
            if account in self._row_of:
                raise InputError("tree", f"row {row + 1}: address: {excerpt(address)} is in the list already")
            self._row_of[account] = row
            if units_from_text("amount", amount, 0) == 0:
                raise InputError("tree", f"row {row + 1}: amount: 0 (leave the line out)")
        self._sum = sum(int(amount) for _, amount in rows)
        if self._sum >= UNITS_END:
            raise InputError("tree", "amount: the amounts sum to 2^256 base units or more")
        leaves = [_leaf(address, amount) for address, amount in rows]
        order = sorted(range(len(rows)), key=leaves.__getitem__)
        count = len(rows)
        self._nodes = [b""] * (2 * count - 1)
        self._index_of_row = [0] * count
        for place, row in enumerate(order):
            index = 2 * count - 2 - place
            self._nodes[index] = leaves[row]
            self._index_of_row[row] = index
        for index in range(count - 2, -1, -1):
            pair = sorted((self._nodes[2 * index + 1], self._nodes[2 * index + 2]))
            self._nodes[index] = keccak256(b"".join(pair))

    @property
    def root(self) -> str:
        return _hex(self._nodes[0])

    @property
    def sum(self) -> str:
        return str(self._sum)

    def __len__(self) -> int:
        return len(self._rows)

    def proofs(self, holder: str) -> list[str]:
        row = self._row_of.get(checksummed(holder).lower())
        if row is None:
            return []
        index = self._index_of_row[row]
        leaf, siblings = _hex(self._nodes[index]), []
        while index > 0:
            siblings.append(_hex(self._nodes[index + 1 if index % 2 else index - 1]))
            index = (index - 1) // 2
        return [_json({"value": self._rows[row], "leaf": leaf, "proof": siblings})]

    def dump(self) -> bytes:
        values = zip(self._rows, self._index_of_row, strict=True)
        document = {
            "format": STANDARD,
            "leafEncoding": _TYPES,
            "tree": [_hex(node) for node in self._nodes],
            "values": [{"value": row, "treeIndex": index} for row, index in values],
        }
        return _json(document).encode()


def _read(text: bytes) -> Tree:
    try:
        document: Any = json.loads(text)
        if document["format"] != STANDARD or document["leafEncoding"] != _TYPES:
            raise InputError(
                "tree", f"not a {STANDARD} of address and uint256 (other formats need native code)"
            )
        rows = [(each["value"][0], each["value"][1]) for each in document["values"]]
        made = _StandardTree(rows)
        if json.loads(made.dump()) != document:
            raise InputError("tree", "a hash or a position in it is not that of its values")
    except (KeyError, TypeError, IndexError, UnicodeDecodeError, json.JSONDecodeError) as malformed:
        raise InputError("tree", f"not a dump of {STANDARD} ({malformed})") from malformed
    return made


def _leaf(address: str, amount: str) -> bytes:
    encoded = bytes.fromhex(address[2:]).rjust(32, b"\0") + int(amount).to_bytes(32)
    return keccak256(keccak256(encoded))


def _hex(node: bytes) -> str:
    return f"0x{node.hex()}"


def _json(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))

"""What immudb proves, computed again: hashes of transactions, and that a state contains an earlier one.

A state is the number of a transaction and its accumulated hash, which depends on every entry of every
transaction up to it: in a chain of hashes, and in a Merkle tree of the transactions, to which they are added
a little later. Asks no server and trusts no field of an answer that it does not hash. The algorithms are
those of immudb's own clients (RFC 6962 for the trees).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from poh_holdmetrics.protocols import immudb_pb2 as pb

_LEAF = b"\x00"
_NODE = b"\x01"
#: Attributes of entries and transactions in the order in which they are hashed.
_DELETED, _EXPIRES, _NON_INDEXABLE = b"\x00", b"\x01", b"\x02"
_TRUNCATED, _EXTRA = b"\x00", b"\x01"


class State(NamedTuple):
    """The state of a database after transaction `tx`; `tx` 0 is that of an empty one."""

    tx: int
    hash: bytes


class ProofError(Exception):
    """An answer of the server does not prove what it should; the text says what."""


def entry_digest(version: int, key: bytes, value_hash: bytes, metadata: pb.EntryMetadata | None) -> bytes:
    """The digest of an entry, whose key has the byte of its kind in front. Raises `ProofError`."""
    attributes = b"" if metadata is None else _entry_attributes(metadata)
    match version:
        case 0 if not attributes:
            return sha256(key + value_hash).digest()
        case 1:
            written = (len(attributes).to_bytes(2), attributes, len(key).to_bytes(2), key, value_hash)
            return sha256(b"".join(written)).digest()
        case _:
            raise ProofError(f"unknown version {version} of a transaction")


def entries_root(digests: Iterable[bytes]) -> bytes:
    """The root of the Merkle tree over the digests of the entries of a transaction."""
    level = [sha256(_LEAF + digest).digest() for digest in digests]
    while len(level) > 1:
        paired = [sha256(_NODE + left + right).digest() for left, right in zip(*[iter(level)] * 2)]  # noqa: B905 - an odd last node moves up
        level = paired + level[len(paired) * 2 :]
    return level[0] if level else sha256().digest()


def state_of(header: pb.TxHeader) -> State:
    """The state that a header states. Raises `ProofError` for a header of an unknown version."""
    return State(header.id, _chained(header.previous_hash, header.id, _inner_hash(header)))


def check_contains(proof: pb.DualProof, earlier: State, later: State) -> None:
    """Raise `ProofError` unless the history of `later` begins with that of `earlier`."""
    source, target = proof.source, proof.target
    if not 0 < earlier.tx <= later.tx:
        raise ProofError(f"transaction {later.tx} cannot contain transaction {earlier.tx}")
    if state_of(source) != earlier:
        raise ProofError(f"transaction {earlier.tx} is not the one that was recorded")
    if state_of(target) != later:
        raise ProofError(f"the proof is not of transaction {later.tx}")
    size, root = target.tree_size, target.tree_root
    is_in_tree = earlier.tx < size
    last = proof.target_tree_last_hash
    proved = (
        not is_in_tree or _included(proof.inclusion, earlier.tx, size, earlier.hash, root),
        not source.tree_size or _extends(proof.consistency, source.tree_size, size, source.tree_root, root),
        not size or _last_included(proof.last_inclusion, last, root),
        _linear(proof.linear, State(size, last) if is_in_tree else earlier, later),
        _advances(
            proof.linear_advance, source.tree_size, earlier if is_in_tree else State(size, last), size, root
        ),
    )
    if not all(proved):
        raise ProofError(f"the state of transaction {later.tx} does not contain that of {earlier.tx}")


def _entry_attributes(metadata: pb.EntryMetadata) -> bytes:
    expires = metadata.expiration.expires_at if metadata.HasField("expiration") else None
    return b"".join(
        (
            _DELETED if metadata.deleted else b"",
            b"" if expires is None else _EXPIRES + expires.to_bytes(8, signed=True),
            _NON_INDEXABLE if metadata.non_indexable else b"",
        )
    )


def _inner_hash(header: pb.TxHeader) -> bytes:
    if header.version == 0:
        entries = struct.pack(">H", header.entries)
    elif header.version == 1:
        attributes = b""
        if header.metadata.truncated_tx:
            attributes += _TRUNCATED + header.metadata.truncated_tx.to_bytes(8)
        if header.metadata.extra:
            attributes += _EXTRA + len(header.metadata.extra).to_bytes(2) + header.metadata.extra
        entries = struct.pack(">H", len(attributes)) + attributes + struct.pack(">I", header.entries)
    else:
        raise ProofError(f"unknown version {header.version} of a transaction")
    return sha256(
        struct.pack(">qH", header.ts, header.version)
        + entries
        + header.entries_root
        + header.tree_size.to_bytes(8)
        + header.tree_root
    ).digest()


def _chained(previous: bytes, tx: int, inner_hash: bytes) -> bytes:
    return sha256(tx.to_bytes(8) + previous + inner_hash).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()


def _included(terms: Sequence[bytes], tx: int, size: int, tx_hash: bytes, root: bytes) -> bool:
    if not 0 < tx <= size or (tx < size and not terms):
        return False
    index, last = tx - 1, size - 1
    found = sha256(_LEAF + tx_hash).digest()
    for term in terms:
        found = _node(found, term) if index % 2 == 0 and index != last else _node(term, found)
        index, last = index // 2, last // 2
    return found == root


def _extends(terms: Sequence[bytes], size: int, later_size: int, root: bytes, later_root: bytes) -> bool:
    if not 0 < size <= later_size or (size < later_size and not terms):
        return False
    if not terms:
        return root == later_root
    index, last = size - 1, later_size - 1
    while index % 2:
        index, last = index // 2, last // 2
    found = later_found = terms[0]
    for term in terms[1:]:
        if index % 2 or index == last:
            found, later_found = _node(term, found), _node(term, later_found)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            later_found = _node(later_found, term)
        index, last = index // 2, last // 2
    return found == root and later_found == later_root


def _last_included(terms: Sequence[bytes], last: bytes, root: bytes) -> bool:
    found = sha256(_LEAF + last).digest()
    for term in terms:
        found = _node(term, found)
    return found == root


def _linear(proof: pb.LinearProof, earlier: State, later: State) -> bool:
    if (proof.source_tx, proof.target_tx) != (earlier.tx, later.tx):
        return False
    if len(proof.terms) != later.tx - earlier.tx + 1 or proof.terms[0] != earlier.hash:
        return False
    found = proof.terms[0]
    for tx, term in enumerate(proof.terms[1:], earlier.tx + 1):
        found = _chained(found, tx, term)
    return found == later.hash


def _advances(proof: pb.LinearAdvanceProof, first: int, end: State, size: int, root: bytes) -> bool:
    """Whether the transactions between `first` and `end` entered the tree as the chain has them."""
    count = end.tx - first
    if count <= 1:
        return count >= 0
    if len(proof.terms) != count or len(proof.inclusion_proofs) != count - 1:
        return False
    found = proof.terms[0]
    for tx, term, included in zip(
        range(first + 1, end.tx), proof.terms[1:], proof.inclusion_proofs, strict=True
    ):
        if not _included(included.terms, tx, size, found, root):
            return False
        found = _chained(found, tx + 1, term)
    return found == end.hash

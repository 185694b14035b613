"""Writes to immudb that are verified: what the server answers must prove that it stored what it was given.

Each transaction is hashed again from the entries that were sent, and its state must contain the last verified
one, which is remembered in a file if one is given. A server that was rewound, or that has another history, is
found at the next call. Used by one thread at a time; reads are not verified, see `audit.history`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TypeVar

from poh_holdmetrics.errors import InputError, StorageError
from poh_holdmetrics.storage.immudb_client import ImmudbClient, SessionLost
from poh_holdmetrics.storage.immudb_proofs import (
    ProofError,
    State,
    check_contains,
    entries_root,
    entry_digest,
    state_of,
)

_Answer = TypeVar("_Answer")

#: Entries of one transaction, which a server refuses to exceed by default, and their bytes.
BULK = 1_024
_BULK_BYTES = 8 << 20
#: The byte of their kind that immudb puts in front of keys and of values.
PLAIN = b"\x00"


class Ledger:
    """The database of a client, with the last state that was verified."""

    def __init__(self, client: ImmudbClient, state_file: Path | None) -> None:
        """Without a file, the state of the first call is trusted, and remembered as long as this object."""
        self.client = client
        self._state_file = state_file
        self._state = None if state_file is None else read_state(state_file)

    def call(self, question: Callable[[Ledger], _Answer]) -> _Answer:
        """The answer to a question, in a session in which the state was verified.

        Raises `StorageError` if the server refuses or what it answers is not proved, `StorageUnavailable`.
        """
        try:
            try:
                self.verified_state()
                return question(self)
            except SessionLost:
                # It expired, or the server was started again: what a question writes is written once.
                self.verified_state()
                return question(self)
        except ProofError as error:
            # The next call verifies again, and is refused again.
            self.client.drop_session()
            raise StorageError(
                self.client.name,
                f"{error}; the server was rewound, or is not the one that was written to before",
            ) from error

    def verified_state(self) -> State:
        """The last verified state; in a new session the present one, which must contain the one before.

        Raises `ProofError`.
        """
        if self._state is None or not self.client.has_session:
            self.client.open_session()
            try:
                self.verify_present()
            except StorageError:
                self.client.drop_session()
                raise
        assert self._state is not None  # noqa: S101 - it was verified above
        return self._state

    def verify_present(self) -> State:
        """Verify and remember the present state. Raises `ProofError`."""
        answer = self.client.state()
        present, earlier = State(answer.tx, answer.hash), self._state
        if earlier is not None and present != earlier:
            if present.tx < earlier.tx:
                raise ProofError(f"{present.tx} transactions, fewer than the {earlier.tx} recorded")
            if earlier.tx:
                proof = self.client.verifiable_tx(present.tx, earlier.tx).dual_proof
                check_contains(proof, earlier, present)
        self._remember(present)
        return present

    def write(self, entries: Sequence[tuple[bytes, bytes]]) -> int:
        """Write entries of different keys, leaving out those that are there; returns how many were new.

        Raises `StorageError` if a key is there with another value, and `ProofError`.
        """
        fresh = 0
        waiting = iter(entries)
        while bulk := _bulk(waiting):
            fresh += self._write_bulk(bulk)
        if fresh:
            self._keep()
        return fresh

    def delete(self, keys: Sequence[bytes]) -> None:
        """Delete keys logically. Raises `ProofError`."""
        for begin in range(0, len(keys), BULK):
            self.client.delete(keys[begin : begin + BULK])
        self.verify_present()

    def _write_bulk(self, bulk: list[tuple[bytes, bytes]]) -> int:
        earlier = self.verified_state()
        while bulk:
            answer = self.client.verifiable_set(bulk, earlier.tx)
            if answer is not None:
                break
            found = {entry.key: entry.value for entry in self.client.existing([key for key, _ in bulk])}
            for key, value in bulk:
                if found.get(key, value) != value:
                    raise StorageError(
                        self.client.name, f"{key.decode()}: overwritten with another value; run audit verify"
                    )
            bulk = [(key, value) for key, value in bulk if key not in found]
        else:
            return 0
        header = answer.tx.header
        root = entries_root(
            entry_digest(header.version, PLAIN + key, sha256(PLAIN + value).digest(), None)
            for key, value in bulk
        )
        if header.entries != len(bulk) or header.entries_root != root:
            raise ProofError(f"transaction {header.id} does not contain what was written")
        written = state_of(header)
        if earlier.tx:
            check_contains(answer.dual_proof, earlier, written)
        self._state = written
        return len(bulk)

    def _remember(self, state: State) -> None:
        is_new = state != self._state
        self._state = state
        if is_new:
            self._keep()

    def _keep(self) -> None:
        if self._state_file is not None and self._state is not None:
            write_state(self._state_file, self._state)


def read_state(path: Path) -> State | None:
    """The state in a file, None if there is no file. Raises `InputError`."""
    try:
        document = json.loads(path.read_bytes())
        state = State(int(document["tx"]), bytes.fromhex(document["hash"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(str(path), "not a recorded state of immudb; restore it from a copy") from error
    if state.tx < 0 or len(state.hash) != sha256().digest_size:
        raise InputError(str(path), "not a recorded state of immudb; restore it from a copy")
    return state


def write_state(path: Path, state: State) -> None:
    """Replace the file as a whole, also if the machine fails meanwhile. Raises `InputError`."""
    made = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with made.open("w", encoding="utf-8") as file:
            json.dump({"tx": state.tx, "hash": state.hash.hex()}, file)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error


def _bulk(waiting: Iterator[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    bulk: list[tuple[bytes, bytes]] = []
    size = 0
    for entry in islice(waiting, BULK):
        bulk.append(entry)
        size += len(entry[1])
        if size >= _BULK_BYTES:
            break
    return bulk

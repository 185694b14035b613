"""The whole history of a database of immudb, from its first transaction, every hash computed again.

The entries of a transaction are hashed with their values, the transactions are chained, and the chain must
end with the state that the server states and contain the state that was recorded earlier. So no entry can be
added, left out, altered or moved without another final hash. Compares with nothing else; see `comparison`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from poh_holdmetrics.audit.difference import Difference
from poh_holdmetrics.errors import excerpt
from poh_holdmetrics.storage.immudb_entries import record_from_entry
from poh_holdmetrics.storage.immudb_ledger import PLAIN
from poh_holdmetrics.storage.immudb_proofs import (
    ProofError,
    State,
    check_contains,
    entries_root,
    entry_digest,
    state_of,
)

if TYPE_CHECKING:
    from poh_holdmetrics.protocols import immudb_pb2 as pb
    from poh_holdmetrics.storage.immudb_client import ImmudbClient
    from poh_holdmetrics.validation import Record

#: Transactions of the first page, and entries that later pages aim at.
_FIRST_PAGE = 16
_PAGE_ENTRIES = 16_384
_PAGE_MAX = 1_000


@dataclass(slots=True)
class History:
    """What a database holds at a verified state."""

    prefix: bytes
    state: State
    events: dict[bytes, Record] = field(default_factory=dict)
    """The events that can be read, by their keys."""
    deleted: dict[bytes, int] = field(default_factory=dict)
    """The keys that were deleted logically, and the transaction that did it."""


def read_history(
    client: ImmudbClient, prefix: bytes, recorded: State | None, progress: Callable[[int, int], None]
) -> History:
    """Read and verify everything up to the present state; `progress` is told transactions done and in all.

    Raises `Difference` of kind proof or value at the first one.
    """
    answer = client.state()
    history = History(prefix, State(answer.tx, answer.hash))
    try:
        _check_recorded(client, recorded, history.state)
        _read(client, history, recorded, progress)
    except ProofError as error:
        raise Difference("proof", str(error)) from error
    return history


def _read(
    client: ImmudbClient, history: History, recorded: State | None, progress: Callable[[int, int], None]
) -> None:
    previous: State | None = None
    for tx in _transactions(client, history.state.tx):
        # The entries whose value cannot be read, as expired ones, are left out of the page.
        is_whole = len(tx.entries) == tx.header.entries
        entries = tx.entries if is_whole else client.digests(tx.header.id).entries
        present = _verified(tx.header, entries, previous)
        if recorded is not None and present.tx == recorded.tx and present != recorded:
            raise ProofError(f"transaction {present.tx} is not the one that was recorded")
        for entry in entries:
            if entry.key.startswith(PLAIN + history.prefix):
                _apply(history, present.tx, entry)
        previous = present
        progress(present.tx, history.state.tx)
    if previous is not None and previous != history.state:
        raise ProofError("the last transaction is not that of the stated state")


def _check_recorded(client: ImmudbClient, recorded: State | None, present: State) -> None:
    if recorded is None or recorded.tx == 0:
        return
    if present.tx < recorded.tx:
        raise ProofError(f"{present.tx} transactions, fewer than the {recorded.tx} recorded")
    check_contains(client.verifiable_tx(present.tx, recorded.tx).dual_proof, recorded, present)


def _transactions(client: ImmudbClient, last: int) -> Iterator[pb.Tx]:
    first, limit = 1, _FIRST_PAGE
    while first <= last:
        page = client.transactions(first, min(limit, last - first + 1))
        if [tx.header.id for tx in page] != list(range(first, first + len(page))) or not page:
            raise ProofError(f"transaction {first} or one soon after it is not there")
        yield from page
        first += len(page)
        entries = sum(len(tx.entries) for tx in page)
        limit = max(1, min(_PAGE_MAX, _PAGE_ENTRIES * len(page) // max(entries, 1)))


def _verified(header: pb.TxHeader, entries: Sequence[pb.TxEntry], previous: State | None) -> State:
    root = entries_root(
        entry_digest(
            header.version,
            entry.key,
            entry.value_hash,
            entry.metadata if entry.HasField("metadata") else None,
        )
        for entry in entries
    )
    if len(entries) != header.entries or root != header.entries_root:
        raise ProofError(f"the entries of transaction {header.id} are not those of its hash")
    if previous is not None and header.previous_hash != previous.hash:
        raise ProofError(f"transaction {header.id} does not follow transaction {previous.tx}")
    return state_of(header)


def _apply(history: History, tx: int, entry: pb.TxEntry) -> None:
    key = entry.key[len(PLAIN) :]
    if entry.metadata.deleted:
        history.events.pop(key, None)
        history.deleted[key] = tx
        return
    if sha256(entry.value).digest() != entry.value_hash:
        raise ProofError(
            f"the value of {excerpt(key.decode(errors='replace'))} was not sent, or is another one"
        )
    is_plain = entry.value.startswith(PLAIN) and not entry.HasField("metadata")
    value = entry.value.removeprefix(PLAIN)
    record = record_from_entry(key, history.prefix, value) if is_plain else None
    if record is None:
        before = history.events.get(key)
        shown = excerpt(value.decode(errors="replace"))
        what = f"overwrote {event_text(before)}" if before else f"wrote to {key.decode(errors='replace')}"
        raise Difference("value", f"transaction {tx} {what} with {shown}, which is not the event of this key")
    history.events[key] = record
    history.deleted.pop(key, None)


def event_text(record: Record) -> str:
    """An event as differences name it."""
    times = {"start_us": record.start_us, "end_us": record.end_us, "at_us": record.at_us}
    known = [f"{name} {value}" for name, value in times.items() if value is not None]
    if record.event_id is not None:
        known.append(f"event_id {excerpt(record.event_id)} revision {record.revision}")
    return f"event of token_id {excerpt(record.token_id)}, holder_id {excerpt(record.holder_id)}" + "".join(
        f", {each}" for each in known
    )

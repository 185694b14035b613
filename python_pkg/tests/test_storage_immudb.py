"""The immudb storage against a real server that is killed, rewound, replaced, and overwritten."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("grpc", reason="no grpcio: pip install 'poh-holdmetrics[immudb]'")

from conftest import PRESENT
from poh_holdmetrics import HoldEvent
from poh_holdmetrics.errors import InputError, StorageError, StorageUnavailable
from poh_holdmetrics.protocols import immudb_pb2 as pb
from poh_holdmetrics.storage import storage_from_url
from poh_holdmetrics.storage.immudb import ImmudbStorage
from poh_holdmetrics.storage.immudb_client import Address, ImmudbClient
from poh_holdmetrics.storage.immudb_entries import key_from_record, key_prefix, value_from_record
from poh_holdmetrics.storage.immudb_proofs import ProofError, State, check_contains, state_of
from servers.immudb import Immudb, immudb_program

if TYPE_CHECKING:
    from google.protobuf.message import Message

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(PRESENT != "none", reason="no scores here: runs where there is no native code"),
]


def events(count: int, first: int = 0) -> list[HoldEvent]:
    return [
        HoldEvent.model_validate({"token_id": "T", "holder_id": f"h{i}", "start": i})
        for i in range(first, first + count)
    ]


@pytest.fixture
def immudb(tmp_path: Path) -> Iterator[Immudb]:
    """A server of the test's own, which may kill it."""
    server = Immudb(immudb_program(), tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def client(immudb: Immudb) -> Iterator[ImmudbClient]:
    """What anybody with the password can do, past the storage."""
    found = ImmudbClient(Address.of(immudb.url()), timeout_seconds=5)
    found.open_session()
    yield found
    found.close()


def overwrite(client: ImmudbClient, key: bytes, value: bytes) -> None:
    request = pb.SetRequest(entries=[pb.KeyValue(key=key, value=value)])
    client._call("Set", request, pb.TxHeader)


async def scanned(storage: ImmudbStorage) -> set[object]:
    return {event.record() async for event in storage.scan()}


def test_a_bulk_write_that_the_server_did_not_survive_is_completed(immudb: Immudb, tmp_path: Path) -> None:
    state = tmp_path / "state"

    async def scenario() -> None:
        sent = events(20_000)
        async with ImmudbStorage(immudb.url(state=state)) as storage:
            async with ImmudbStorage(immudb.url()) as observer:
                saving = asyncio.create_task(storage.save_events(sent))
                while not await observer.count():
                    pass
                await asyncio.to_thread(immudb.kill)
                with pytest.raises(StorageUnavailable):
                    await saving
            await asyncio.to_thread(immudb.start)
            # What was verified before the kill is still there, or this would raise.
            fresh = await storage.save_events(sent)
            assert 0 < fresh < len(sent)
            assert await scanned(storage) == {event.record() for event in sent}
            assert await storage.save_events(sent) == 0

    asyncio.run(scenario())


def test_a_session_that_the_server_forgot_is_opened_again(immudb: Immudb) -> None:
    async def scenario() -> None:
        async with ImmudbStorage(immudb.url()) as storage:
            await storage.save_events(events(3))
            client = storage._ledger.client
            client._session = (("sessionid", "unknown"),)
            assert await storage.save_events(events(5)) == 2
            await asyncio.to_thread(immudb.kill)
            with pytest.raises(StorageUnavailable):
                await storage.count()
            await asyncio.to_thread(immudb.start)
            assert await storage.count() == 5

    asyncio.run(scenario())


@pytest.mark.parametrize("remembered_by", ["file", "object"])
def test_a_server_that_was_rewound_is_refused(immudb: Immudb, tmp_path: Path, remembered_by: str) -> None:
    state = tmp_path / "state"
    copy = tmp_path / "copy"

    async def scenario() -> None:
        storage = ImmudbStorage(immudb.url(), state_file=state if remembered_by == "file" else None)
        await storage.save_events(events(3))
        await asyncio.to_thread(immudb.kill)
        immudb.copy_data(copy)
        await asyncio.to_thread(immudb.start)
        await storage.save_events(events(3, 10))
        if remembered_by == "file":
            await storage.close()
            storage = ImmudbStorage(immudb.url(state=state))
        await asyncio.to_thread(immudb.kill)
        immudb.replace_data(copy)
        await asyncio.to_thread(immudb.start)
        with pytest.raises(StorageError, match=r"fewer than the \d+ recorded; the server was rewound"):
            await storage.count()
        # It stays refused also when it has as many transactions again.
        async with ImmudbStorage(immudb.url()) as other:
            for first in range(100, 105):
                await other.save_events(events(1, first))
        with pytest.raises(StorageError, match="is not the one that was recorded"):
            await storage.save_events(events(1))
        await storage.close()

    asyncio.run(scenario())


def test_an_event_whose_entry_was_overwritten_is_not_taken_for_stored(
    immudb: Immudb, client: ImmudbClient
) -> None:
    first, second = events(2)
    key = key_from_record(key_prefix("hold_events"), first.record())

    async def scenario() -> None:
        async with ImmudbStorage(immudb.url()) as storage:
            await storage.save_events([first, second])
            overwrite(client, key, value_from_record(second.record()))
            with pytest.raises(StorageError, match=r"overwritten with another value; run audit verify"):
                await storage.save_events([first])
            with pytest.raises(StorageError, match=r"not the event of this key; run audit verify"):
                await storage.get_stats(as_of=1_000)

    asyncio.run(scenario())


def test_a_purged_event_can_be_saved_again(immudb: Immudb) -> None:
    async def scenario() -> None:
        async with ImmudbStorage(immudb.url()) as storage:
            await storage.save_events(events(2_000))
            assert await storage.purge(holder_id="h7") == 1
            assert await storage.count() == 1_999
            assert await storage.save_events(events(10)) == 1

    asyncio.run(scenario())


def test_the_state_file_is_written_and_a_damaged_one_refused(immudb: Immudb, tmp_path: Path) -> None:
    state = tmp_path / "state"

    async def scenario() -> None:
        async with storage_from_url(immudb.url(state=state)) as storage:
            await storage.save_events(events(1))
        document = json.loads(state.read_text())
        async with storage_from_url(immudb.url(state=state)) as storage:
            await storage.save_events(events(1, 1))
        assert json.loads(state.read_text())["tx"] == document["tx"] + 1
        other = {"tx": document["tx"], "hash": "00" * 32}
        state.write_text(json.dumps(other))
        async with asyncio.timeout(20):
            with pytest.raises(StorageError, match="is not the one that was recorded"):
                await storage_from_url(immudb.url(state=state)).start()

    asyncio.run(scenario())
    for damaged in ("", "{}", '{"tx": 1, "hash": "00"}', '{"tx": -1, "hash": "' + "00" * 32 + '"}'):
        state.write_text(damaged)
        with pytest.raises(InputError, match="not a recorded state of immudb"):
            ImmudbStorage(immudb.url(state=state))


def test_a_wrong_password_and_a_server_that_is_not_there_say_so(immudb: Immudb) -> None:
    async def scenario() -> None:
        wrong = ImmudbStorage(immudb.url().replace("immudb:immudb@", "immudb:secret@"))
        with pytest.raises(StorageError, match="invalid user name or password") as refused:
            await wrong.start()
        assert "secret" not in str(refused.value)
        await wrong.close()
        absent = ImmudbStorage("immudb://127.0.0.1:1/")
        with pytest.raises(StorageUnavailable, match=r"immudb 127\.0\.0\.1:1/defaultdb: "):
            await absent.save_events(events(1))
        await absent.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("immudb://", "expected immudb://user"),
        ("immudb://host:port/", "not an address of immudb"),
        ("immudb://host/?stat=x", "unknown or empty option 'stat'; known are state, collection"),
        ("immudb://host/?state=", "unknown or empty option 'state'"),
    ],
)
def test_an_invalid_address_is_refused(url: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        storage_from_url(url)


def headers_and_proofs(client: ImmudbClient, transactions: int) -> dict[tuple[int, int], pb.DualProof]:
    for number in range(transactions):
        overwrite(client, f"k{number}".encode(), b"v")
    return {
        (earlier, later): client.verifiable_tx(later, earlier).dual_proof
        for earlier, later in combinations(range(1, client.state().tx + 1), 2)
    }


def test_every_state_contains_every_earlier_one_and_no_altered_proof_is_accepted(
    client: ImmudbClient,
) -> None:
    proofs = headers_and_proofs(client, 12)
    states = {
        header.id: state_of(header) for each in proofs.values() for header in (each.source, each.target)
    }
    altered = 0
    for (earlier, later), proof in proofs.items():
        check_contains(proof, states[earlier], states[later])
        for other in states.values():
            if other.tx != earlier:
                with pytest.raises(ProofError):
                    check_contains(proof, other, states[later])
        with pytest.raises(ProofError):
            check_contains(proof, State(earlier, b"\0" * 32), states[later])
        for wrong in with_one_hash_altered(proof):
            altered += 1
            with pytest.raises(ProofError):
                check_contains(wrong, states[earlier], states[later])
    assert altered > len(proofs)


def with_one_hash_altered(proof: pb.DualProof) -> Iterator[pb.DualProof]:
    """Copies of a proof; the terms of the linear advance are those that the tree has not taken over yet."""
    for name in ("inclusion", "consistency", "last_inclusion", "linear.terms"):
        count = len(_terms(proof, name))
        # The inclusion of a source that the tree does not contain yet is not asked for.
        if name == "inclusion" and proof.source.id >= proof.target.tree_size:
            continue
        for index in range(count):
            wrong = pb.DualProof()
            wrong.CopyFrom(proof)
            terms = _terms(wrong, name)
            terms[index] = bytes([terms[index][0] ^ 1]) + terms[index][1:]
            yield wrong


def _terms(proof: Message, path: str) -> list[bytes]:
    found: object = proof
    for name in path.split("."):
        found = getattr(found, name)
    return found  # type: ignore[return-value] # a repeated field is as good as a list

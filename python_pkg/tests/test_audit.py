"""`audit verify` against a real immudb: what passes, and each kind of difference that it names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="no grpcio: pip install 'poh-holdmetrics[immudb]'")

from conftest import PRESENT
from poh_holdmetrics import HoldEvent
from poh_holdmetrics.audit.comparison import check_facts
from poh_holdmetrics.audit.difference import Difference
from poh_holdmetrics.audit.history import History
from poh_holdmetrics.cli import main
from poh_holdmetrics.protocols import immudb_pb2 as pb
from poh_holdmetrics.storage.immudb import ImmudbStorage
from poh_holdmetrics.storage.immudb_client import Address, ImmudbClient
from poh_holdmetrics.storage.immudb_entries import key_from_record, key_prefix, value_from_record
from poh_holdmetrics.storage.immudb_proofs import State
from servers.immudb import Immudb, immudb_program

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(PRESENT != "none", reason="no scores here: runs where there is no native code"),
]

LINES = [{"token_id": f"T{i % 3}", "holder_id": f"h{i}", "start": i * 1000, "end": 90_000} for i in range(40)]
EVENTS = [HoldEvent.model_validate(line) for line in LINES]
PREFIX = key_prefix("hold_events")


@pytest.fixture
def immudb(tmp_path: Path) -> Iterator[Immudb]:
    """A server that stores `EVENTS` in several transactions."""
    server = Immudb(immudb_program(), tmp_path)
    server.start()
    for first in range(0, len(EVENTS), 10):
        save(server, EVENTS[first : first + 10])
    yield server
    server.kill()


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in LINES))
    return str(path)


@pytest.fixture
def leaderboard(tmp_path: Path, source: str, capsys: pytest.CaptureFixture[str]) -> Path:
    """What was published from the same events."""
    assert main(["score", source, "--as-of", "1970-01-01T00:01:00Z", "--format", "json"]) == 0
    path = tmp_path / "published.json"
    path.write_text(capsys.readouterr().out)
    return path


def save(server: Immudb, events: list[HoldEvent]) -> None:
    async def saving() -> None:
        async with ImmudbStorage(server.url()) as storage:
            await storage.save_events(events)

    asyncio.run(saving())


def call(server: Immudb, method: str, request: pb.SetRequest | pb.DeleteKeysRequest) -> None:
    """What anybody with the password can do, past the storage."""
    client = ImmudbClient(Address.of(server.url()), timeout_seconds=5)
    client.open_session()
    client._call(method, request, pb.TxHeader)
    client.close()


def audited(
    capsys: pytest.CaptureFixture[str], server: Immudb, *words: str, code: int = 0
) -> dict[str, object]:
    capsys.readouterr()
    assert main(["audit", "verify", "--store", server.url(), "--json", *words]) == code
    result: dict[str, object] = json.loads(capsys.readouterr().out)
    assert result["verified"] is (code == 0)
    return result


def difference(result: dict[str, object]) -> tuple[str, str]:
    found = result["difference"]
    assert isinstance(found, dict)
    return found["kind"], found["detail"]


def test_what_was_stored_and_published_is_verified(
    immudb: Immudb, source: str, leaderboard: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "audit.state"
    words = ["--state", str(state), "--leaderboard", str(leaderboard), source]
    first = audited(capsys, immudb, *words)
    assert (first["events"], first["events_compared"], first["rows_compared"]) == (40, 40, 40)
    assert (first["since"], json.loads(state.read_text())["hash"]) == (None, first["state"])
    save(immudb, [HoldEvent.model_validate({"token_id": "other", "holder_id": "h1", "start": 70_000})])
    again = audited(capsys, immudb, *words)
    assert (again["since"], again["events"]) == (first["transactions"], 41)
    assert main(["audit", "verify", "--store", immudb.url(), *words]) == 0
    out = capsys.readouterr().out
    assert f"history: contains the recorded state of transaction {again['transactions']}\n" in out
    assert "events: all 40 of the source are stored, and no others for their tokens\n" in out


def test_an_overwritten_event_is_named(
    immudb: Immudb, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    key = key_from_record(PREFIX, EVENTS[7].record())
    value = value_from_record(EVENTS[8].record())
    call(immudb, "Set", pb.SetRequest(entries=[pb.KeyValue(key=key, value=value)]))
    kind, detail = difference(audited(capsys, immudb, source, code=1))
    assert kind == "value"
    assert 'overwrote event of token_id "T1", holder_id "h7", start_us 7000000' in detail


def test_a_deleted_event_is_missing(immudb: Immudb, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = audited(capsys, immudb, source)
    call(immudb, "Delete", pb.DeleteKeysRequest(keys=[key_from_record(PREFIX, EVENTS[5].record())]))
    kind, detail = difference(audited(capsys, immudb, source, code=1))
    assert (kind, before["deleted"]) == ("missing", 0)
    deletion = before["transactions"]
    assert isinstance(deletion, int)
    assert detail.startswith('event of token_id "T2", holder_id "h5"')
    assert detail.endswith(f"was deleted by transaction {deletion + 1}")
    save(immudb, EVENTS)
    audited(capsys, immudb, source)


def test_an_event_too_few_or_too_many_is_named(
    immudb: Immudb, tmp_path: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = tmp_path / "more.jsonl"
    more.write_text(json.dumps({"token_id": "T1", "holder_id": "new", "start": 1}))
    kind, detail = difference(audited(capsys, immudb, source, str(more), code=1))
    assert (kind, detail.endswith('holder_id "new", start_us 1000: was never stored')) == ("missing", True)
    save(immudb, [HoldEvent.model_validate({"token_id": "T1", "holder_id": "added", "start": 1})])
    kind, detail = difference(audited(capsys, immudb, source, code=1))
    assert (kind, 'holder_id "added"' in detail) == ("extra", True)


def test_a_row_that_the_stored_events_do_not_give_is_named(
    immudb: Immudb, leaderboard: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(leaderboard.read_text())
    document["holders"][3]["score"] = "1000"
    leaderboard.write_text(json.dumps(document))
    kind, detail = difference(audited(capsys, immudb, "--leaderboard", str(leaderboard), code=1))
    assert kind == "leaderboard"
    assert "row 4 of" in detail
    assert "score is '1000', and '57' by the stored events" in detail


def test_a_server_with_another_history_is_found(
    immudb: Immudb, tmp_path: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "audit.state"
    audited(capsys, immudb, "--state", str(state), source)
    recorded = state.read_text()
    (tmp_path / "other").mkdir()
    other = Immudb(immudb_program(), tmp_path / "other")
    other.start()
    try:
        save(other, EVENTS)
        kind, detail = difference(audited(capsys, other, "--state", str(state), source, code=1))
        assert (kind, "fewer than the" in detail) == ("proof", True)
        for event in EVENTS[:10]:
            call(other, "Set", pb.SetRequest(entries=[pb.KeyValue(key=event.holder_id.encode(), value=b"")]))
        kind, detail = difference(audited(capsys, other, "--state", str(state), source, code=1))
        assert (kind, "is not the one that was recorded" in detail) == ("proof", True)
    finally:
        other.kill()
    assert state.read_text() == recorded


def test_a_history_that_the_server_alters_on_its_way_is_found(
    immudb: Immudb, source: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = ImmudbClient.transactions

    def altered(client: ImmudbClient, first: int, limit: int) -> list[pb.Tx]:
        page = honest(client, first, limit)
        change(page)
        return page

    def drop_entry(page: list[pb.Tx]) -> None:
        del page[-1].entries[0]

    def alter_value(page: list[pb.Tx]) -> None:
        page[-1].entries[0].value += b" "

    def alter_value_and_hash(page: list[pb.Tx]) -> None:
        page[-1].entries[0].value_hash = b"\0" * 32

    def alter_time(page: list[pb.Tx]) -> None:
        page[-2].header.ts += 1

    def drop_transaction(page: list[pb.Tx]) -> None:
        del page[1]

    monkeypatch.setattr(ImmudbClient, "transactions", altered)
    for change in (drop_entry, alter_value, alter_value_and_hash, alter_time, drop_transaction):
        kind, _ = difference(audited(capsys, immudb, source, code=1))
        assert kind == "proof", change.__name__


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--store", "immudb://127.0.0.1:1/"], "immudb 127.0.0.1:1/defaultdb: "),
        (["--store", "mongodb://x"], "url: expected immudb://"),
        (["--store", "immudb://x", "--leaderboard", "absent.json"], "absent.json: No such file"),
    ],
)
def test_bad_arguments_end_with_2(
    words: list[str],
    error: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["audit", "verify", *words]) == 2
    assert capsys.readouterr().err.startswith(f"error: {error}")


def test_a_database_that_is_missing_is_not_created(
    immudb: Immudb, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["audit", "verify", "--store", immudb.url("absent")]) == 2
        assert "database does not exist" in capsys.readouterr().err


def hold(holder_id: str, start: int, end: int, **fields: object) -> HoldEvent:
    return HoldEvent.model_validate(
        {"token_id": "T", "holder_id": holder_id, "start": start, "end": end, **fields}
    )


def stored(*events: HoldEvent) -> History:
    return History(
        PREFIX, State(1, b""), {key_from_record(PREFIX, each.record()): each.record() for each in events}
    )


def test_a_journal_that_joined_covered_holds_states_the_same_facts() -> None:
    history = stored(hold("h", 0, 9), hold("h", 5, 20), hold("h", 6, 7), hold("h", 30, 30))
    assert check_facts(history, [hold("h", 0, 20).record()]) == 1


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ([hold("h", 0, 21)], "value"),
        ([hold("h", 0, 20, weight=2)], "value"),
        ([hold("h", 0, 20, event_id="a")], "value"),
        ([hold("h", 0, 20), hold("g", 0, 1)], "missing"),
        ([hold("g", 0, 1)], "missing"),
    ],
)
def test_a_journal_with_other_facts_is_found(source: list[HoldEvent], kind: str) -> None:
    with pytest.raises(Difference) as found:
        check_facts(stored(hold("h", 0, 9), hold("h", 5, 20)), [each.record() for each in source])
    assert found.value.kind == kind


def test_a_holder_that_the_journal_does_not_have_is_extra() -> None:
    with pytest.raises(Difference, match='extra: token_id "T", holder_id "g"'):
        check_facts(stored(hold("h", 0, 9), hold("g", 0, 9)), [hold("h", 0, 9).record()])

"""Every call of the contract, made by grpcio with the generated Python stubs."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp

from conftest import Service
from poh_holdmetrics.protocols import hold_pb2 as pb
from poh_holdmetrics.protocols.hold_pb2_grpc import HoldMetricsStub

#: No call takes longer, except those that must end by their deadline.
TIMEOUT_SECONDS = 20.0
MICROS_ABSENT = -(2**63)


@pytest.fixture
def stub(service: Service) -> Iterator[HoldMetricsStub]:
    with grpc.insecure_channel(service.grpc) as channel:
        yield HoldMetricsStub(channel)


def hold(holder_id: str, start: int | None, end: int | None, **more: object) -> pb.HoldMsg:
    message = pb.HoldMsg(token_id="T", holder_id=holder_id, **more)
    if start is not None:
        message.start.seconds = start
    if end is not None:
        message.end.seconds = end
    return message


def window(as_of: int) -> pb.Window:
    return pb.Window(as_of=Timestamp(seconds=as_of))


def test_stats_of_an_empty_store_are_one_default(stub: HoldMetricsStub) -> None:
    assert list(stub.Stats(Empty(), timeout=TIMEOUT_SECONDS)) == [pb.HoldStat()]


def test_single_events_are_recorded_or_refused(stub: HoldMetricsStub) -> None:
    ack = stub.Record(hold("a", 0, 10, weight_text="0.1"), timeout=TIMEOUT_SECONDS)
    assert (ack.sequence, ack.accepted, ack.durability) == (1, 1, pb.BUFFERED)
    with pytest.raises(grpc.RpcError) as refused:
        stub.Record(hold("a", 2, 1), timeout=TIMEOUT_SECONDS)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "end: before start"
    assert any(key == "grpc-status-details-bin" for key, _ in refused.value.trailing_metadata())
    [stat] = stub.Stats(Empty(), timeout=TIMEOUT_SECONDS)
    assert (stat.holder_id, stat.total_seconds, stat.weighted_score) == ("a", 10, 1.0)


Requests = queue.SimpleQueue[pb.FeedRequest | None]


def open_feed(
    stub: HoldMetricsStub, start: pb.FeedStart
) -> tuple[Requests, Iterator[pb.FeedBatch], pb.FeedBatch]:
    requests: Requests = queue.SimpleQueue()
    requests.put(pb.FeedRequest(start=start))
    responses = stub.Feed(iter(requests.get, None), timeout=TIMEOUT_SECONDS)
    return requests, responses, next(responses)


def read_feed(stub: HoldMetricsStub, acknowledged: int) -> list[pb.FeedEvent]:
    start = pb.FeedStart(consumer="c", from_sequence=1, token="?")
    requests, responses, opening = open_feed(stub, start)
    assert not opening.starts_from_facts
    events: list[pb.FeedEvent] = []
    last = opening.last_sequence
    while last < opening.newest_sequence:
        batch = next(responses)
        assert batch.first_sequence == last + 1
        events.extend(batch.events)
        last = batch.last_sequence
    requests.put(pb.FeedRequest(acknowledge=acknowledged))
    requests.put(None)
    assert list(responses) == [], "the call ends when the position is durable"
    return events


def test_the_feed_returns_what_was_sent_and_keeps_a_position(stub: HoldMetricsStub) -> None:
    # In memory, events are kept as long as somebody reads.
    others, other_responses, _ = open_feed(stub, pb.FeedStart())
    sent = [hold("a", 0, 10, weight_text="0.1"), hold("b", 5, None), hold("c", 1, 2)]
    list(stub.Broadcast(iter(sent), timeout=TIMEOUT_SECONDS))
    events = read_feed(stub, acknowledged=2)
    assert [event.sequence for event in events] == [1, 2, 3]
    assert [event.event for event in events] == sent
    assert [event.sequence for event in read_feed(stub, acknowledged=3)] == [3]
    assert next(other_responses).events[0] == events[0]
    others.put(None)


def test_a_stream_is_acknowledged_in_order(stub: HoldMetricsStub, service: Service) -> None:
    events = [hold("a", 0, end) for end in range(1, 501)] + [hold("", 0, 1)]
    acks = list(stub.Broadcast(iter(events), timeout=TIMEOUT_SECONDS))
    assert [ack.index for ack in acks] == list(range(501))
    assert [ack.sequence for ack in acks] == [*range(1, 501), 0]
    assert acks[-1].refused[0].field == "holder_id"

    # Messages that arrive together may share an acknowledgement: the service is stopped until all are sent.
    all_sent = threading.Event()

    def sent() -> Iterator[pb.HoldMsg]:
        yield from events
        all_sent.set()

    os.kill(service.pid, signal.SIGSTOP)
    try:
        answers = stub.Broadcast(sent(), timeout=TIMEOUT_SECONDS, metadata=[("ack-every", "100")])
        assert all_sent.wait(TIMEOUT_SECONDS)
    finally:
        os.kill(service.pid, signal.SIGCONT)
    coalesced = list(answers)
    assert sum(ack.accepted for ack in coalesced) == 500
    assert len(coalesced) < 501
    assert all(ack.accepted <= 100 for ack in coalesced)
    indices = [ack.index for ack in coalesced]
    assert indices == sorted(set(indices))
    assert indices[-1] == 500
    assert coalesced[-1].sequence in {0, 1000}


def test_batches_of_columns(stub: HoldMetricsStub) -> None:
    batch = pb.HoldBatch(
        token_id=["T"],
        holder_id=["a", "b", ""],
        start_us=[0, MICROS_ABSENT, 0],
        end_us=[10_000_000],
        weight=[0.1],
        event_id=["", "e", ""],
    )
    [first, second] = stub.BroadcastBatch(iter([batch, batch]), timeout=TIMEOUT_SECONDS)
    assert (first.sequence, first.accepted, first.refused_total) == (2, 2, 1)
    assert (second.index, second.sequence) == (1, 4)
    assert (first.refused[0].row, first.refused[0].field) == (2, "holder_id")
    board = stub.GetLeaderboard(pb.GetLeaderboardRequest(window=window(20)), timeout=TIMEOUT_SECONDS)
    assert [(row.rank, row.holder_id, row.score) for row in board.holders] == [(1, "a", "1"), (2, "b", "0")]


def transfer(from_id: str, to_id: str, event_id: str, at: int, amount: float) -> pb.TransferMsg:
    message = pb.TransferMsg(token_id="T", from_id=from_id, to_id=to_id, event_id=event_id, amount=amount)
    message.at.seconds = at
    return message


def test_changes_and_transfers(stub: HoldMetricsStub) -> None:
    mint = stub.RecordTransfer(transfer("", "a", "1", 0, 10), timeout=TIMEOUT_SECONDS)
    assert (mint.sequence, mint.accepted) == (1, 1)
    messages = [transfer("a", "b", "2", 10, 4), transfer("", "", "3", 10, 4)]
    [stored, refused] = stub.BroadcastTransfers(iter(messages), timeout=TIMEOUT_SECONDS)
    assert (stored.sequence, stored.accepted) == (3, 1)
    assert refused.refused[0].field == "from_id"
    columns = pb.TransferBatch(
        token_id=["T"],
        from_id=["a", "b"],
        to_id=["b", ""],
        at_us=[MICROS_ABSENT, 15_000_000],
        amount_text=["", "1.5"],
        event_id=["2", "4"],
        revision=[1, 0],
        retract=[True, False],
    )
    [batch] = stub.BroadcastTransferBatch(iter([columns]), timeout=TIMEOUT_SECONDS)
    assert (batch.sequence, batch.accepted, batch.refused_total) == (6, 2, 0)
    change = pb.HoldMsg(token_id="T", holder_id="b", event_id="5", delta=1.5, at=Timestamp(seconds=5))
    stub.Record(change, timeout=TIMEOUT_SECONDS)
    mark = pb.HoldMsg(token_id="T", holder_id="mark", start=Timestamp(seconds=10), seq=2)
    stop = pb.HoldMsg(token_id="T", holder_id="mark", end=Timestamp(seconds=10), seq=1)
    list(stub.Broadcast(iter([mark, stop]), timeout=TIMEOUT_SECONDS))
    board = stub.GetLeaderboard(pb.GetLeaderboardRequest(window=window(20)), timeout=TIMEOUT_SECONDS)
    assert [(row.holder_id, row.score) for row in board.holders] == [
        ("a", "200"),
        ("b", "15"),
        ("mark", "10"),
    ]


def test_questions(stub: HoldMetricsStub) -> None:
    list(
        stub.Broadcast(iter([hold("a", 0, 10), hold("b", 0, None), hold("c", 0, 5)]), timeout=TIMEOUT_SECONDS)
    )
    seen = []
    request = pb.GetSnapshotRequest(window=window(100), page_size=1)
    while True:
        page = stub.GetSnapshot(request, timeout=TIMEOUT_SECONDS)
        assert page.window.as_of.seconds == 100
        seen += [row.holder_id for row in page.holders]
        if not page.next_page_token:
            break
        request = pb.GetSnapshotRequest(page_size=1, page_token=page.next_page_token)
    assert seen == ["b", "a", "c"]

    report = stub.GetHolder(pb.GetHolderRequest(holder_id="b", window=window(100)), timeout=TIMEOUT_SECONDS)
    assert (report.holder.rank, report.holder.held_us) == (1, "100000000")
    assert not report.keys[0].segments[0].HasField("end")
    with pytest.raises(grpc.RpcError) as missing:
        stub.GetHolder(pb.GetHolderRequest(holder_id="z"), timeout=TIMEOUT_SECONDS)
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND


def test_deficits_are_listed_and_explained(stub: HoldMetricsStub) -> None:
    for holder_id in ("a", "b"):
        stub.RecordTransfer(transfer(holder_id, "c", f"from {holder_id}", 10, 2), timeout=TIMEOUT_SECONDS)
    seen = []
    request = pb.GetDeficitsRequest(as_of=Timestamp(seconds=20), page_size=1)
    while True:
        page = stub.GetDeficits(request, timeout=TIMEOUT_SECONDS)
        assert page.deficits_total == 2
        seen += [(row.holder_id, row.balance, list(row.event_ids)) for row in page.deficits]
        if not page.next_page_token:
            break
        request = pb.GetDeficitsRequest(page_size=1, page_token=page.next_page_token)
    assert seen == [("a", "-2", ["from a"]), ("b", "-2", ["from b"])]
    board = stub.GetLeaderboard(pb.GetLeaderboardRequest(window=window(20)), timeout=TIMEOUT_SECONDS)
    assert board.deficits == 2
    report = stub.GetHolder(pb.GetHolderRequest(holder_id="c", window=window(20)), timeout=TIMEOUT_SECONDS)
    changes = [(change.event_id, change.delta, change.balance) for change in report.keys[0].changes]
    assert changes == [("from a", "2", "4"), ("from b", "2", "4")]
    assert not report.keys[0].HasField("deficit")


def test_a_watch_sends_changes_until_it_is_cancelled(stub: HoldMetricsStub) -> None:
    request = pb.WatchRequest(closed_only=True, interval=Duration(nanos=100_000_000))
    changes = stub.Watch(request, timeout=TIMEOUT_SECONDS)
    assert not next(changes).changed
    stub.Record(hold("a", 0, 10), timeout=TIMEOUT_SECONDS)
    assert [row.holder_id for row in next(changes).changed] == ["a"]
    changes.cancel()
    with pytest.raises(grpc.RpcError) as ended:
        next(changes)
    assert ended.value.code() is grpc.StatusCode.CANCELLED


def test_deadlines_end_streams(stub: HoldMetricsStub) -> None:
    done = threading.Event()

    def endless() -> Iterator[pb.HoldMsg]:
        yield hold("a", 0, 1)
        done.wait(TIMEOUT_SECONDS)

    acks = stub.Broadcast(endless(), timeout=0.5)
    assert next(acks).sequence == 1
    with pytest.raises(grpc.RpcError) as ended:
        next(acks)
    done.set()
    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_cancelled_streams_leave_the_service_as_it_was(stub: HoldMetricsStub) -> None:
    done = threading.Event()

    def endless() -> Iterator[pb.HoldMsg]:
        yield hold("a", 0, 1)
        done.wait(TIMEOUT_SECONDS)

    for _ in range(300):  # more than a connection may have open at once
        acks = stub.Broadcast(endless(), timeout=TIMEOUT_SECONDS)
        next(acks)
        acks.cancel()
    done.set()
    assert stub.Record(hold("a", 0, 1), timeout=TIMEOUT_SECONDS).sequence == 301


def test_compressed_messages(service: Service) -> None:
    with grpc.insecure_channel(service.grpc, compression=grpc.Compression.Gzip) as channel:
        stub = HoldMetricsStub(channel)
        assert stub.Record(hold("a", 0, 1), timeout=TIMEOUT_SECONDS).sequence == 1
        board = stub.GetLeaderboard(pb.GetLeaderboardRequest(), timeout=TIMEOUT_SECONDS)
        assert board.holders[0].holder_id == "a"

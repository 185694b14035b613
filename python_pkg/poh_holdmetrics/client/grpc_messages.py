"""Reads the messages of the gRPC interface into results, and writes events as columns.

The counterpart of `http_answers`. Calls nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from poh_holdmetrics.api.grpc_events import MESSAGES, timestamp_from_us, us_from_timestamp, values_from_hold
from poh_holdmetrics.client.batches import Batch
from poh_holdmetrics.client.results import (
    BalanceChange,
    Deficit,
    FeedEvent,
    HeldToken,
    HolderReport,
    Leaderboard,
    PolicyVersion,
    RefusedEvent,
    Round,
    RoundProof,
    Segment,
)
from poh_holdmetrics.client.transport import FeedPage, Question, Stored
from poh_holdmetrics.data_models import HoldEvent, HoldStat
from poh_holdmetrics.instants import datetime_from_us, us_from_argument, us_from_datetime
from poh_holdmetrics.protocols import hold_pb2 as pb
from poh_holdmetrics.validation import records_from_fields

#: The value of a column of times that means absent.
_ABSENT_US = -(2**63)


def window_from_question(question: Question) -> pb.Window:
    """The window that is asked for."""
    window = pb.Window(closed_only=question.closed_only)
    if question.as_of_us is not None:
        window.as_of.CopyFrom(timestamp_from_us(question.as_of_us))
    if question.from_us is not None:
        getattr(window, "from").CopyFrom(timestamp_from_us(question.from_us))
    return window


def message_from_batch(batch: Batch) -> pb.HoldBatch | pb.TransferBatch:
    """The events in columns; a column is left out if no event has the field."""
    events: list[Any] = batch.events
    columns: dict[str, list[Any]] = {"token_id": [event.token_id for event in events]}
    fields: tuple[tuple[str, Callable[[Any], object]], ...] = (
        ("event_id", lambda event: event.event_id or ""),
        ("revision", lambda event: event.revision),
        ("retract", lambda event: event.retract),
        ("seq", lambda event: event.seq),
    )
    if batch.is_of_transfers:
        fields += (
            ("from_id", lambda event: event.from_id or ""),
            ("to_id", lambda event: event.to_id or ""),
            ("amount_text", lambda event: _text(event.amount)),
        )
        times: tuple[str, ...] = ("at",)
    else:
        columns["holder_id"] = [event.holder_id for event in events]
        fields += (
            ("weight_text", lambda event: "" if event.weight == 1 else _text(event.weight)),
            ("delta_text", lambda event: _text(event.delta)),
        )
        times = ("start", "end", "at")
    read_columns = {name: list(map(read, events)) for name, read in fields}
    columns |= {name: column for name, column in read_columns.items() if any(column)}
    for name in times:
        found = [getattr(event, name) for event in events]
        if any(time is not None for time in found):
            columns[f"{name}_us"] = [_us(name, time) for time in found]
    return pb.TransferBatch(**columns) if batch.is_of_transfers else pb.HoldBatch(**columns)


def stored_from_ack(batch: Batch, ack: pb.HoldAck) -> Stored:
    """What became of a batch."""
    refused = []
    for each in ack.refused:
        # Without a row the batch is refused as a whole.
        indexes = [batch.indexes[each.row]] if each.HasField("row") else batch.indexes
        refused += [RefusedEvent(index, each.field, each.reason) for index in indexes]
    durability = pb.Durability.Name(ack.durability) if ack.accepted else ""
    return Stored(ack.accepted, refused, ack.refused_total, ack.sequence, durability)


def leaderboard_from_message(message: pb.Leaderboard | pb.Snapshot) -> Leaderboard:
    """Holders in order."""
    policy = message.policy
    return Leaderboard(
        **_window(message.window),
        holders=tuple(map(stat_from_message, message.holders)),
        holders_total=message.holders_total,
        deficits=message.deficits,
        sequence=message.sequence,
        policy=PolicyVersion(policy.name, policy.version) if message.HasField("policy") else None,
    )


def report_from_message(message: pb.HolderReport) -> HolderReport:
    """One holder, explained."""
    return HolderReport(
        **_window(message.window),
        stat=stat_from_message(message.holder),
        deficits=message.deficits,
        tokens=tuple(map(_held_token, message.keys)),
        sequence=message.sequence,
        segments_left_out=message.segments_left_out,
        tokens_left_out=message.keys_left_out,
        changes_left_out=message.changes_left_out,
    )


def message_from_round(request: Mapping[str, Any]) -> pb.SealRoundRequest:
    """A request of `airdrop.round_request`."""
    fields = dict(request)
    for name in ("as_of", "from"):
        if name in fields:
            fields[name] = timestamp_from_us(us_from_argument(name, fields[name]))
    return pb.SealRoundRequest(**fields)


def round_from_message(message: Any) -> Round:
    """A round; its manifest is empty in a list."""
    return Round(
        id=message.id,
        sealed_at=time_from_timestamp(message.sealed_at),
        as_of=time_from_timestamp(message.as_of),
        sequence=message.sequence,
        journal_head=message.journal_head or None,
        format=message.format,
        root=message.root,
        sum=int(message.sum),
        recipients=message.recipients,
        list_sha256=message.list_sha256,
        manifest=json.loads(message.manifest) if message.manifest else None,
    )


def proof_from_message(message: Any) -> RoundProof:
    """The proof of a holder."""
    return RoundProof(
        id=message.id,
        format=message.format,
        value=tuple(message.value),
        amount=int(message.amount),
        leaf=message.leaf,
        proof=tuple(message.proof),
        root=message.root,
    )


def deficit_from_message(message: pb.Deficit) -> Deficit:
    """One key below 0."""
    return Deficit(
        token_id=message.token_id,
        holder_id=message.holder_id,
        at=time_from_timestamp(message.at),
        balance=Decimal(message.balance),
        event_ids=tuple(message.event_ids),
        event_ids_left_out=message.event_ids_left_out,
    )


def feed_page_from_message(message: pb.FeedBatch) -> FeedPage:
    """A response of a feed; while facts are sent they are covered with the last of them only."""
    is_fact = message.is_from_facts
    events = []
    for each in message.events:
        (record,) = records_from_fields(MESSAGES, *values_from_hold(each.event))
        events.append(FeedEvent(each.sequence, HoldEvent.from_record(record), is_fact))
    is_within_facts = (
        is_fact or message.starts_from_facts
    ) and message.last_sequence < message.first_sequence
    return FeedPage(events, None if is_within_facts else message.last_sequence, message.newest_sequence)


def stat_from_message(row: pb.HolderScore) -> HoldStat:
    """One holder."""
    return HoldStat.from_row((row.rank, row.holder_id, int(row.held_us), row.score, row.weighted_score))


def time_from_timestamp(timestamp: object) -> datetime:
    """An aware datetime."""
    return datetime_from_us(us_from_timestamp("", timestamp))


def _window(window: pb.Window) -> dict[str, Any]:
    since = getattr(window, "from") if window.HasField("from") else None
    return {
        "as_of": time_from_timestamp(window.as_of),
        "from_": None if since is None else time_from_timestamp(since),
        "closed_only": window.closed_only,
    }


def _held_token(key: pb.KeySegments) -> HeldToken:
    return HeldToken(
        token_id=key.token_id,
        segments=tuple(
            Segment(
                time_from_timestamp(each.start),
                time_from_timestamp(each.end) if each.HasField("end") else None,
                Decimal(each.weight),
            )
            for each in key.segments
        ),
        changes=tuple(
            BalanceChange(
                time_from_timestamp(each.at), each.event_id, Decimal(each.delta), Decimal(each.balance)
            )
            for each in key.changes
        ),
        deficit=deficit_from_message(key.deficit) if key.HasField("deficit") else None,
    )


def _text(decimal: Decimal | None) -> str:
    return "" if decimal is None else f"{decimal:f}"


def _us(name: str, time: datetime | None) -> int:
    return _ABSENT_US if time is None else us_from_datetime(name, time)

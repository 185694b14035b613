"""Reads the JSON of the HTTP interface into results, and writes events as JSON.

Raises KeyError, TypeError or ValueError for a document of another form; `http_transport` makes a sentence of
it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

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
from poh_holdmetrics.client.transport import Question, Stored
from poh_holdmetrics.data_models import HoldEvent, HoldStat, Transfer
from poh_holdmetrics.instants import text_from_us
from poh_holdmetrics.row_reader import records_from_json

Document = Mapping[str, Any]

#: A text as JSON; its other characters stay as they are.
_QUOTED = json.JSONEncoder(ensure_ascii=False).encode


def parameters_from_question(question: Question) -> dict[str, str]:
    """The query parameters of a question; what is not set is left out."""
    given = {
        "as_of": None if question.as_of_us is None else text_from_us(question.as_of_us),
        "from": None if question.from_us is None else text_from_us(question.from_us),
        "closed_only": "true" if question.closed_only else None,
        "token_id": question.token_id,
        "policy": question.policy,
    }
    return {name: value for name, value in given.items() if value is not None}


def json_from_batch(batch: Batch) -> bytes:
    """An array of the events, as text: `json.dumps` of documents takes nearly twice as long."""
    texts = [
        _json_from_transfer(event) if isinstance(event, Transfer) else _json_from_hold(event)
        for event in batch.events
    ]
    return f"[{','.join(texts)}]".encode()


def stored_from_document(batch: Batch, document: Document) -> Stored:
    """What became of a batch."""
    refused = [
        RefusedEvent(batch.indexes[each["index"]], each["field"] or "", each["reason"])
        for each in document["refused"]
    ]
    accepted, total, sequence = document["accepted"], document["refused_total"], document["sequence"]
    return Stored(accepted, refused, total, sequence, document["durability"] if accepted else "")


def leaderboard_from_document(document: Document) -> Leaderboard:
    """Holders in order."""
    policy = document.get("policy")
    return Leaderboard(
        **_window(document),
        holders=tuple(map(_stat, document["holders"])),
        holders_total=document["holders_total"],
        deficits=document["deficits"],
        sequence=document["sequence"],
        policy=None if policy is None else PolicyVersion(policy["name"], policy["version"]),
    )


def report_from_document(document: Document) -> HolderReport:
    """One holder, explained."""
    return HolderReport(
        **_window(document),
        stat=_stat(document),
        deficits=document["deficits"],
        tokens=tuple(map(_held_token, document["keys"])),
        sequence=document["sequence"],
        segments_left_out=document["segments_left_out"],
        tokens_left_out=document["keys_left_out"],
        changes_left_out=document["changes_left_out"],
    )


def deficit_from_document(document: Document) -> Deficit:
    """One key below 0."""
    return Deficit(
        token_id=document["token_id"],
        holder_id=document["holder_id"],
        at=_time(document["at"]),
        balance=Decimal(document["balance"]),
        event_ids=tuple(document["event_ids"]),
        event_ids_left_out=document["event_ids_left_out"],
    )


def round_from_document(document: Document) -> Round:
    """A round of a list."""
    return Round(
        id=document["id"],
        sealed_at=_time(document["sealed_at"]),
        as_of=_time(document["as_of"]),
        sequence=document["sequence"],
        journal_head=document["journal_head"],
        format=document["format"],
        root=document["root"],
        sum=int(document["sum"]),
        recipients=document["recipients"],
        list_sha256=document["list_sha256"],
    )


def round_from_manifest(manifest: Document) -> Round:
    """A round with all that it states."""
    options, store = manifest["options"], manifest["store"]
    listed = {
        "as_of": options["as_of"],
        "format": options["format"],
        "recipients": manifest["counts"]["recipients"],
    }
    return replace(round_from_document({**manifest, **store, **listed}), manifest=manifest)


def proof_from_document(document: Document) -> RoundProof:
    """The proof of a holder."""
    return RoundProof(
        id=document["id"],
        format=document["format"],
        value=tuple(each if isinstance(each, str) else json.dumps(each) for each in document["value"]),
        amount=int(document["amount"]),
        leaf=document["leaf"],
        proof=tuple(document["proof"]),
        root=document["root"],
    )


def feed_event_from_line(line: bytes, *, is_fact: bool) -> FeedEvent:
    """One line of a feed."""
    (record,) = records_from_json(line)
    return FeedEvent(json.loads(line)["sequence"], HoldEvent.from_record(record), is_fact)


def _json_from_hold(event: HoldEvent) -> str:
    parts = [f'"token_id":{_QUOTED(event.token_id)},"holder_id":{_QUOTED(event.holder_id)}']
    if event.start is not None:
        parts.append(f'"start":"{event.start.isoformat()}"')
    if event.end is not None:
        parts.append(f'"end":"{event.end.isoformat()}"')
    if event.weight != 1:
        parts.append(f'"weight":"{event.weight:f}"')
    if event.delta is not None:
        parts.append(f'"delta":"{event.delta:f}"')
    return _json_object(parts, event)


def _json_from_transfer(event: Transfer) -> str:
    # A party that is empty does not count, and makes it a transfer also without an amount.
    parts = [
        f'"token_id":{_QUOTED(event.token_id)}',
        f'"from_id":{_QUOTED(event.from_id or "")},"to_id":{_QUOTED(event.to_id or "")}',
    ]
    if event.amount is not None:
        parts.append(f'"amount":"{event.amount:f}"')
    return _json_object(parts, event)


def _json_object(parts: list[str], event: HoldEvent | Transfer) -> str:
    """The object of these members and of those that both kinds of events have."""
    if event.at is not None:
        parts.append(f'"at":"{event.at.isoformat()}"')
    if event.event_id:
        parts.append(f'"event_id":{_QUOTED(event.event_id)}')
    if event.revision:
        parts.append(f'"revision":{event.revision}')
    if event.retract:
        parts.append('"retract":true')
    if event.seq:
        parts.append(f'"seq":{event.seq}')
    return f"{{{','.join(parts)}}}"


def _window(document: Document) -> dict[str, Any]:
    since = document["from"]
    return {
        "as_of": _time(document["as_of"]),
        "from_": None if since is None else _time(since),
        "closed_only": document["closed_only"],
    }


def _stat(row: Document) -> HoldStat:
    return HoldStat.from_row(
        (row["rank"], row["holder_id"], row["held_us"], row["score"], row["weighted_score"])
    )


def _held_token(key: Document) -> HeldToken:
    deficit = key["deficit"]
    return HeldToken(
        token_id=key["token_id"],
        segments=tuple(
            Segment(
                _time(each["start"]),
                None if each["end"] is None else _time(each["end"]),
                Decimal(each["weight"]),
            )
            for each in key["segments"]
        ),
        changes=tuple(
            BalanceChange(
                _time(each["at"]), each["event_id"], Decimal(each["delta"]), Decimal(each["balance"])
            )
            for each in key["changes"]
        ),
        deficit=None if deficit is None else deficit_from_document(deficit),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)

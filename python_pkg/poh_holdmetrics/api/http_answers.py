"""Answers of the service as JSON, with the fields of the binary, and their `ETag`.

The tag is a hash of the answer without the sequence number, which grows with every event of any holder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import Response
from fastapi.responses import JSONResponse

from poh_holdmetrics import instants
from poh_holdmetrics.api.decimals import text_from_wad
from poh_holdmetrics.api.page_tokens import deficit_page_token, page_token
from poh_holdmetrics.api.report_limit import listed_deficits, listed_event_ids, listed_keys
from poh_holdmetrics.pure.ranking import document_from_row

if TYPE_CHECKING:
    from poh_holdmetrics.api.answers import DeficitPage, HolderAnswer, KeyReport, Page, Question
    from poh_holdmetrics.pure.statement import Deficit
    from poh_holdmetrics.windows import Window

_TAG_DIGITS = 32
Document = dict[str, Any]


def response_with_etag(known: Sequence[str], answer: Document) -> Response:
    """The answer, or 304 if one of the `If-None-Match` headers in `known` lists its tag."""
    body = json.dumps({**answer, "sequence": 0}, sort_keys=True).encode()
    opaque = f'"{hashlib.sha256(body).hexdigest()[:_TAG_DIGITS]}"'
    headers = {"etag": f"W/{opaque}", "cache-control": "private, no-cache", "vary": "authorization"}
    listed = [tag.strip() for header in known for tag in header.split(",")]
    if any(tag == "*" or tag.removeprefix("W/") == opaque for tag in listed):
        return Response(status_code=304, headers=headers)
    return JSONResponse(answer, headers=headers)


def listing_from_page(question: Question, page: Page, *, is_paged: bool = True) -> Document:
    """Holders in leaderboard order; a leaderboard has no next page."""
    following = page_token(question, page.next) if is_paged and page.next is not None else None
    return {
        **_window(question.window, page.sequence),
        "holders_total": page.known,
        "deficits": page.deficits,
        "holders": list(map(document_from_row, page.rows)),
        "next_page_token": following,
    }


def listing_from_holder(question: Question, answer: HolderAnswer | None, sequence: int) -> Document:
    """One holder, or an empty list; `sequence` is that of the answer that it is unknown."""
    return {
        **_window(question.window, sequence if answer is None else answer.sequence),
        "holders_total": 0 if answer is None else 1,
        "deficits": 0 if answer is None else answer.deficits,
        "holders": [] if answer is None else [document_from_row(answer.row)],
        "next_page_token": None,
    }


def report_from_answer(question: Question, answer: HolderAnswer) -> Document:
    """One holder, explained."""
    listed = listed_keys(answer.keys)
    return {
        **_window(question.window, answer.sequence),
        **document_from_row(answer.row),
        "deficits": answer.deficits,
        "keys": list(map(_key, listed.keys)),
        "segments_left_out": listed.segments_left_out,
        "keys_left_out": listed.keys_left_out,
        "changes_left_out": listed.changes_left_out,
    }


def deficits_from_page(question: Question, page: DeficitPage) -> Document:
    """One page of the keys below 0."""
    listed = listed_deficits(page)
    return {
        "as_of": instants.text_from_us(question.window.as_of_us),
        "sequence": listed.sequence,
        "deficits_total": listed.known,
        "deficits": list(map(_deficit, listed.deficits)),
        "next_page_token": None if listed.next is None else deficit_page_token(question, listed.next),
    }


def _window(window: Window, sequence: int) -> Document:
    return {
        "as_of": instants.text_from_us(window.as_of_us),
        "from": None if window.from_us is None else instants.text_from_us(window.from_us),
        "closed_only": window.closed_only,
        "sequence": sequence,
    }


def _key(key: KeyReport) -> Mapping[str, object]:
    return {
        "token_id": key.token_id,
        "segments": [
            {
                "start": instants.text_from_us(segment.start_us),
                "end": None if segment.end_us is None else instants.text_from_us(segment.end_us),
                "weight": text_from_wad(segment.wad),
            }
            for segment in key.segments
        ],
        "changes": [
            {
                "at": instants.text_from_us(change.at_us),
                "event_id": change.event_id,
                "delta": text_from_wad(change.delta),
                "balance": text_from_wad(change.balance),
            }
            for change in key.changes
        ],
        "deficit": None if key.deficit is None else _deficit(key.deficit),
    }


def _deficit(deficit: Deficit) -> Document:
    event_ids, left_out = listed_event_ids(deficit)
    return {
        "token_id": deficit.token_id,
        "holder_id": deficit.holder_id,
        "at": instants.text_from_us(deficit.at_us),
        "balance": text_from_wad(deficit.balance),
        "event_ids": event_ids,
        "event_ids_left_out": left_out,
    }

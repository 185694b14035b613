"""Where a page ended, as text that the caller sends back: the question, and the last row.

The server remembers nothing. A checksum detects tokens that were damaged or edited; it is not a secret,
because a token grants nothing that its caller may not ask for anyway. Tokens of the binary are not read.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib

from poh_holdmetrics.api.answers import Cursor, Question
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.windows import Window

_CHECKSUM_BYTES = 4
_UNKNOWN = "not issued by this server; request the first page again"
_OTHER = "belongs to another question; keep window and filters, or request the first page again"


def page_token(question: Question, after: Cursor) -> str:
    """The token of the page of holders that begins after `after`."""
    return _encoded("holders", question, (after.score, after.holder_id))


def deficit_page_token(question: Question, after: tuple[str, str]) -> str:
    """The token of the page of deficits that begins after the key `after`."""
    return _encoded("deficits", question, after)


def read_page_token(text: str) -> tuple[Question, Cursor]:
    """What a page of holders is about, and where it begins; raises `Refused`."""
    question, after = _decoded("holders", text)
    return question, Cursor(*after)


def read_deficit_page_token(text: str) -> tuple[Question, tuple[str, str]]:
    """What a page of deficits is about, and where it begins; raises `Refused`."""
    return _decoded("deficits", text)


def other_question() -> Refused:
    """The refusal of a token whose question is not that of the request."""
    return Refused("page_token", _OTHER)


def _encoded(kind: str, question: Question, after: tuple[str, str]) -> str:
    body = json.dumps([kind, *question.window, question.token_id, *after]).encode()
    checksum = zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "little")
    return base64.urlsafe_b64encode(checksum + body).decode().rstrip("=")


def _decoded(kind: str, text: str) -> tuple[Question, tuple[str, str]]:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refused("page_token", _UNKNOWN) from None
    checksum, body = data[:_CHECKSUM_BYTES], data[_CHECKSUM_BYTES:]
    if zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "little") != checksum or not body:
        raise Refused("page_token", _UNKNOWN)
    found, as_of_us, from_us, closed_only, token_id, first, second = json.loads(body)
    if found != kind:
        raise Refused("page_token", _UNKNOWN)
    return Question(Window(as_of_us, from_us, closed_only), token_id), (first, second)

"""`POST /hold` and `/transfers`: one event, an array of events, or a stream of lines, each judged alone.

A body of lines is stored while it is read, so a request holds one chunk and the line that is being read.
Knows no route; events are read as those of files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.api.http_problem import Problem
from poh_holdmetrics.api.intake import (
    BATCH_EVENTS_MAX,
    LINE_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    TOO_LONG,
    records_from_line,
)
from poh_holdmetrics.errors import Refused, excerpt
from poh_holdmetrics.hold_warnings import warning_names
from poh_holdmetrics.pure.findings import NO_FINDINGS, Findings, findings_of
from poh_holdmetrics.row_reader import JSON_DECODER

if TYPE_CHECKING:
    from poh_holdmetrics.api.hold_service import HoldService
    from poh_holdmetrics.validation import Record

_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_EXPECTED = "send one event as an object, or several as an array of objects"
_REFUSED_LISTED_MAX = 1_000
_QUOTE = '"'
_BLANKS = " \t\r\n"


async def stored(
    service: HoldService, content_type: str, content_encoding: str, body: AsyncIterator[bytes]
) -> dict[str, Any]:
    """Store the events of a body; returns what became of them. Raises `Problem`."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    for name, _, value in (parameter.partition("=") for parameter in parameters):
        charset = value.strip().strip(_QUOTE)
        if name.rstrip() == "charset" and charset not in ("utf-8", "utf8"):
            raise Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"content-type: charset {excerpt(charset)}: events are read as UTF-8; send them so",
                "content-type",
            )
    if media_type != "application/json" and media_type not in _LINES:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "content-type: must be application/json for an event or an array, or application/x-ndjson for "
            "lines",
            "content-type",
        )
    if content_encoding.strip().lower() not in ("", "identity"):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "content-encoding: the Python server reads no compressed bodies; send it as it is",
            "content-encoding",
        )
    if media_type in _LINES:
        return await _lines(service, body)
    return await _json(service, await _whole(body))


class _Upload:
    """The events of one request, numbered under the name `number`."""

    def __init__(self, service: HoldService, number: str) -> None:
        self._service = service
        self._number = number
        self._records: list[Record] = []
        self._refused: list[dict[str, object]] = []
        self._refused_total = 0
        self._sequence = 0
        self._findings = NO_FINDINGS
        self.accepted = 0

    def add(self, number: int, text: bytes) -> None:
        """Add one of several events; list it if it is refused."""
        try:
            self._records += _records(self._service, text)
            self.accepted += 1
        except Refused as refused:
            self.refuse(number, refused.blamed or "json", str(refused))

    async def add_lines(self, before: int, text: bytes) -> int:
        """Store the events of lines that follow the line `before`; returns the number of the last one."""
        lines = self._service.read_lines(text)
        for number, blamed, reason in lines.refused:
            self.refuse(before + number, blamed, reason)
        self.accepted += lines.accepted
        if len(lines):
            self._sequence = await self._service.store_lines(lines)
            self._findings = self._findings.and_those(Findings._make(lines.findings()))
        return before + lines.lines

    def refuse(self, number: int, blamed: str, reason: str) -> None:
        """Count an event as refused, and list it if there is room; `blamed` is a field, `json` or `line`."""
        self._service.figures.refused(blamed)
        self._refused_total += 1
        if len(self._refused) < _REFUSED_LISTED_MAX:
            field = None if blamed in ("json", "line") else blamed
            self._refused.append({self._number: number, "field": field, "reason": reason})

    async def send(self) -> None:
        """Store what was added since the last call."""
        if self._records:
            self._sequence = await self._service.store(self._records)
            self._findings = self._findings.and_those(findings_of(self._records))
            self._records = []

    async def result(self) -> dict[str, Any]:
        """Store the rest; what became of the events."""
        await self.send()
        return _result(self.accepted, self._sequence, self._findings, self._refused_total, self._refused)


def _result(
    accepted: int,
    sequence: int,
    findings: Findings,
    refused_total: int = 0,
    refused: list[dict[str, object]] | None = None,
) -> dict[str, Any]:
    return {
        "accepted": accepted,
        "refused_total": refused_total,
        "refused": refused or [],
        "sequence": sequence,
        "durability": "BUFFERED",
        "warnings": warning_names(findings),
    }


def _records(service: HoldService, text: bytes) -> tuple[Record, ...]:
    return records_from_line(text, service.now_us())


async def _json(service: HoldService, body: bytes) -> dict[str, Any]:
    text = body.lstrip(_BLANKS.encode())
    if not text:
        raise _not_events(f"empty; {_EXPECTED}")
    if not text.startswith(b"["):
        try:
            records = _records(service, body)
        except Refused as refused:
            service.figures.refused(refused.blamed or "json")
            if refused.blamed:
                raise Problem.of_refused(refused) from refused
            cure = "" if text.startswith(b"{") else f"; {_EXPECTED}"
            raise _not_events(f"{refused}{cure}") from refused
        return _result(1, await service.store(records), findings_of(records))
    events = list(_elements(body))
    if len(events) > BATCH_EVENTS_MAX:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"{len(events)} events in an array, the maximum is {BATCH_EVENTS_MAX}; send several arrays, or "
            "lines",
        )
    upload = _Upload(service, "index")
    for index, event in enumerate(events):
        upload.add(index, event)
    return await upload.result()


def _elements(body: bytes) -> Iterator[bytes]:
    """The text of each element of an array, so that each is read as it is written."""
    try:
        text = body.decode().strip(_BLANKS)
        JSON_DECODER.decode(text)  # refuses the whole before its first element is stored
        at = 1
        while (at := _next(text, at)) < len(text) - 1:
            _, end = JSON_DECODER.raw_decode(text, at)
            yield text[at:end].encode()
            at = _next(text, end)
            # The comma, or the end of the array.
            at += text[at] == ","
    except (ValueError, RecursionError):
        raise _not_events("not JSON") from None


def _next(text: str, at: int) -> int:
    while text[at] in _BLANKS:
        at += 1
    return at


def _not_events(reason: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"the body is {reason}")


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    whole = bytearray()
    async for chunk in body:
        whole += chunk
        if len(whole) > MESSAGE_BYTES_MAX:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body has more than {MESSAGE_BYTES_MAX} bytes; send several, or lines",
            )
    return bytes(whole)


async def _lines(service: HoldService, body: AsyncIterator[bytes]) -> dict[str, Any]:
    upload = _Upload(service, "line")
    number = 0
    partial = b""
    is_too_long = False
    async for chunk in body:
        whole, end, partial = (partial + chunk).rpartition(b"\n")
        if end and is_too_long:
            # The rest of a line whose beginning was dropped.
            _, end, whole = whole.partition(b"\n")
            number += 1
            upload.refuse(number, "line", TOO_LONG)
            is_too_long = False
        if end:
            number = await upload.add_lines(number, whole)
        if is_too_long or len(partial) > LINE_BYTES_MAX:
            # Its rest is read and dropped.
            is_too_long, partial = True, b""
    if is_too_long:
        upload.refuse(number + 1, "line", TOO_LONG)
    elif partial:
        await upload.add_lines(number, partial)
    return await upload.result()

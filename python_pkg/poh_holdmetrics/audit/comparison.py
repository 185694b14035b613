"""Compares verified events with a source of events, and with a published leaderboard.

Both stop at the first difference. Reads no server; see `history`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from poh_holdmetrics import instants
from poh_holdmetrics.audit.difference import Difference
from poh_holdmetrics.audit.history import event_text
from poh_holdmetrics.errors import InputError, Refused, excerpt
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.envelope import envelope
from poh_holdmetrics.pure.ranking import document_from_row
from poh_holdmetrics.storage.immudb_entries import key_from_record
from poh_holdmetrics.storage.scoring import Scorer
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from poh_holdmetrics.audit.history import History
    from poh_holdmetrics.validation import Record

#: What a row states exactly; the others follow from them.
_FIELDS = ("rank", "holder_id", "held_us", "score")


def check_events(history: History, records: Iterable[Record]) -> int:
    """Raise `Difference` unless exactly `records` are stored for their tokens; returns how many they are."""
    keys: set[bytes] = set()
    tokens: set[str] = set()
    for record in records:
        key = key_from_record(history.prefix, record)
        if key not in history.events:
            deletion = history.deleted.get(key)
            why = "was never stored" if deletion is None else f"was deleted by transaction {deletion}"
            raise Difference("missing", f"{event_text(record)}: {why}")
        keys.add(key)
        tokens.add(record.token_id)
    for key, record in history.events.items():
        if key not in keys and record.token_id in tokens:
            raise Difference("extra", f"{event_text(record)}: stored, but not in the source")
    return len(keys)


def check_facts(history: History, records: Iterable[Record]) -> int:
    """Raise `Difference` unless the stored events state the facts of `records` for their tokens.

    For a source of facts and not of events: the journal of a service keeps plain holds as their envelope.
    Returns how many keys were compared.
    """
    source, stored = Aggregator(), Aggregator()
    tokens: set[str] = set()
    for record in records:
        source.add(record)
        tokens.add(record.token_id)
    for record in history.events.values():
        if record.token_id in tokens:
            stored.add(record)
    expected, found = _reduced(source), _reduced(stored)
    for key, facts in expected.items():
        if key not in found:
            raise Difference("missing", f"{_key_text(key)}: no event is stored")
        if found[key] != facts:
            raise Difference("value", f"{_key_text(key)}: other facts are stored than in the source")
    for key in found:
        if key not in expected:
            raise Difference("extra", f"{_key_text(key)}: stored, but not in the source")
    return len(expected)


def _reduced(engine: Aggregator) -> dict[tuple[str, str], object]:
    reduced: dict[tuple[str, str], object] = {}
    for holder_id, tokens in engine.facts.items():
        for token_id, facts in tokens.items():
            closed, marks, named = facts.kept()
            spans = [(*span, wad) for span, wad in closed.items() if span[0] < span[1]]
            reduced[token_id, holder_id] = envelope(spans), marks, named
    return reduced


def _key_text(key: tuple[str, str]) -> str:
    return f"token_id {excerpt(key[0])}, holder_id {excerpt(key[1])}"


def check_leaderboard(history: History, file: str, document: Any) -> int:
    """Raise `Difference` unless the stored events give the rows of a published answer; returns how many.

    Raises `InputError` if the answer is not a leaderboard.
    """
    window, rows = _published(file, document)
    scorer = Scorer()
    scorer.add(list(history.events.values()))
    snapshot = scorer.snapshot(window)
    computed = [document_from_row(row) for row in snapshot.rows()]
    for number, row in enumerate(rows):
        expected = computed[number] if number < len(computed) else {}
        for name in _FIELDS:
            if row.get(name) != expected.get(name):
                raise Difference(
                    "leaderboard",
                    f"row {number + 1} of {file}: {name} is {row.get(name)!r},"
                    f" and {expected.get(name)!r} by the stored events",
                )
    totals = {"holders_total": len(computed), "deficits": snapshot.deficits}
    for name, total in totals.items():
        if document.get(name, total) != total:
            raise Difference(
                "leaderboard", f"{file}: {name} is {document[name]!r}, and {total} by the stored events"
            )
    return len(rows)


def _published(file: str, document: Any) -> tuple[Window, list[dict[str, object]]]:
    if not isinstance(document, dict) or not isinstance(document.get("holders"), list):
        raise InputError(
            file, "not a leaderboard: no list holders; give an answer of /leaderboard or score --format json"
        )
    if document.get("policy"):
        raise InputError(file, "a leaderboard under a policy; give the one of the scores themselves")
    try:
        from_ = document.get("from")
        window = Window(
            instants.us_from_argument("as_of", document.get("as_of")),
            None if from_ is None else instants.us_from_argument("from", from_),
            bool(document.get("closed_only")),
        )
    except (Refused, TypeError) as error:
        raise InputError(file, str(error)) from error
    if not all(isinstance(row, dict) for row in document["holders"]):
        raise InputError(file, "not a leaderboard: a row of holders is not an object")
    return window, document["holders"]

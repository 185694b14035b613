from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from pydantic import ValidationError

from naive import Raw
from poh_holdmetrics import HoldEvent, HoldStat, Transfer
from poh_holdmetrics.errors import excerpt
from poh_holdmetrics.validation import Record
from strategies import raws

GOOD: dict[str, object] = {"token_id": "T", "holder_id": "h", "start": 1000, "end": 2000}


def test_values_are_normalised_and_exact() -> None:
    tokyo = timezone(timedelta(hours=9))
    event = HoldEvent.model_validate(
        {
            **GOOD,
            "start": datetime(1970, 1, 1, 9, 0, 1, 5, tzinfo=tokyo),
            "end": "1970-01-01T00:00:02.0000059Z",
            "weight": 0.1,
        }
    )
    assert event.start == datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)
    assert event.start is not None
    assert event.start.tzinfo is UTC
    assert event.end == datetime(1970, 1, 1, 0, 0, 2, 5, tzinfo=UTC)
    assert event.weight == Decimal("0.1")
    assert event.record() == Record("T", "h", 1_000_005, 2_000_005, 10**17, None, 0, False)


def test_the_fields_lie_in_the_instance_for_native_readers() -> None:
    assert set(vars(HoldEvent.model_validate(GOOD))) == set(HoldEvent.model_fields)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"token_id": ""}, "token_id", "token_id: missing or empty"),
        ({"holder_id": 5.0}, "holder_id", "holder_id: not text"),
        ({"start": datetime(2025, 1, 1)}, "start", "start: no UTC offset"),  # noqa: DTZ001
        ({"end": "soon"}, "end", "end: not a time"),
        ({"weight": "NaN"}, "weight", "weight: not finite"),
        ({"event_id": ""}, "event_id", "event_id: empty"),
        ({"event_id": "a", "revision": -1}, "revision", "revision: not an integer"),
        ({"event_id": "a", "retract": "yes"}, "retract", "retract: not true or false"),
        ({"revision": 1}, None, "revision or retract without event_id"),
        ({"start": None, "end": None}, None, "start, end: neither is given"),
        ({"start": 3000}, None, "end: before start"),
        ({"wieght": 1}, "wieght", "Extra inputs"),
        ({"seq": -1}, "seq", "seq: not an integer"),
        ({"at": 0, "delta": 1, "event_id": "a"}, None, "start: given for a change of balance"),
    ],
)
def test_a_refusal_names_the_field(changes: dict[str, object], field: str | None, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        HoldEvent.model_validate({**GOOD, **changes})
    error = caught.value.errors()[0]
    assert error["loc"] == (() if field is None else (field,))
    assert words in error["msg"]


CHANGE: dict[str, object] = {"token_id": "T", "holder_id": 5, "at": 1000, "delta": "-0.5", "event_id": "a"}
TRANSFER: dict[str, object] = {
    "token_id": "T", "from_id": "a", "to_id": 7, "at": 1000, "amount": 0.5, "event_id": "log-1"
}  # fmt: skip


def test_a_change_is_read_exactly_and_survives_the_model() -> None:
    event = HoldEvent.model_validate(CHANGE)
    change = Record("T", "5", None, None, 10**18, "a", 0, False, 1_000_000, -5 * 10**17, 0)
    assert event.record() == change
    assert HoldEvent.model_validate(event.model_dump()) == event
    assert HoldEvent.model_validate_json(event.model_dump_json()) == event
    assert HoldEvent.model_validate(dict(event)) == event
    assert "weight" not in event.model_dump()
    assert HoldEvent.from_record(change).model_dump() == event.model_dump()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weight": 1}, "weight: given for a change of balance"),
        ({"end": 1}, "end: given for a change of balance"),
        ({"event_id": None}, "event_id: missing"),
        ({"at": None}, "at: missing"),
        ({"delta": None}, "delta: missing"),
        ({"delta": "1e-19"}, "delta: under 1e-18"),
        ({"delta": -(2**70)}, "delta: too large"),
        ({"delta": float("nan")}, "delta: not finite"),
    ],
)
def test_a_bad_change_is_refused_by_field(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        HoldEvent.model_validate({**CHANGE, **changes})


def test_a_transfer_is_the_changes_of_its_parties() -> None:
    transfer = Transfer.model_validate({**TRANSFER, "seq": 2})
    half = 5 * 10**17
    sent = Record("T", "a", None, None, 10**18, "log-1", 0, False, 1_000_000, -half, 2)
    received = sent._replace(holder_id="7", delta=half)
    assert transfer.records() == (sent, received)
    assert [event.record() for event in transfer.changes()] == [sent, received]
    assert Transfer.model_validate(transfer.model_dump()) == transfer
    to_self = Transfer.model_validate({**TRANSFER, "to_id": "a"})
    assert to_self.records() == (sent._replace(delta=0, seq=0),)
    mint = Transfer.model_validate({**TRANSFER, "from_id": "0x" + "0" * 40})
    assert (mint.from_id, mint.records()) == (None, (received._replace(seq=0),))
    orphaned = Transfer.model_validate(
        {"token_id": "T", "from_id": "a", "to_id": 7, "event_id": "log-1", "revision": 1, "retract": True}
    )
    assert [(r.holder_id, r.retract, r.delta) for r in orphaned.records()] == [
        ("a", True, None),
        ("7", True, None),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"from_id": None, "to_id": ""}, "from_id, to_id: no holder in either"),
        ({"amount": -1}, "amount: negative"),
        ({"amount": None}, "amount: missing"),
        ({"at": None}, "at: missing"),
        ({"event_id": None}, "event_id: missing"),
        ({"holder_id": "c"}, "holder_id"),
        ({"weight": 1}, "weight"),
    ],
)
def test_a_bad_transfer_is_refused_by_field(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Transfer.model_validate({**TRANSFER, **changes})


def test_an_event_without_ids_names_the_missing_field() -> None:
    with pytest.raises(ValidationError, match="token_id"):
        HoldEvent.model_validate({"holder_id": "h", "start": 1})


def test_a_model_is_a_value() -> None:
    event = HoldEvent.model_validate(GOOD)
    assert event == copy.copy(event) == HoldEvent.model_validate_json(event.model_dump_json())
    assert len({event, HoldEvent.model_validate(GOOD)}) == 1
    with pytest.raises(ValidationError, match="frozen"):
        event.weight = Decimal(2)


@given(raws())
def test_a_record_survives_the_model(raw: Raw) -> None:
    record = Record(*raw)
    event = HoldEvent.from_record(record)
    assert event.record() == record
    assert HoldEvent.model_validate(event.model_dump()) == event


def test_a_stat_that_contradicts_itself_cannot_be_built() -> None:
    fields = {
        "holder_id": "h",
        "total_seconds": 1,
        "weighted_score": 0.5,
        "held_us": 1_999_999,
        "score": "0.5",
    }
    assert HoldStat.model_validate(fields) == HoldStat.from_row((1, "h", 1_999_999, "0.5", 0.5)).model_copy(
        update={"rank": None}
    )
    for wrong in ({"total_seconds": 2}, {"weighted_score": 0.25}, {"score": "0.50"}, {"rank": 0}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            HoldStat.model_validate({**fields, **wrong})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('a\n\x1b"é\ud800', r'"a\n\u{1b}\"é\ud800"'),
        ("x" * 40, '"' + "x" * 40 + '"'),
        ("x" * 41, '"' + "x" * 40 + '"...'),
        (-1.5, "-1.5"),
        ([1, "a"], "[1, 'a']"),
        pytest.param(10**5000, hex(10**5000)[:40] + "...", id="5001 digits"),
    ],
)
def test_a_value_is_shown_escaped_and_cut(value: object, shown: str) -> None:
    assert excerpt(value) == shown

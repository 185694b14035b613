"""The calculator with every native source, against the naive implementation."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import naive
from naive import Raw
from poh_holdmetrics import HoldEvent, Refused, calculate_score, merge_overlaps, score_exact
from poh_holdmetrics.instants import datetime_from_us
from strategies import BASE_US, EVENTS, INSTANTS, record

PER_SOURCE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def models(events: list[Raw]) -> list[HoldEvent]:
    return [HoldEvent.from_record(record(event)) for event in events]


@PER_SOURCE
@given(events=EVENTS, as_of=INSTANTS, from_=st.none() | INSTANTS, closed_only=st.booleans())
def test_the_score_is_exact(
    source: str, events: list[Raw], as_of: int, from_: int | None, closed_only: bool
) -> None:
    del source
    expected = naive.leaderboard(events, as_of, from_, closed_only=closed_only)
    total = sum((score for _, _, _, score in expected), Fraction(0))
    since = None if from_ is None else datetime_from_us(from_)
    until = datetime_from_us(as_of)
    found = score_exact(models(events), until, since, closed_only=closed_only)
    assert found.held_us == sum(held for _, _, held, _ in expected)
    assert Fraction(found.score) == total
    assert found.weighted_score == float(total)
    assert calculate_score(models(events), until, since, closed_only=closed_only) == float(total)


@PER_SOURCE
@given(events=EVENTS)
def test_merged_overlaps_score_the_same_and_no_longer_overlap(source: str, events: list[Raw]) -> None:
    del source
    merged = merge_overlaps(models(events))
    until = datetime_from_us(BASE_US + 20_000_000)
    assert score_exact(merged, until) == score_exact(models(events), until)
    assert merge_overlaps(merged) == merged
    assert merged == sorted(merged, key=lambda e: (e.token_id, e.holder_id, e.start_us))


def test_without_as_of_closed_holds_alone_count(source: str) -> None:
    del source
    events = [
        HoldEvent.model_validate({"token_id": "T", "holder_id": "h", "start": 0, "end": 10_000, "weight": 2}),
        HoldEvent.model_validate({"token_id": "T", "holder_id": "h", "start": 20_000}),
    ]
    assert calculate_score(events) == 20.0
    assert calculate_score(events, as_of=25_000) == 25.0
    assert calculate_score(events, as_of=25_000, closed_only=True) == 20.0
    assert calculate_score(events, as_of="1970-01-01T00:00:25Z", from_=5_000) == 15.0
    assert calculate_score([]) == 0.0


def test_the_weight_of_a_stop_does_not_decide_between_its_revisions(source: str) -> None:
    # The story: of two stops of one revision the heavier one was in force, although a stop has no weight.
    del source
    stop = {"token_id": "T", "holder_id": "h", "end": 0, "event_id": "stop"}
    events = [
        HoldEvent.model_validate({**stop, "weight": 9, "seq": 1}),
        HoldEvent.model_validate({**stop, "weight": 1, "seq": 3}),
        HoldEvent.model_validate({"token_id": "T", "holder_id": "h", "start": 0, "seq": 2}),
    ]
    assert calculate_score(events, as_of=10_000) == 0.0
    assert calculate_score(events[::-1], as_of=10_000) == 0.0


def test_the_last_instant_of_all_is_reached(source: str) -> None:
    del source
    whole = HoldEvent.model_validate(
        {
            "token_id": "T",
            "holder_id": "h",
            "start": "0001-01-01T00:00:00Z",
            "end": "9999-12-31T23:59:59.999999Z",
        }
    )
    assert score_exact([whole]).held_us == 315_537_897_599_999_999


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"as_of": "soon"}, "as_of: not a time"),
        ({"as_of": 1, "from_": 1.5}, "from: not a time"),
        ({"closed_only": False}, "closed_only: False needs an as_of"),
    ],
)
def test_a_bad_window_is_refused_by_name(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(Refused, match=f"^{words}"):
        calculate_score([], **arguments)  # type: ignore[arg-type]

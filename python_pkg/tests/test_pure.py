from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from naive import Raw
from poh_holdmetrics.pure import envelope as envelope_module
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.envelope import envelope
from poh_holdmetrics.pure.statement import Deficit
from poh_holdmetrics.validation import transfer_records
from strategies import BASE_US, EVENTS, INSTANTS, raws, record

END_US = BASE_US + 20_000_000


def aggregated(events: list[Raw]) -> Aggregator:
    aggregator = Aggregator()
    for event in events:
        aggregator.add(record(event))
    return aggregator


def rows(aggregator: Aggregator, *window: object) -> list[tuple[int, str, int, Fraction]]:
    found = aggregator.snapshot(*window).rows()  # type: ignore[arg-type]
    return [(rank, holder, held, Fraction(score)) for rank, holder, held, score, _ in found]


@given(EVENTS, INSTANTS, st.none() | INSTANTS, st.booleans())
def test_the_leaderboard_is_that_of_the_naive_twin(
    events: list[Raw], as_of: int, from_: int | None, closed_only: bool
) -> None:
    expected = naive.leaderboard(events, as_of, from_, closed_only=closed_only)
    aggregator = aggregated(events)
    assert rows(aggregator, as_of, from_, closed_only) == expected
    deficits = naive.deficits(events, as_of)
    assert [each[:2] for each in aggregator.deficits(as_of)] == deficits
    assert aggregator.snapshot(as_of, from_, closed_only).deficits == len(deficits)


@given(EVENTS, st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(events: list[Raw], random: object) -> None:
    again = events + events[::2]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert rows(aggregated(again), END_US) == rows(aggregated(events), END_US)


@given(EVENTS, st.lists(st.integers(0, 2), min_size=12, max_size=12), st.booleans())
def test_parts_merge_to_the_whole(events: list[Raw], parts: list[int], closed_only: bool) -> None:
    pieces = [
        aggregated([e for e, part in zip(events, parts, strict=False) if part == each]) for each in range(3)
    ]
    merged = Aggregator()
    for piece in reversed(pieces):
        merged.merge(piece)
    whole = aggregated(events)
    assert rows(merged, END_US, None, closed_only) == rows(whole, END_US, None, closed_only)
    assert (merged.events, merged.holders, merged.keys) == (whole.events, whole.holders, whole.keys)


@given(EVENTS, INSTANTS, INSTANTS, INSTANTS, st.booleans())
def test_windows_add_up(events: list[Raw], a: int, b: int, c: int, closed_only: bool) -> None:
    first, middle, last = sorted((a, b, c))
    aggregator = aggregated(events)

    def scores(from_us: int, as_of_us: int) -> dict[str, tuple[int, Fraction]]:
        return {
            holder: (held, score)
            for _, holder, held, score in rows(aggregator, as_of_us, from_us, closed_only)
        }

    whole, left, right = scores(first, last), scores(first, middle), scores(middle, last)
    assert whole == {h: (left[h][0] + right[h][0], left[h][1] + right[h][1]) for h in whole}


@given(EVENTS)
def test_segments_are_disjoint_joined_and_score_the_same(events: list[Raw]) -> None:
    aggregator = aggregated(events)
    segments = list(aggregator.segments())
    for (token, holder, _, end, wad), (next_token, next_holder, start, _, next_wad) in pairwise(segments):
        assert (token, holder) <= (next_token, next_holder)
        if (token, holder) == (next_token, next_holder):
            assert end is not None
            assert start is not None
            assert end < start or (end == start and wad != next_wad)
    again = aggregated([Raw(*segment) for segment in segments])
    earned = {holder: found for _, holder, *found in rows(again, END_US)}
    for _, holder, *found in rows(aggregator, END_US):
        assert earned.get(holder, [0, 0]) == found


SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 30), st.integers(0, 4)).map(
        lambda x: (x[0], x[0] + x[1], x[2])
    ),
    max_size=25,
)


@given(SPANS)
def test_the_envelope_is_the_maximum_at_every_instant(segments: list[tuple[int, int, int]]) -> None:
    found = envelope(segments)
    for t in range(-1, 62):
        expected = max((w for s, e, w in segments if s <= t < e), default=None)
        here = [w for s, e, w in found if s <= t < e]
        assert here == ([] if expected is None else [expected])


@given(EVENTS, raws(), INSTANTS)
def test_what_is_retracted_is_as_if_it_never_was(events: list[Raw], extra: Raw, as_of: int) -> None:
    first = extra._replace(event_id="extra", revision=0, retract=False)
    retraction = Raw(first.token_id, first.holder_id, None, None, event_id="extra", revision=1, retract=True)
    # The holder stays listed, with what the other events earn.
    without = aggregated([*events, retraction])
    assert rows(aggregated([first, *events, retraction]), as_of) == rows(without, as_of)
    assert rows(aggregated([retraction, *events, first]), as_of) == rows(without, as_of)
    expected = {holder: found for _, holder, *found in rows(aggregated(events), as_of)}
    assert {h: found for _, h, *found in rows(without, as_of)} == {extra.holder_id: [0, 0], **expected}


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), INSTANTS, st.integers(0, 10**19)),
        max_size=12,
    )
)
def test_transfers_conserve_the_sum(moves: list[tuple[str, str, int, int]]) -> None:
    supply = sum(amount for *_, amount in moves) + 1
    mints = [(None, holder, BASE_US, supply) for holder in "abc"]
    aggregator = Aggregator()
    for number, (sender, receiver, at_us, amount) in enumerate([*mints, *moves]):
        for change in transfer_records("T", sender, receiver, str(number), 0, False, at_us, amount, 0):
            aggregator.add(change)
    snapshot = aggregator.snapshot(END_US)
    assert snapshot.deficits == 0
    scores = [Fraction(score) for _, _, _, score, _ in snapshot.rows()]
    assert sum(scores) == Fraction(3 * supply * (END_US - BASE_US), 10**24)


def test_a_deficit_names_its_instant_its_balance_and_the_changes_behind_it() -> None:
    changes = [
        *(("1", 0, 5), ("2", 1, -6), ("3", 1, -2), ("4", 1, 1), ("5", 2, -9)),
    ]
    events = [
        Raw("T", "h", None, None, event_id=event_id, at=BASE_US + at, delta=delta)
        for event_id, at, delta in changes
    ]
    aggregator = aggregated([*events, Raw("T", "g", None, None, event_id="6", at=BASE_US, delta=1)])
    assert aggregator.deficits(BASE_US + 1) == []
    assert aggregator.deficits(END_US) == [Deficit("T", "h", BASE_US + 1, -2, ["2", "3"])]


COUNT = 3_000
PATTERNS = {
    "nested": [(i, 4 * COUNT - i, i) for i in range(COUNT)],
    "nested, lighter inside": [(i, 4 * COUNT - i, COUNT - i) for i in range(COUNT)],
    "staircase": [(i, i + COUNT, i) for i in range(COUNT)],
    "shared end": [(i, 4 * COUNT, i) for i in range(COUNT)],
    "one long under many short": [(0, 4 * COUNT, 1), *((2 * i, 2 * i + 1, 2) for i in range(COUNT))],
    "shuffled": [((i * 7919) % COUNT, COUNT + (i * 104_729) % COUNT, (i * 31) % 97) for i in range(COUNT)],
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_segment_enters_the_heap_a_bounded_number_of_times(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The story: a sweep that looks at every running hold is quadratic for nested holds of rising weight.
    operations = 0

    def counted(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            nonlocal operations
            operations += 1
            return operation(*arguments)

        return run

    for name in ("heappush", "heappop"):
        monkeypatch.setattr(envelope_module, name, counted(getattr(envelope_module, name)))
    segments = PATTERNS[pattern]
    found = envelope(segments)
    assert operations <= 4 * len(segments)
    assert len(found) <= 2 * len(segments)
    assert found[0][0] == min(start for start, _, _ in segments)
    assert found[-1][1] == max(end for _, end, _ in segments)


def test_a_holder_whose_only_fact_is_withdrawn_is_listed_with_nothing() -> None:
    events = [
        Raw("T", "h", None, None, event_id="a", revision=1, retract=True),
        Raw("T", "h", BASE_US, END_US, event_id="a"),
    ]
    assert rows(aggregated(events), END_US) == [(1, "h", 0, Fraction(0))]


def test_one_holder_has_its_true_rank() -> None:
    events = [Raw("T", holder, BASE_US, BASE_US + width) for holder, width in (("a", 2), ("b", 9), ("c", 2))]
    aggregator = aggregated(events)
    assert [row[:2] for row in aggregator.leaderboard(2, END_US)] == [(1, "b"), (2, "a")]
    found = aggregator.holder("c", END_US)
    assert found is not None
    assert found[:3] == (2, "c", 2)
    assert aggregator.holder("nobody", END_US) is None

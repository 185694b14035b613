from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

import naive
from naive import Raw
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.envelope import envelope
from strategies import BASE_US, EVENTS, INSTANTS, record

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
    assert rows(aggregated(events), as_of, from_, closed_only) == expected


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


def test_a_long_hold_under_many_short_ones_takes_no_quadratic_time() -> None:
    # 200,000 nested and stacked holds: a sweep that looks at all running holds would take minutes.
    count = 100_000
    nested = [(i, 4 * count - i, i) for i in range(count)]
    stacked = [(2 * i, 2 * i + 1, 2 * count) for i in range(count)]
    found = envelope(nested + stacked)
    assert found[0][0] == 0
    assert found[-1][1] == 4 * count


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

"""Ready policies against a naive twin that looks at every instant, their documents, and checked results."""

from __future__ import annotations

import doctest
import hashlib
import importlib
import json
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naive_policy import naive_scores
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.policies import (
    Decay,
    Exclude,
    Include,
    Linked,
    MinimumHold,
    Policy,
    ScoreCap,
    Season,
    Seasons,
    Segments,
    Tiers,
    WeightCap,
    policy_from_document,
)
from poh_holdmetrics.policies.published import checked_steps, published, version_of_function
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.windows import Window
from strategies import policies, raws, record

DAY_US = 86_400_000_000
WAD = 10**18
YEAR = Window(365 * DAY_US, None, closed_only=False)


def held(*rows: tuple[str, str, int, int, int], window: Window = YEAR) -> Segments:
    """Segments in days and whole weights."""
    return Segments.of(
        [
            (holder, token, start * DAY_US, end * DAY_US, weight * WAD)
            for holder, token, start, end, weight in rows
        ],
        window,
    )


def days(policy: Policy, segments: Segments) -> dict[str, Fraction]:
    return {holder: score / 86_400 for holder, score in policy(segments).items()}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ([Exclude(holders={"bob"})], {"ann": 40, "eve": 10}),
        ([Exclude(tokens={"T"})], {"eve": 10}),
        ([Include(holders={"ann"}, tokens={"T"})], {"ann": 40}),
        ([MinimumHold(duration="20d")], {"ann": 40}),
        ([MinimumHold(duration="10d")], {"ann": 40, "bob": 30, "eve": 10}),
        # Ann holds 40 days on end, at two weights.
        ([Tiers(multipliers={"30d": "1.5"})], {"ann": 45, "bob": 30, "eve": 10}),
        ([Tiers(multipliers={"30d": "1.5"}, counting="whole")], {"ann": 60, "bob": 30, "eve": 10}),
        ([Tiers(multipliers={"0s": 2, "10d": 0})], {"ann": 20, "bob": 60, "eve": 20}),
        ([WeightCap(most=2)], {"ann": 40, "bob": 20, "eve": 10}),
        ([ScoreCap(most=30 * 86_400)], {"ann": 30, "bob": 30, "eve": 10}),
        # Older than 330 days on day 365: before day 35.
        ([Decay(multipliers={"330d": "0.5"})], {"ann": Fraction(45, 2), "bob": 15, "eve": 5}),
        (
            [Seasons(seasons=[Season(start="1970-01-11", end="1970-01-21", multiplier=3)], otherwise="0.1")],
            {"ann": 33, "bob": Fraction(3), "eve": 1},
        ),
        ([Linked(wallets={"ann": ["bob"]})], {"ann": 70, "eve": 10}),
        ([Linked(wallets={"team": ["bob", "eve"]}), MinimumHold(duration="11d")], {"ann": 40}),
    ],
)
def test_each_step_counts_as_documented(policy: list[Any], expected: dict[str, object]) -> None:
    segments = held(
        ("ann", "T", 0, 20, 1), ("ann", "T", 20, 40, 1), ("bob", "T", 0, 10, 3), ("eve", "U", 0, 10, 1)
    )
    assert days(Policy(steps=policy), segments) == expected


def test_a_token_that_moves_between_linked_wallets_is_held_without_a_gap() -> None:
    segments = held(("a", "T", 0, 20, 1), ("b", "T", 20, 40, 1), ("b", "T", 41, 60, 1))
    steps: list[Any] = [Linked(wallets={"ann": ["a", "b"]}), MinimumHold(duration="40d")]
    assert days(Policy(steps=steps), segments) == {"ann": 40}
    assert days(Policy(steps=steps[1:]), segments) == {}


def test_weights_of_linked_wallets_are_added_up() -> None:
    segments = held(("a", "T", 0, 20, 5), ("b", "T", 10, 30, 7))
    steps: list[Any] = [Linked(wallets={"b": ["a"]}), WeightCap(most=10)]
    assert days(Policy(steps=steps), segments) == {"b": 10 * 5 + 10 * 10 + 10 * 7}


def test_a_sum_is_rounded_down_once() -> None:
    # Two microseconds at the smallest weight, each counted a millionth times: two millionths of a step.
    rows = [("h", "T", 0, 1, 1), ("h", "U", 0, 1, 1)]
    tiny = Segments.of(rows, YEAR)
    assert Policy(steps=[Tiers(multipliers={"0s": "0.000001"})]).scored_steps(tiny) == {"h": 0}
    assert Policy(steps=[Tiers(multipliers={"0s": "0.5"})]).scored_steps(tiny) == {"h": 1}


@pytest.mark.parametrize("name", ["caps", "links", "lists", "periods", "policy", "streaks"])
def test_the_examples_of_a_module_print_what_they_say(name: str) -> None:
    module = importlib.import_module(f"poh_holdmetrics.policies.{name}")
    outcome = doctest.testmod(module)
    assert outcome.attempted
    assert not outcome.failed


def test_the_documents_of_the_manual_are_policies() -> None:
    manual = Path(__file__).parents[2] / "docs" / "policies.md"
    if not manual.is_file():
        pytest.skip("the package is not in its checkout")
    blocks = re.findall("```json\n(.*?)```", manual.read_text("utf-8"), re.DOTALL)
    decoder = json.JSONDecoder()
    kinds = set()
    for block in blocks:
        rest = block.strip()
        while rest:
            document, end = decoder.raw_decode(rest)
            rest = rest[end:].strip()
            policy = policy_from_document(
                json.dumps(document if "steps" in document else {"steps": [document]})
            )
            kinds |= {step.kind for step in policy.steps}
    assert kinds == {
        *("exclude", "linked", "minimum_hold", "tiers", "decay", "seasons", "weight_cap", "score_cap"),
    }


EVENTS = st.lists(raws().map(record), max_size=14)
WINDOWS = st.tuples(
    st.integers(0, 12).map(lambda step: 1_753_056_000_000_000 + step * 1_000_003),
    st.none() | st.integers(0, 12).map(lambda step: 1_753_056_000_000_000 + step * 1_000_003),
    st.booleans(),
)


@given(EVENTS, WINDOWS, policies())
def test_any_policy_gives_what_every_instant_gives(
    events: list[Any], window: tuple[int, int | None, bool], policy: Policy
) -> None:
    aggregator = Aggregator()
    for event in events:
        aggregator.add(event)
    segments = Segments.of_columns(*aggregator.held_columns(*window), Window(*window))
    assert policy.scored_steps(segments) == naive_scores(json.loads(policy.text), list(segments), window[0])
    plain = {row[1]: row[2] for row in aggregator.snapshot(*window).rows()}
    rows = published(policy, aggregator, Window(*window)).rows()
    assert [(row[1], row[2]) for row in rows] == [(row[1], plain.get(row[1], 0)) for row in rows]
    assert rows == sorted(rows, key=lambda row: (-Fraction(row[3]), row[1]))


@given(policies())
def test_a_policy_is_read_back_from_its_document(policy: Policy) -> None:
    again = policy_from_document(policy.text)
    assert (again, again.text, again.version) == (policy, policy.text, policy.version)


def test_one_rule_in_other_spellings_has_one_version() -> None:
    documents = [
        '{"steps": [{"step": "tiers", "multipliers": {"24h": 1.50, "36h": "2"}}]}',
        '{"steps": [{"multipliers": {"1d12h": 2, "1d": "1.5"}, "counting": "reached", "step": "tiers"}]}',
    ]
    texts = {policy_from_document(document).text for document in documents}
    text = '{"steps":[{"counting":"reached","multipliers":{"1d":"1.5","1d12h":"2"},"step":"tiers"}]}'
    assert texts == {text}
    version = hashlib.sha256(b"holdmetrics-policy-1\n" + text.encode()).hexdigest()
    assert policy_from_document(documents[0]).version == version
    assert policy_from_document(documents[0].replace("1.50", "1.51")).version != version


#: Documents that are refused, each with the beginning of the reason.
REFUSED = json.loads(Path(__file__).with_name("refused_policies.json").read_text("utf-8"))


@pytest.mark.parametrize(("document", "words"), REFUSED)
def test_a_document_is_refused_by_its_field(document: str, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        policy_from_document(document)
    assert str(refusal.value).startswith(words)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"ann": 1.5}, 'policy: "ann": a float is not exact: 1.5; return int, Fraction or Decimal'),
        ({"ann": -1}, 'policy: "ann": negative: -1'),
        ({"ann": Decimal("NaN")}, 'policy: "ann": not finite'),
        ({"ann": True}, 'policy: "ann": not a score: True'),
        ({"ann": "1"}, 'policy: "ann": not a score: "1"'),
        ({"": 1}, 'policy: not a holder: ""'),
        ([("ann", 1)], "policy: expected a mapping of holders to scores"),
    ],
)
def test_a_score_that_is_not_exact_is_refused(scores: Any, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        checked_steps(lambda _: scores, held())
    assert str(refusal.value).startswith(words)


def test_scores_of_a_function_are_rounded_down_to_whole_steps() -> None:
    scores: dict[str, int | Fraction | Decimal] = {
        "a": Fraction(1, 3),
        "b": Decimal("0.1"),
        "c": 2,
        "d": 10**60,
        "e": Fraction(2, 3),
    }
    steps = checked_steps(lambda _: scores, held())
    assert steps == {"a": 10**24 // 3, "b": 10**23, "c": 2 * 10**24, "d": 2**256 - 1, "e": 2 * 10**24 // 3}


def test_a_function_is_published_like_a_ready_policy() -> None:
    aggregator = Aggregator()
    for holder, end in (("ann", 10), ("bob", 20)):
        aggregator.record("T", holder, 0, end * 1_000_000)

    def longest(segments: Segments) -> dict[str, int]:
        lengths = {
            holder: max(row.end_us - row.start_us for row in rows) for holder, rows in segments.by_holder()
        }
        return {"all": max(lengths.values()), **lengths}

    rows = published(longest, aggregator, YEAR).rows()
    assert [row[:4] for row in rows] == [
        (1, "all", 0, "20000000"),
        (1, "bob", 20_000_000, "20000000"),
        (3, "ann", 10_000_000, "10000000"),
    ]


def test_columns_of_segments_cannot_be_changed() -> None:
    segments = held(("ann", "T", 0, 1, 1))
    with pytest.raises(TypeError):
        segments.start_us[0] = 1


def test_the_version_of_a_function_is_that_of_its_sources_name_and_arguments() -> None:
    base = version_of_function("ab", "tiers", {"limit": "1"})
    others = [("ac", "tiers", {"limit": "1"}), ("ab", "t", {"limit": "1"}), ("ab", "tiers", {"limit": "2"})]
    assert all(version_of_function(*other) != base for other in others)
    assert len(base) == 64


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Policy(steps=[]), "steps: expected 1 to 32 steps, found 0"),
        (lambda: Exclude(holders="ann"), "exclude: holders: expected a list of ids"),
        (lambda: Season(start="2026-02-01", end="2026-01-01"), "seasons: end: not after the start"),
        (lambda: Tiers(multipliers={"1d": float("nan")}), "tiers: multipliers: 1d: expected a multiplier"),
    ],
)
def test_a_parameter_is_refused_by_its_name(make: Callable[[], object], words: str) -> None:
    with pytest.raises(InputError) as refusal:
        make()
    assert str(refusal.value).startswith(words)

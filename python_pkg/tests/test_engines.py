"""Native code against its pure-Python twin: the same events by every call, and the same refusals."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import PRESENT
from poh_holdmetrics import HoldEvent, Transfer, native
from poh_holdmetrics.api.hold_lines import read_lines
from poh_holdmetrics.api.intake import LINE_BYTES_MAX
from poh_holdmetrics.instants import datetime_from_us
from poh_holdmetrics.policies import Policy, Segments
from poh_holdmetrics.policies.published import published
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.columns import ABSENT_US
from poh_holdmetrics.validation import NULL_ADDRESS
from poh_holdmetrics.wads import decimal_from_wad, wad_from_decimal
from poh_holdmetrics.windows import Window
from strategies import BASE_US, INSTANTS, WEIGHTS, policies, raws, record

pytestmark = pytest.mark.skipif(PRESENT == "none", reason="there is no native code in this process")

END_US = BASE_US + 20_000_000
Model: TypeAlias = HoldEvent | Transfer


def namespace() -> native.Namespace:
    found = native.namespace()
    assert found is not None
    return found


@st.composite
def transfers(draw: st.DrawFn) -> Transfer:
    """A transfer, a mint or a burn, some of them corrected or withdrawn."""
    parties = st.sampled_from(["g", "h", None, "", NULL_ADDRESS])
    sender, receiver = draw(parties), draw(parties)
    retract = draw(st.integers(0, 3)) == 0
    return Transfer.model_validate(
        {
            "token_id": draw(st.sampled_from("AB")),
            "from_id": sender,
            "to_id": receiver if sender in ("g", "h") else "h",
            "at": None if retract else datetime_from_us(draw(INSTANTS)),
            "amount": None if retract else decimal_from_wad(draw(WEIGHTS)),
            "event_id": draw(st.sampled_from("abc")),
            "revision": draw(st.integers(0, 2)),
            "retract": retract,
        }
    )


HOLDS = raws().map(lambda raw: HoldEvent.from_record(record(raw)))
MODELS = st.lists(HOLDS | transfers(), max_size=14)
WINDOWS = st.tuples(INSTANTS, st.none() | INSTANTS, st.booleans())


def answers(engine: native.Aggregator, window: tuple[int, int | None, bool]) -> list[object]:
    snapshot = engine.snapshot(*window)
    rows = snapshot.rows()
    return [
        (engine.events, engine.holders, engine.keys),
        (rows, len(snapshot), snapshot.deficits),
        list(map(tuple, engine.deficits(window[0]))),
        list(map(tuple, engine.deficits(END_US))),
        engine.leaderboard(1, *window),
        [engine.holder(holder_id, *window) for _, holder_id, *_ in rows],
        [_explained(engine.explain(row[1], *window, token)) for row in rows for token in (None, *"AZ")],
        [engine.page(2, *window, token) for token in (None, *"AZ")],
        # A position that no holder has, too.
        [
            engine.page(1, *window, token, (row[3], f"{row[1]}{more}"))
            for row in rows
            for token in (None, "A")
            for more in ("", "x")
        ],
        [
            _listed(engine.deficit_page(1, END_US, token, after))
            for token in (None, *"AZ")
            for after in (None, ("A", "g"), ("B", ""))
        ],
    ]


def _listed(found: tuple[Sequence[native.DeficitRow], bool, int]) -> object:
    rows, has_more, known = found
    return list(map(tuple, rows)), has_more, known


def _explained(found: tuple[native.Row, Sequence[native.KeyRow], int] | None) -> object:
    if found is None:
        return None
    row, keys, deficits = found
    plain = [(*key[:3], None if key[3] is None else tuple(key[3])) for key in keys]
    return row, plain, deficits


@given(MODELS, WINDOWS, st.randoms(use_true_random=False))
def test_models_in_any_order_repeated_split_and_merged_give_what_the_twin_gives(
    models: list[Model], window: tuple[int, int | None, bool], shuffle: random.Random
) -> None:
    pure = Aggregator()
    assert pure.record_events(models) == sum(len(model.records()) for model in models)
    again = models + models[::2]
    shuffle.shuffle(again)
    engines = [namespace().Aggregator() for _ in range(3)]
    for engine in engines:
        part = [model for model in again if shuffle.random() < 0.5]
        assert engine.record_events(part) == sum(len(model.records()) for model in part)
    whole = namespace().Aggregator()
    assert whole.record_events(again) == whole.events
    expected = answers(pure, window)
    assert answers(whole, window)[1:] == expected[1:]
    assert (whole.holders, whole.keys) == (pure.holders, pure.keys)
    for engine in engines:
        whole.merge(engine)
    assert answers(whole, window)[1:] == expected[1:]


@given(MODELS, WINDOWS)
def test_a_list_of_models_is_scored_at_once_as_by_the_twin(
    models: list[Model], window: tuple[int, int | None, bool]
) -> None:
    pure = Aggregator()
    pure.record_events(models)
    expected = pure.snapshot(*window)
    found = namespace().aggregate(iter(models), *window)
    assert (found.rows(), found.deficits) == (expected.rows(), expected.deficits)
    assert namespace().merge_overlaps(models) == list(pure.segments())


LINES = (
    b'{"token_id":"T","holder_id":"h","start":1000,"end":2000,"weight":"2.5"}',
    b'{"token_id":7,"holder_id":"h\\u00e9","start":"2025-01-01T00:00:00Z","seq":3}',
    b'{"token_id":"T","holder_id":"h","end":3000,"weight":9,"event_id":"e","revision":2}',
    b'{"token_id":"T","holder_id":"h","event_id":"e","retract":true,"revision":3}',
    b'{"token_id":"T","from_id":"g","to_id":"h","at":5,"amount":"1e20","event_id":"x"}',
    b'{"token_id":"T","holder_id":"g","at":6,"delta":-1,"event_id":"y"}',
    b"",
    b" \r",
    b"[1]",
    b'{"token_id":"T"}',
    b'{"token_id":"T","holder_id":"h","start":2000,"end":1000}',
    b'{"token_id":"T","holder_id":"h","start":253402000000000}',
    b'{"token_id":"T","from_id":"%s","to_id":"h","at":5,"amount":1,"event_id":"x"}' % (b"g" * 257),
    b'{"token_id":"T","holder_id":"h","start":1,"weight":-1}',
    b"x" * (LINE_BYTES_MAX + 1),
)


@given(st.lists(st.sampled_from(LINES), max_size=9))
def test_lines_are_accepted_refused_and_recorded_as_by_the_twin(lines: list[bytes]) -> None:
    pure, engine = Aggregator(), namespace().Aggregator()
    text = b"\n".join(lines)
    expected, found = (read_lines(code, text, END_US) for code in (None, namespace()))
    assert (found.lines, found.accepted, len(found)) == (expected.lines, expected.accepted, len(expected))
    assert found.refused == expected.refused
    assert engine.record_lines(found) == pure.record_lines(expected) == len(found)
    window = (END_US, None, False)
    assert answers(engine, window) == answers(pure, window)
    # Records of one say the same to the other; what a stop or a retraction does not state is left out.
    again = Aggregator()
    again.record_lines(found)
    assert answers(again, window) == answers(pure, window)


def test_a_page_begins_behind_a_score_and_a_holder() -> None:
    with pytest.raises(ValueError, match="after: does not begin with the text of a score"):
        namespace().Aggregator().page(1, END_US, None, False, None, ("1e3", "h"))


def test_a_segment_of_a_balance_may_be_larger_than_any_weight() -> None:
    events = [
        HoldEvent.model_validate(
            {"token_id": "T", "holder_id": "h", "at": at, "delta": delta, "event_id": str(at)}
        )
        for at, delta in ((0, "3e20"), (1, "3e20"), (2, "-3e20"), (3, "-3e20"), (4, "-3e20"), (5, "-3e20"))
    ]
    pure = Aggregator()
    assert namespace().Aggregator().record_events(events) == pure.record_events(events) == len(events)
    segments = namespace().merge_overlaps(events)
    assert segments == list(pure.segments())
    assert [segment[4] for segment in segments] == [3 * 10**38, 6 * 10**38, 3 * 10**38]
    engine = namespace().Aggregator()
    engine.record_events(events)
    assert engine.deficits(END_US) == pure.deficits(END_US) == [("T", "h", 4_000, -3 * 10**38, ["4"])]
    assert engine.deficits(4_000) == []


@given(MODELS, WINDOWS, policies())
def test_a_policy_publishes_natively_what_the_twin_publishes(
    models: list[Model], window: tuple[int, int | None, bool], policy: Policy
) -> None:
    pure, engine = Aggregator(), namespace().Aggregator()
    pure.record_events(models)
    engine.record_events(models)
    expected = published(policy, pure, Window(*window))
    found = published(policy, engine, Window(*window))
    assert (found.rows(), found.deficits) == (expected.rows(), expected.deficits)
    assert (found.as_of_us, found.from_us, found.closed_only) == window
    by_function = published(policy.__call__, engine, Window(*window))
    assert (by_function.rows(), by_function.deficits) == (expected.rows(), expected.deficits)
    columns = [list(column) for column in pure.held_columns(*window)]
    segments = Segments.of_columns(*engine.held_columns(*window), Window(*window))
    assert list(segments) == list(zip(*columns, strict=True))


def times(values: list[int | None]) -> array[int]:
    return array("q", [ABSENT_US if us is None else us for us in values])


def text_of(wad: int) -> str:
    return f"{wad}e-18"


#: Each kind of a column of exact values, or of flags, that both engines take.
DECIMALS: list[Callable[[int], object]] = [decimal_from_wad, text_of]
FLAGS: list[Callable[[list[bool]], Any]] = [bytes, list, lambda flags: array("B", flags)]


def columns_of(
    models: list[Model], decimal: Callable[[int], object], flags: Callable[[list[bool]], Any]
) -> dict[str, Any]:
    """The columns of holds, marks, changes and transfers; those of transfers alone only if there is one."""
    holds = [model if isinstance(model, HoldEvent) else None for model in models]
    moves = [model if isinstance(model, Transfer) else None for model in models]
    records = [model.records()[0] for model in models]

    def exact(wads: list[int | None]) -> list[object]:
        return [None if wad is None else decimal(wad) for wad in wads]

    columns: dict[str, Any] = {
        "token_id": [model.token_id for model in models],
        "holder_id": [hold and hold.holder_id for hold in holds],
        "start_us": times([record.start_us for record in records]),
        "end_us": times([record.end_us for record in records]),
        "weight": exact([None if hold is None or hold.is_change else hold.wad for hold in holds]),
        "event_id": [model.event_id for model in models],
        "revision": array("q", [model.revision for model in models]),
        "retract": flags([model.retract for model in models]),
        "at_us": times([record.at_us for record in records]),
        "delta": exact([None if hold is None else hold.record().delta for hold in holds]),
        "seq": array("q", [model.seq for model in models]),
    }
    if not any(moves):
        return columns
    amounts = [None if move is None or move.amount is None else move.amount for move in moves]
    return {
        **columns,
        "from_id": [move and move.from_id for move in moves],
        "to_id": [move and move.to_id for move in moves],
        "amount": exact([None if amount is None else wad_from_decimal(amount) for amount in amounts]),
    }


@given(MODELS, st.sampled_from(DECIMALS), st.sampled_from(FLAGS), WINDOWS)
def test_columns_of_every_kind_give_what_the_twin_gives(
    models: list[Model],
    decimal: Callable[[int], object],
    flags: Callable[[list[bool]], Any],
    window: tuple[int, int | None, bool],
) -> None:
    columns = columns_of(models, decimal, flags)
    whole, pure, engine = Aggregator(), Aggregator(), namespace().Aggregator()
    count = whole.record_events(models)
    assert engine.record_batch(**columns) == pure.record_batch(**columns) == count
    expected = answers(whole, window)
    assert answers(engine, window) == answers(pure, window) == expected
    as_of_us, from_us, closed_only = window
    once = namespace().score_columns(**columns, as_of_us=as_of_us, from_us=from_us, closed_only=closed_only)
    snapshot = whole.snapshot(*window)
    assert (once.rows(), once.deficits) == (snapshot.rows(), snapshot.deficits)


@given(st.lists(st.tuples(INSTANTS, st.floats(-1e6, 1e6)), max_size=6))
def test_deltas_as_doubles_are_read_as_by_the_twin(changes: list[tuple[int, float]]) -> None:
    columns: dict[str, Any] = {
        "token_id": ["T"] * len(changes),
        "holder_id": [5] * len(changes),
        "event_id": [str(number) for number in range(len(changes))],
        "at_us": array("q", [at_us for at_us, _ in changes]),
        "delta": array("d", [delta for _, delta in changes]),
    }
    outcomes = [
        outcome(engine.record_batch, **columns) for engine in (Aggregator(), namespace().Aggregator())
    ]
    assert outcomes[0] == outcomes[1]


def outcome(call: Callable[..., object], *arguments: object, **named: object) -> object:
    try:
        return call(*arguments, **named)
    except ValueError as refusal:
        return str(refusal)


class Weightless:
    """Not a value of any field."""

    def __repr__(self) -> str:
        return "Weightless('\n')"


GARBAGE: list[object] = [
    *("", "x", "a\nb", "é" * 41, "1.5", "-1", "1e-19", "1e21", "NaN", "7", "\t7"),
    *(0, 1, -1, 7, 2**63 - 1, 2**63, -(2**63), 10**30, True, False),
    *(0.0, -0.0, 1.5, -2.5, 1e-19, 1e30, math.nan, -math.inf),
    *(Decimal("1.5"), Decimal("-1"), Decimal("NaN"), Decimal("-Infinity"), Decimal("1e-30")),
    *([], (), b"T", {}, Weightless(), NULL_ADDRESS),
]
FIELDS = (
    *("token_id", "holder_id", "start_us", "end_us", "weight", "event_id"),
    *("revision", "retract", "at_us", "delta", "seq"),
)
OF_A_TRANSFER = (
    *("token_id", "from_id", "to_id", "amount", "event_id"),
    *("revision", "retract", "at_us", "seq"),
)
HOLD: dict[str, object] = {"token_id": "T", "holder_id": "h", "start_us": 0, "end_us": 9, "event_id": "a"}
MOVE: dict[str, object] = {"token_id": "T", "to_id": "h", "event_id": "a", "at_us": 0, "amount": 1}
CHANGE: dict[str, object] = {"token_id": "T", "holder_id": "h", "event_id": "a", "at_us": 0, "delta": 1}


@given(
    st.sampled_from([HOLD, CHANGE]),
    st.dictionaries(st.sampled_from(FIELDS), st.none() | st.sampled_from(GARBAGE), max_size=4),
)
def test_one_event_is_refused_in_the_same_words(given: dict[str, object], changed: dict[str, object]) -> None:
    fields: dict[str, Any] = {**given, **changed}
    pure, engine = Aggregator(), namespace().Aggregator()
    found = outcome(engine.record, **fields)
    assert found == outcome(pure.record, **fields)
    assert (engine.events, engine.holders) == ((1, 1) if found is None else (0, 0))


def column(name: str, values: Sequence[Any]) -> Any:
    """A column as both engines take it; None if a buffer cannot hold the values."""
    if name not in ("start_us", "end_us", "at_us", "revision", "seq"):
        return list(values)
    absent = 0 if name in ("revision", "seq") else ABSENT_US
    try:
        return array("q", [absent if value is None else value for value in values])
    except (TypeError, OverflowError):
        return None


@given(
    st.sampled_from(
        [(given, name) for given in (HOLD, CHANGE) for name in FIELDS]
        + [(MOVE, name) for name in OF_A_TRANSFER]
    ),
    st.none() | st.sampled_from(GARBAGE),
    st.integers(0, 2),
)
def test_a_batch_is_refused_in_the_same_words(
    given_and_name: tuple[dict[str, object], str], value: object, row: int
) -> None:
    given, name = given_and_name
    rows = [dict(given, event_id=str(number)) for number in range(3)]
    rows[row][name] = value
    fields = {each for fields in rows for each in fields}
    columns = {each: column(each, [fields.get(each) for fields in rows]) for each in fields}
    columns = {each: values for each, values in columns.items() if values is not None}
    pure, engine = Aggregator(), namespace().Aggregator()
    found = outcome(engine.record_batch, **columns)
    assert found == outcome(pure.record_batch, **columns)
    assert engine.events == (found if isinstance(found, int) else 0)
    once = outcome(namespace().score_columns, **columns, as_of_us=9)
    assert once == found if isinstance(found, str) else isinstance(found, int)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"start_us": array("q", [0, 1])}, "start_us: 2 rows, but token_id has 1"),
        ({"at_us": array("d", [0])}, "at_us: expected a contiguous one-dimensional buffer of int64"),
        ({"seq": [0]}, "seq: expected a contiguous one-dimensional buffer of int64, found list"),
        ({"delta": array("f", [0])}, "delta: expected a contiguous one-dimensional buffer of float64, found"),
        ({"amount": "1"}, "amount: expected a contiguous one-dimensional buffer of float64, found str"),
        ({"from_id": ["a", "b"]}, "from_id: 2 rows, but token_id has 1"),
        ({"to_id": []}, "to_id: 0 rows, but token_id has 1"),
        (
            {"amount": array("d", [1])},
            "row 0: amount: given without from_id and to_id (did you mean ",
        ),
        ({"retract": "x"}, "retract: expected a contiguous one-dimensional buffer of bool, found str"),
        ({"retract": b"\2"}, "row 0: retract: not true or false; found 2"),
        ({"weight": array("d", [-1])}, "row 0: weight: negative (write 0 or more); found -1.0"),
    ],
)
def test_a_column_of_the_wrong_kind_is_refused_in_the_same_words(columns: dict[str, Any], words: str) -> None:
    fields: dict[str, Any] = {"token_id": ["T"], "holder_id": ["h"], "start_us": array("q", [0]), **columns}
    found = [outcome(engine.record_batch, **fields) for engine in (namespace().Aggregator(), Aggregator())]
    assert found[0] == found[1]
    assert str(found[0]).startswith(words)

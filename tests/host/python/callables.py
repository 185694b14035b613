"""Every callable of the native namespace answers and refuses as its contract says."""

from __future__ import annotations

import ctypes
from array import array
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import _holdmetrics_host as native

SECOND = 1_000_000
ABSENT = -(2**63)
UTC = timezone.utc  # noqa: UP017 - the object whose identity the reader looks for
NOON = datetime(2025, 7, 21, 12, tzinfo=UTC)
NOON_US = 1_753_099_200 * SECOND


def refused(reason, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except ValueError as error:
        assert str(error).startswith(reason), f"{error!s} does not start with {reason}"
    else:
        raise AssertionError(f"accepted: {arguments} {named}, not refused with {reason}")


def model(**fields):
    event = {"token_id": "T", "holder_id": "h", "start": NOON, "end": None, "weight": Decimal(1)}
    return SimpleNamespace(**event | fields)


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no text")


def one_event_after_the_other():
    aggregator = native.Aggregator()
    aggregator.record("T", "ada", 0, 10 * SECOND)
    aggregator.record("T", "bob", start_us=0, weight="0.5")
    aggregator.record("T", "cyd", 0, 4 * SECOND, Decimal("2.5"), "a", 3)
    aggregator.record("T", "cyd", 0, 9 * SECOND, 100, "a", 2)
    aggregator.record("T", "dan", 0, SECOND, 0.1)
    aggregator.record("T", "dan", event_id="b", retract=True)
    assert (aggregator.events, aggregator.holders, aggregator.keys) == (6, 4, 4)
    board = [
        (1, "ada", 10_000_000, "10", 10.0),
        (1, "bob", 20_000_000, "10", 10.0),
        (1, "cyd", 4_000_000, "10", 10.0),
        (4, "dan", 1_000_000, "0.1", 0.1),
    ]
    snapshot = aggregator.snapshot(20 * SECOND)
    assert snapshot.rows() == board
    assert snapshot.rows(2) == board[:2]
    assert (len(snapshot), snapshot.as_of_us, snapshot.from_us, snapshot.closed_only) == (
        4,
        20 * SECOND,
        None,
        False,
    )
    assert aggregator.leaderboard(2, 20 * SECOND) == board[:2]
    assert native.leaderboard(aggregator, 10**30, 20 * SECOND) == board
    assert native.snapshot(aggregator, 20 * SECOND, 5 * SECOND).rows(1) == [
        (1, "bob", 15_000_000, "7.5", 7.5)
    ]
    assert aggregator.holder("dan", 20 * SECOND) == board[3]
    assert aggregator.holder("eve", 20 * SECOND) is None
    assert aggregator.holder("bob", 20 * SECOND, None, True) == (4, "bob", 0, "0", 0.0)
    other = native.Aggregator()
    other.record("U", "dan", 0, 100 * SECOND)
    aggregator.merge(other)
    aggregator.merge(aggregator)
    assert aggregator.leaderboard(1, 200 * SECOND, 0, closed_only=True) == [
        (1, "dan", 101_000_000, "100.1", 100.1)
    ]


def refusals_of_one_event():
    aggregator = native.Aggregator()
    for reason, arguments, named in [
        ("token_id: missing or empty", ("", "h", 0), {}),
        ("token_id: missing or empty", (None, "h", 0), {}),
        ("token_id: not text; found '\\ud800'", ("\ud800", "h", 0), {}),
        ("holder_id: not text; found 5.5", ("T", 5.5, 0), {}),
        ("holder_id: not text; found True", ("T", True, 0), {}),
        (
            "start: not a time (write 2025-07-21T00:00:00Z, or milliseconds since 1970); found 1.5",
            ("T", "h", 1.5),
            {},
        ),
        ("start: not a time", ("T", "h", True), {}),
        (
            "start: out of range (years 0001 to 9999, UTC); found 1180591620717411303424",
            ("T", "h", 2**70),
            {},
        ),
        ("end: out of range", ("T", "h", 0, ABSENT), {}),
        (
            'weight: not a number (a decimal comma is not read; write a point); found "1,5"',
            ("T", "h", 0, None, "1,5"),
            {},
        ),
        (
            f'weight: not a number (write a decimal like 1.5); found "{"x" * 40}"...',
            ("T", "h", 0, None, "x" * 41),
            {},
        ),
        ('weight: not a number (write a decimal like 1.5); found "a\\n"', ("T", "h", 0, None, "a\n"), {}),
        (
            "weight: not a number (write a decimal like 1.5); found Unprintable",
            ("T", "h", 0, None, Unprintable()),
            {},
        ),
        ("weight: not a number", ("T", "h", 0, None, True), {}),
        ("weight: not a number", ("T", "h", 0, None, Fraction(1, 2)), {}),
        ("weight: negative (write 0 or more); found -1", ("T", "h", 0, None, -1), {}),
        ("weight: negative", ("T", "h", 0, None, -(10**60)), {}),
        ("weight: not finite", ("T", "h", 0, None, float("nan")), {}),
        ("weight: not finite", ("T", "h", 0, None, Decimal("sNaN12")), {}),
        ("weight: not finite", ("T", "h", 0, None, Decimal("-Infinity")), {}),
        ("weight: under 1e-18", ("T", "h", 0, None, Decimal("1e-19")), {}),
        ("weight: too large", ("T", "h", 0, None, 10**60), {}),
        ('event_id: empty or not text; found ""', ("T", "h", 0), {"event_id": ""}),
        ("event_id: empty or not text; found 7", ("T", "h", 0), {"event_id": 7}),
        ("revision: not an integer", ("T", "h", 0), {"event_id": "a", "revision": -1}),
        ("revision: not an integer", ("T", "h", 0), {"event_id": "a", "revision": 2**63}),
        ("revision: not an integer", ("T", "h", 0), {"event_id": "a", "revision": True}),
        ("retract: not true or false", ("T", "h", 0), {"event_id": "a", "retract": 1}),
        ("revision or retract without event_id", ("T", "h", 0), {"revision": 1}),
        ("start, end: neither is given", ("T", "h"), {}),
        ("seq: not an integer from 0 to 2^63-1; found -1", ("T", "h", 0), {"seq": -1}),
        ("seq: not an integer from 0 to 2^63-1; found 1.0", ("T", "h", 0), {"seq": 1.0}),
        ("start: given for a change of balance", ("T", "h", 0), {"event_id": "a", "at_us": 0, "delta": 1}),
        ("weight: given for", ("T", "h"), {"event_id": "a", "at_us": 0, "delta": 1, "weight": 1}),
        ("event_id: missing (a change of balance needs one)", ("T", "h"), {"at_us": 0, "delta": 1}),
        ("at: missing (a change of balance needs one)", ("T", "h"), {"event_id": "a", "delta": 1}),
        ("delta: missing (a change of balance needs one)", ("T", "h"), {"event_id": "a", "at_us": 1}),
        ("at: not a time", ("T", "h"), {"event_id": "a", "at_us": "0", "delta": 1}),
        ("delta: not finite", ("T", "h"), {"event_id": "a", "at_us": 0, "delta": float("-inf")}),
        ("delta: too large", ("T", "h"), {"event_id": "a", "at_us": 0, "delta": -(10**21)}),
        ("end: before start", ("T", "h", 1, 0), {}),
    ]:
        refused(reason, aggregator.record, *arguments, **named)
    assert (aggregator.events, aggregator.holders, aggregator.keys) == (0, 0, 0)
    refused("as_of_us: not an integer", aggregator.snapshot, "now")
    refused("as_of_us: out of range", aggregator.snapshot, 2**62)
    refused("from_us: out of range", aggregator.snapshot, 0, 2**80)
    refused("n: not an integer of 0 or more", aggregator.leaderboard, -1, 0)
    refused("n: not an integer of 0 or more", aggregator.snapshot(0).rows, "all")


def lists_of_models():
    zone = timezone(timedelta(hours=9))
    events = [
        model(end=NOON + timedelta(seconds=10)),
        model(start=datetime(2025, 7, 21, 21, tzinfo=zone), end=NOON + timedelta(seconds=5), weight=3),
        model(holder_id="g", weight="0.5", event_id="a", revision=1, retract=False),
    ]
    until = NOON_US + 20 * SECOND
    assert native.score_exact(events, until) == (30_000_000, "30", 30.0)
    assert native.calculate_score(events, until) == 30.0
    assert native.calculate_score(tuple(events), until, until) == 10.0 * 0
    assert native.calculate_score((event for event in events), until, None, True) == 20.0
    assert native.aggregate(events, until).rows() == [
        (1, "h", 10_000_000, "20", 20.0),
        (2, "g", 20_000_000, "10", 10.0),
    ]
    assert native.merge_overlaps(events) == [
        ("T", "g", NOON_US, None, 5 * 10**17),
        ("T", "h", NOON_US, NOON_US + 5 * SECOND, 3 * 10**18),
        ("T", "h", NOON_US + 5 * SECOND, NOON_US + 10 * SECOND, 10**18),
    ]
    aggregator = native.Aggregator()
    assert aggregator.record_events(events) == 3
    assert aggregator.snapshot(until).rows() == native.aggregate(events, until).rows()
    assert native.aggregate([], until).rows() == []


def change(**fields):
    given = {"start": None, "event_id": "1", "at": NOON, "delta": Decimal(1)}
    return model(**given | fields)


def transfer(**fields):
    event = {"token_id": "T", "from_id": "ada", "to_id": "bob", "at": NOON, "amount": Decimal(2)}
    return SimpleNamespace(**event | {"event_id": "1", "revision": 0, "retract": False, "seq": 0} | fields)


class SlottedTransfer:
    """A transfer without a dictionary, and with parties as integers."""

    __slots__ = ("amount", "at", "event_id", "to_id", "token_id")

    def __init__(self):
        self.token_id, self.to_id, self.at, self.amount, self.event_id = 7, 8, NOON, "1", "2"


def models_of_changes_and_transfers():
    aggregator = native.Aggregator()
    # The weight of a model of a change is the default of its class, and is not read.
    assert aggregator.record_events([change(), change(weight="x", holder_id=9)]) == 2
    assert (aggregator.holders, aggregator.keys) == (2, 2)
    assert (
        aggregator.record_events([transfer(), SlottedTransfer(), transfer(event_id="2", retract=True)]) == 5
    )
    mint = SimpleNamespace(amount=1, to_id="cyd", token_id="T", event_id="3", at=NOON)
    assert aggregator.record_events([mint, transfer(from_id="0x" + "0" * 40), transfer(to_id="ada")]) == 3
    holders = sorted(row[1] for row in aggregator.snapshot(NOON_US).rows())
    assert holders == ["8", "9", "ada", "bob", "cyd", "h"]
    for reason, event in [
        ("from_id: not text; found 1.5", transfer(from_id=1.5)),
        ("from_id, to_id: no holder in either", transfer(from_id=None, to_id="")),
        ("event_id: missing (a transfer needs one)", transfer(event_id=None)),
        ("at: missing (a transfer needs one)", transfer(at=None)),
        ("amount: missing (a transfer needs one)", transfer(amount=None)),
        ("amount: negative (write 0 or more); found Decimal('-1')", transfer(amount=Decimal(-1))),
        ("amount: not a number (write a decimal like 1.5); found True", transfer(amount=True)),
        ("at: not a time", change(at=5)),
        ("delta: missing (a change of balance needs one)", change(delta=None)),
        ("start: given for a change of balance", change(start=NOON)),
        ("seq: not an integer from 0 to 2^63-1; found -1", model(seq=-1)),
    ]:
        # Rows are those of the list, although a transfer has two changes.
        refused(f"row 2: {reason}", aggregator.record_events, [transfer(), transfer(), event])
    assert (aggregator.events, aggregator.holders) == (10, 6)


class Slotted:
    """A model without a dictionary, and with a property among its attributes."""

    __slots__ = ("end", "holder_id", "start")

    def __init__(self):
        self.holder_id, self.start, self.end = "h", NOON, NOON + timedelta(seconds=2)

    @property
    def token_id(self):
        return "T"


def models_of_other_kinds():
    until = NOON_US + 20 * SECOND
    assert native.score_exact([Slotted()], until) == (2_000_000, "2", 2.0)
    disordered = SimpleNamespace(
        weight=2, end=NOON + timedelta(seconds=3), start=NOON, holder_id="h", token_id="T"
    )
    assert native.score_exact([disordered], until) == (3_000_000, "6", 6.0)
    refused("row 0: token_id: missing", native.aggregate, [5], until)
    refused(
        "row 0: start: no UTC offset (end it with Z or an offset like +02:00, or read the file with "
        '--assume-utc); found "2025-01-01 00:00:00"',
        *(native.aggregate, [model(start=datetime(2025, 1, 1))], until),
    )
    refused(
        "row 1: start: no UTC offset", native.aggregate, [model(), model(start=datetime(2025, 1, 1))], until
    )
    refused("row 0: start: not a time", native.aggregate, [model(start="2025-01-01T00:00:00Z")], until)
    edge = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    refused("row 0: start: out of range", native.aggregate, [model(start=edge)], until)
    aggregator = native.Aggregator()
    refused("row 1: weight: negative", aggregator.record_events, [model(), model(weight=-1)])
    assert aggregator.events == 0

    class Failing:
        @property
        def token_id(self):
            raise KeyError("inside a model")

    try:
        native.aggregate([Failing()], until)
    except KeyError as error:
        assert error.args == ("inside a model",)
    else:
        raise AssertionError("an exception of a model was swallowed")


def columns():
    times = array("q", [0, ABSENT, 0]), array("q", [10 * SECOND, 5 * SECOND, ABSENT])
    aggregator = native.Aggregator()
    assert native.record_batch(aggregator, ["T"] * 3, ["a", "a", "b"], *times) == 3
    assert aggregator.snapshot(20 * SECOND).rows() == [
        (1, "b", 20_000_000, "20", 20.0),
        (2, "a", 10_000_000, "10", 10.0),
    ]
    snapshot = native.score_columns(
        ["T"] * 3,
        ["a", "a", "b"],
        *times,
        weight=array("d", [0.1, 5, 2]),
        event_id=["x", None, "y"],
        revision=array("q", [1, 0, 2]),
        retract=b"\0\0\1",
        as_of_us=20 * SECOND,
    )
    assert snapshot.rows() == [(1, "a", 10_000_000, "1", 1.0), (2, "b", 0, "0", 0.0)]
    exact = native.score_columns(
        ["T"] * 2, ["a", "b"], array("q", [0, 0]), None, weight=["0.1", Decimal("1e-18")], as_of_us=SECOND
    )
    assert exact.rows() == [(1, "a", SECOND, "0.1", 0.1), (2, "b", SECOND, "0.000000000000000001", 1e-18)]
    foreign = (ctypes.c_int64 * 2)(0, 0), (ctypes.c_int64 * 2)(3, 4)
    assert native.score_columns(["T"] * 2, ["a", "b"], *foreign, as_of_us=9).rows()[0][:3] == (1, "b", 4)
    mixed = native.Aggregator()
    assert (
        mixed.record_batch(
            *(["T", 7, "T"], ["a", "b", 8]),
            start_us=array("q", [0, ABSENT, 0]),
            event_id=["x", "y", None],
            retract=[None, False, False],
            weight=[Decimal(2), None, None],
            at_us=array("q", [ABSENT, 5, ABSENT]),
            delta=[None, "-1.5", None],
            seq=array("q", [3, 0, 2**63 - 1]),
        )
        == 3
    )
    assert [row[1:3] for row in mixed.snapshot(10).rows() if row[2]] == [("a", 10), ("8", 10)]
    assert (mixed.holders, mixed.keys) == (3, 3)
    moves = native.score_columns(
        ["T"] * 3,
        start_us=array("q", [ABSENT, ABSENT, 0]),
        holder_id=[None, None, "cyd"],
        event_id=["1", "2", None],
        at_us=array("q", [0, 5, ABSENT]),
        from_id=[None, "ann", None],
        to_id=["ann", 8, None],
        amount=["2.5", Decimal(3), None],
        as_of_us=10,
    )
    assert [row[1:3] for row in moves.rows()] == [("8", 5), ("ann", 5), ("cyd", 10)]
    assert moves.deficits == 1
    many = 20_000
    spread = native.score_columns(
        ["T"] * many,
        [f"h{row % 100}" for row in range(many)],
        array("q", range(many)),
        array("q", range(1, many + 1)),
        as_of_us=many,
    )
    assert [row[2] for row in spread.rows()] == [many // 100] * 100


def the_namespace():
    assert native.API == 6
    assert native.__version__.count(".") == 2
    for kind in (native.Aggregator(), native.Aggregator().snapshot(0)):
        try:
            kind.extra = 1
        except AttributeError:
            continue
        raise AssertionError(f"{kind!r} is not frozen")


for check in (
    one_event_after_the_other,
    refusals_of_one_event,
    lists_of_models,
    models_of_changes_and_transfers,
    models_of_other_kinds,
    columns,
    the_namespace,
):
    check()
print("ok")

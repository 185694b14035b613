"""Other libraries read a snapshot through Arrow, and their columns are read here. Those that are not
installed are named; with none there is nothing to try."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from array import array
from decimal import Decimal

import _holdmetrics_host as native

SECOND = 1_000_000
AGGREGATOR = native.Aggregator()
AGGREGATOR.record("T", "ada", 0, 10 * SECOND)
AGGREGATOR.record("T", "bob", 0, None, "0.5")
SNAPSHOT = AGGREGATOR.snapshot(30 * SECOND)
ROWS = [
    {
        "rank": 1,
        "holder_id": "bob",
        "held_us": Decimal(30 * SECOND),
        "score": "15",
        "weighted_score": 15.0,
        "total_seconds": 30,
    },
    {
        "rank": 2,
        "holder_id": "ada",
        "held_us": Decimal(10 * SECOND),
        "score": "10",
        "weighted_score": 10.0,
        "total_seconds": 10,
    },
]
START = array("q", [0, 0, 5 * SECOND])
END = array("q", [10 * SECOND, 4 * SECOND, 6 * SECOND])
SCORED = [(1, "b", 4 * SECOND, "8", 8.0), (2, "a", 10 * SECOND, "1", 1.0)]
TOKENS, HOLDERS, WEIGHTS = ["T", "T", "T"], ["a", "b", "a"], [0.1, 2.0, 0.1]


def scored(*columns, **named):
    rows = native.score_columns(*columns, **named, as_of_us=60 * SECOND).rows()
    assert rows == SCORED, rows


def nulls_are_absent(pa):
    aggregator = native.Aggregator()
    integers = pa.array([7, 7, None], pa.int64())
    assert (
        aggregator.record_batch(
            *(pa.array([1, 2, 3], pa.uint8()), pa.chunked_array([[10, 11], [12]], pa.int32())),
            start_us=pa.array([0, 0, None]),
            event_id=pa.array(["x", None, "z"]),
            revision=pa.array([1, None, None]),
            retract=pa.array([None, False, False]),
            weight=pa.array([2.0, None, None]),
            at_us=pa.array([None, None, 5]),
            delta=pa.array([None, None, -1.5]),
            seq=integers,
        )
        == 3
    )
    assert [row[1:4] for row in aggregator.snapshot(SECOND).rows() if row[2]] == [
        ("10", SECOND, "2"),
        ("11", SECOND, "1"),
    ]
    assert aggregator.holders == 3


def a_failing_stream_says_why(pa):
    schema = pa.schema([("token_id", pa.string()), ("holder_id", pa.string()), ("end", pa.int64())])

    def batches():
        yield pa.record_batch([["T"], ["a"], [1]], schema=schema)
        raise ValueError("the query behind it ended early")

    aggregator = native.Aggregator()
    try:
        aggregator.record_batch(pa.RecordBatchReader.from_batches(schema, batches()))
    except ValueError as error:
        assert "the query behind it ended early" in str(error), error
        assert "\n" not in str(error), error
    else:
        raise AssertionError("accepted")
    assert aggregator.events == 0


def decimals_of_every_type(pa):
    exact = [Decimal("0.1"), None, Decimal(3)]
    times = pa.array([0, 0, 0])
    for column in (
        pa.array(exact, pa.decimal128(20, 5)),
        pa.array(exact, pa.decimal256(40, 18)),
        pa.array([0.1, None, 3]),
        pa.array([0.1, None, 3], pa.float32()),
        pa.array(["0.1", None, "3"]),
        pa.array(["0.1", None, "3"]).dictionary_encode(),
        pa.chunked_array([["0.1", None], [], ["3e0"]]),
    ):
        snapshot = native.score_columns(["T"] * 3, [1, 2, 3], times, weight=column, as_of_us=SECOND)
        assert [row[3] for row in snapshot.rows()] == ["3", "1", "0.1"], column
        changes = native.score_columns(
            ["T"] * 3,
            to_id=[1, 2, 3],
            amount=column.fill_null(column[0]),
            at_us=times,
            event_id=["1", "2", "3"],
            as_of_us=SECOND,
        )
        assert [row[3] for row in changes.rows()] == ["3", "0.1", "0.1"], column
    whole = pa.array([2, None, 5], pa.uint16())
    snapshot = native.score_columns(["T"] * 3, [1, 2, 3], times, weight=whole, as_of_us=SECOND)
    assert [row[3] for row in snapshot.rows()] == ["5", "2", "1"]


def tables_of_transfers(pa):
    columns = {
        "token_id": pa.array([7, 7, 7], pa.int64()),
        "from_id": pa.array([None, "ada", "0x" + "0" * 40]),
        "to_id": pa.array(["ada", "bob", "bob"]).dictionary_encode(),
        "at": pa.array([0, 10, 10], pa.timestamp("s", tz="UTC")),
        "amount": pa.array([Decimal(5), Decimal(6), Decimal("0.5")], pa.decimal128(30, 18)),
        "event_id": pa.array(["1", "2", "3"]),
    }
    scored = [(1, "bob", 10 * SECOND, "65", 65.0), (2, "ada", 10 * SECOND, "50", 50.0)]
    aggregator = native.Aggregator()
    assert aggregator.record_batch(pa.table(columns)) == 4
    for snapshot in (
        aggregator.snapshot(20 * SECOND),
        native.score_columns(pa.table(columns), as_of_us=20 * SECOND),
    ):
        assert (snapshot.rows(), snapshot.deficits) == (scored, 1)
    assert aggregator.deficits(20 * SECOND) == [("7", "ada", 10 * SECOND, -(10**18), ["2"])]
    assert aggregator.deficits(10 * SECOND) == []
    changes = {
        "token_id": columns["token_id"],
        "holder_id": pa.array(["ada", "ada", "bob"]),
        "at_us": pa.array([0, 10 * SECOND, 10 * SECOND]),
        "delta": pa.array(["5", "-6", "6.5"]),
        "event_id": columns["event_id"],
    }
    assert native.score_columns(pa.table(changes), as_of_us=20 * SECOND).rows() == scored
    nameless = columns | {"event_id": pa.array(["1", None, "3"])}
    for call in (native.Aggregator().record_batch, lambda table: native.score_columns(table, as_of_us=1)):
        try:
            call(pa.table(nameless))
        except ValueError as error:
            assert str(error) == "row 1: event_id: missing (a transfer needs one)", error
        else:
            raise AssertionError("a transfer without an event_id was accepted")


def with_pyarrow(pa):
    table = pa.table(SNAPSHOT)
    assert table.to_pylist() == ROWS
    assert str(table.schema.field("held_us").type) == "decimal128(38, 0)"
    assert pa.table(native.Aggregator().snapshot(0)).num_rows == 0
    # A large one crosses in several batches.
    many = 300_000
    big = native.score_columns(
        ["t"] * many, [str(row) for row in range(many)], array("q", [0] * many), None, as_of_us=SECOND
    )
    assert pa.table(big).column("rank").to_pylist() == [1] * many

    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        tokens = pa.array(TOKENS, pa.string()).cast(kind)
        scored(tokens, pa.array(HOLDERS).cast(kind), START, END, array("d", WEIGHTS))
    sliced = pa.array(["x", *HOLDERS, "y"]).slice(1, 3)
    scored(TOKENS, sliced, START, END, array("d", WEIGHTS))
    chunked = pa.chunked_array([HOLDERS[:1], [], HOLDERS[1:]])
    scored(TOKENS, chunked, pa.array(START), pa.chunked_array([END[:2], END[2:]]), pa.array(WEIGHTS))
    scored(TOKENS, HOLDERS, START, END, array("d", WEIGHTS), pa.array([None] * 3, pa.string()))
    nothing = pa.array([None] * 3, pa.string()).dictionary_encode()
    scored(TOKENS, HOLDERS, START, END, array("d", WEIGHTS), nothing)

    columns = {
        "token_id": pa.array(TOKENS),
        "holder_id": pa.array(HOLDERS).dictionary_encode(),
        "start": pa.array(START).cast(pa.timestamp("us", tz="UTC")),
        "end_us": pa.array(END),
        "weight": pa.array([Decimal("0.1"), Decimal(2), Decimal("0.1")], pa.decimal128(10, 3)),
        "unknown": pa.array([1, 2, 3]),
    }
    scored(pa.table(columns))
    scored(pa.table(columns).to_reader())
    scored(pa.record_batch(columns))
    aggregator = native.Aggregator()
    assert aggregator.record_batch(pa.table(columns)) == 3
    assert aggregator.snapshot(60 * SECOND).rows() == SCORED

    def refused(reason, *given, **named):
        try:
            aggregator.record_batch(*given, **named)
        except ValueError as error:
            assert str(error).startswith(reason), error
        else:
            raise AssertionError(f"accepted, not refused with {reason}")
        assert aggregator.events == 3

    refused(
        "token_id: expected an Arrow column of strings, found one of Float64",
        pa.array([1.0, 2.0, 3.0]),
        HOLDERS,
        START,
        END,
    )
    numbers = pa.array([1, 2, 3], pa.int8())
    refused(
        "event_id: expected an Arrow column of strings, found one of Int8",
        *(TOKENS, HOLDERS, START, END),
        event_id=numbers,
    )
    refused("seq: expected an Arrow column of int64, found one of Int8", TOKENS, HOLDERS, START, seq=numbers)
    refused(
        "row 2: weight: negative (write 0 or more); found -1",
        *(TOKENS, HOLDERS, START, END, pa.array([None, 1.0, -1.0])),
    )
    nulls_are_absent(pa)
    refused(
        'row 2: weight: not a number (write a decimal like 1.5); found "x"',
        *(TOKENS, HOLDERS, START, END, pa.chunked_array([["1", None], ["x"]])),
    )
    refused(
        "weight: expected an Arrow column of decimals, found one of Boolean",
        *(TOKENS, HOLDERS, START, END, pa.array([True, False, True])),
    )
    decimals_of_every_type(pa)
    a_failing_stream_says_why(pa)
    tables_of_transfers(pa)
    refused("row 1: holder_id: missing", TOKENS, pa.array(["a", None, "b"]), START, END)
    refused("start_us: ", TOKENS, HOLDERS, pa.array([1.0, 2.0, 3.0]), END)
    refused("table: ", pa.table({"token_id": TOKENS}))
    weightless = columns | {"weight": pa.array([1.0, -1.0, 2.0])}
    refused("row 1: weight: negative (write 0 or more); found -1", pa.table(weightless))
    two_chunks = pa.concat_tables([pa.table(columns), pa.table(weightless | {"weight": columns["weight"]})])
    assert aggregator.record_batch(two_chunks) == 6
    broken = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(array("i", [0, 9, 1, 3]).tobytes()), pa.py_buffer(b"abc")]
    )
    try:
        native.score_columns(broken, HOLDERS, START, END, as_of_us=1)
    except ValueError as error:
        assert str(error).startswith("token_id: invalid Arrow data"), error
    else:
        raise AssertionError("offsets that run backwards were accepted")
    invalid = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(array("i", [0, 1, 2, 3]).tobytes()), pa.py_buffer(b"a\xffc")]
    )
    try:
        native.score_columns(invalid, HOLDERS, START, END, as_of_us=1)
    except ValueError as error:
        assert str(error).startswith("token_id: invalid Arrow data"), error
    else:
        raise AssertionError("bytes that are no UTF-8 were accepted")


def with_polars(pl):
    frame = pl.DataFrame(SNAPSHOT)
    assert frame.select("rank", "holder_id", "score").rows() == [(1, "bob", "15"), (2, "ada", "10")]
    assert frame.get_column("held_us").to_list() == [row["held_us"] for row in ROWS]
    scored(pl.Series(TOKENS), pl.Series(HOLDERS), pl.Series(START), pl.Series(END), pl.Series(WEIGHTS))
    scored(pl.Series(TOKENS).cast(pl.Categorical), pl.Series(HOLDERS), START, END, array("d", WEIGHTS))
    scored(
        pl.DataFrame(
            {"token_id": TOKENS, "holder_id": HOLDERS, "start_us": START, "end_us": END, "weight": WEIGHTS}
        )
    )


def with_numpy(np):
    start, end = np.array(START), np.array(END)
    flags = np.array([False, False, False])
    scored(TOKENS, HOLDERS, start, end, np.array(WEIGHTS), retract=flags)
    scored(TOKENS, HOLDERS, np.repeat(start, 2).reshape(3, 2)[:, 0].copy(), end, np.array(WEIGHTS))
    for bad in (np.repeat(start, 2)[::2], start.astype(">i8"), start.astype("i4"), start.reshape(3, 1)):
        try:
            native.score_columns(TOKENS, HOLDERS, bad, end, as_of_us=1)
        except ValueError as error:
            assert str(error).startswith("start_us: expected a contiguous"), error
        else:
            raise AssertionError(f"accepted {bad!r}")


def with_duckdb(duckdb):
    snapshot = SNAPSHOT  # noqa: F841 - the query names it
    found = duckdb.sql("select holder_id, score, held_us from snapshot where rank = 1").fetchall()
    assert found == [("bob", "15", Decimal(30 * SECOND))] or found == [("bob", "15", 30 * SECOND)], found
    table = duckdb.sql("select 'T' as token_id, 'h' as holder_id, 0 as start_us, 5 as end_us").arrow()
    assert native.score_columns(table, as_of_us=9).rows() == [(1, "h", 5, "0.000005", 5e-06)]


for name, check in {
    "pyarrow": with_pyarrow,
    "polars": with_polars,
    "numpy": with_numpy,
    "duckdb": with_duckdb,
}.items():
    if importlib.util.find_spec(name) is None:
        print(f"not tried: {name} is not installed for {sys.prefix}")
    else:
        check(importlib.import_module(name))
print("ok")

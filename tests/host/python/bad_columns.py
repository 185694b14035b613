"""Columns of wrong kinds, formats, shapes and lengths: a ValueError each, and nothing is applied."""

from __future__ import annotations

import ctypes
import struct
from array import array

import _holdmetrics_host as native

AGGREGATOR = native.Aggregator()
TEXTS = ["a", "b"]
TIMES = array("q", [1, 2])
LATER = array("q", [3, 4])


def refused(reason, *columns, **named):
    for call in (AGGREGATOR.record_batch, lambda *c, **n: native.score_columns(*c, **n, as_of_us=9)):
        try:
            call(*columns, **named)
        except ValueError as error:
            assert str(error).startswith(reason), f"{error!s} does not start with {reason}"
        else:
            raise AssertionError(f"accepted: {columns} {named}")
    assert AGGREGATOR.events == 0


def bad_formats():
    for bad in (
        [1, 2],
        (1, 2),
        7,
        "12",
        array("d", [1, 2]),
        array("i", [1, 2]),
        array("Q", [1, 2]),
        bytes(16),
        memoryview(struct.pack(">2q", 1, 2)),
        (ctypes.c_int64.__ctype_be__ * 2)(1, 2),
        (ctypes.c_int32 * 2)(1, 2),
        memoryview(array("q", [1, 2, 3, 4]))[::2],
        memoryview(bytes(32)).cast("q", (2, 2)),
    ):
        refused(
            "start_us: expected a contiguous one-dimensional buffer of int64, found ",
            TEXTS,
            TEXTS,
            bad,
            LATER,
        )
        refused("end_us: ", TEXTS, TEXTS, TIMES, bad)
        refused("at_us: ", TEXTS, TEXTS, TIMES, LATER, at_us=bad)
        refused("revision: ", TEXTS, TEXTS, TIMES, LATER, revision=bad)
        refused("seq: ", TEXTS, TEXTS, TIMES, LATER, seq=bad)
    for bad in (array("f", [1, 2]), TIMES, "11", 5, {"a": 1}, memoryview(array("d", [1, 2, 3, 4]))[::2]):
        refused(
            "weight: expected a contiguous one-dimensional buffer of float64", TEXTS, TEXTS, TIMES, LATER, bad
        )
        refused(
            "delta: expected a contiguous one-dimensional buffer of float64", TEXTS, TEXTS, TIMES, delta=bad
        )
    for bad in (TIMES, "tf", None.__class__, memoryview(b"\0\0\1\1").cast("?")[::2]):
        refused(
            "retract: expected a contiguous one-dimensional buffer of bool",
            TEXTS,
            TEXTS,
            TIMES,
            LATER,
            retract=bad,
        )
    for bad in ("ab", ("a", "b"), {"a", "b"}, b"ab", 5):
        refused("token_id: expected a list of str", bad, TEXTS, TIMES, LATER)
        refused("holder_id: expected a list of str", TEXTS, bad, TIMES, LATER)
        refused("event_id: expected a list of str", TEXTS, TEXTS, TIMES, LATER, event_id=bad)
    refused("holder_id: missing", TEXTS)
    strided = memoryview(array("q", [1, 2, 3, 4]))[::2]
    for bad, found in [
        ([1, 2], "list"),
        (array("d", [1, 2]), "one of format 'd'"),
        (memoryview(bytes(32)).cast("q", (2, 2)), "one of 2 dimensions"),
        (strided, "a strided one"),
    ]:
        refused(
            f"seq: expected a contiguous one-dimensional buffer of int64, found {found}",
            *(TEXTS, TEXTS, TIMES, LATER),
            seq=bad,
        )


def bad_lengths():
    one = array("q", [1])
    refused("holder_id: 1 rows, but token_id has 2", TEXTS, ["a"], TIMES, LATER)
    refused("start_us: 1 rows, but token_id has 2", TEXTS, TEXTS, one, LATER)
    refused("end_us: 1 rows", TEXTS, TEXTS, TIMES, one)
    refused("at_us: 1 rows", TEXTS, TEXTS, TIMES, LATER, at_us=one)
    refused("delta: 1 rows", TEXTS, TEXTS, TIMES, LATER, delta=["1"])
    refused("seq: 1 rows", TEXTS, TEXTS, TIMES, LATER, seq=one)
    refused("weight: 1 rows", TEXTS, TEXTS, TIMES, LATER, ["1"])
    refused("event_id: 1 rows", TEXTS, TEXTS, TIMES, LATER, event_id=["1"])
    refused("revision: 1 rows", TEXTS, TEXTS, TIMES, LATER, revision=one)
    refused("retract: 1 rows", TEXTS, TEXTS, TIMES, LATER, retract=b"\0")


def bad_rows():
    refused("row 1: token_id: missing or empty", ["a", ""], TEXTS, TIMES, LATER)
    refused("row 1: token_id: missing or empty", ["a", None], TEXTS, TIMES, LATER)
    refused("row 1: holder_id: not text; found 5.0", TEXTS, ["a", 5.0], TIMES, LATER)
    refused("row 1: holder_id: not text; found True", TEXTS, ["a", True], TIMES, LATER)
    refused("row 0: holder_id: not text; found '\\udfff'", TEXTS, ["\udfff", "a"], TIMES, LATER)
    refused(
        "row 1: start: out of range (years 0001 to 9999, UTC); found 4611686018427387904",
        *(TEXTS, TEXTS, array("q", [1, 2**62]), LATER),
    )
    refused("row 1: end: before start", TEXTS, TEXTS, TIMES, array("q", [3, 1]))
    refused(
        "row 0: weight: negative (write 0 or more); found -1.0",
        *(TEXTS, TEXTS, TIMES, LATER, array("d", [-1, 1])),
    )
    refused(
        "row 1: weight: not finite (write a decimal like 1.5); found inf",
        *(TEXTS, TEXTS, TIMES, LATER, array("d", [1, float("inf")])),
    )
    refused(
        'row 1: weight: not a number (write a decimal like 1.5); found "one"',
        *(TEXTS, TEXTS, TIMES, LATER, ["1", "one"]),
    )
    refused('row 1: event_id: empty or not text; found ""', TEXTS, TEXTS, TIMES, LATER, event_id=[None, ""])
    refused("row 1: event_id: empty or not text; found 7", TEXTS, TEXTS, TIMES, LATER, event_id=[None, 7])
    refused(
        "row 0: revision: not an integer from 0 to 2^63-1; found -1",
        TEXTS,
        TEXTS,
        TIMES,
        LATER,
        event_id=TEXTS,
        revision=array("q", [-1, 0]),
    )
    refused(
        "row 1: retract: not true or false; found 2",
        *(TEXTS, TEXTS, TIMES, LATER),
        event_id=TEXTS,
        retract=b"\1\2",
    )
    refused(
        "row 1: retract: not true or false; found 1",
        *(TEXTS, TEXTS, TIMES, LATER),
        event_id=TEXTS,
        retract=[None, 1],
    )
    refused("row 1: revision or retract without event_id", TEXTS, TEXTS, TIMES, LATER, retract=[False, True])


def bad_changes():
    changes = {"event_id": TEXTS, "at_us": TIMES, "delta": array("d", [1, -1])}

    def refused_with(reason, **columns):
        refused(reason, TEXTS, TEXTS, **changes | columns)

    refused_with("row 0: start: given for a change of balance", start_us=TIMES)
    refused_with("row 0: end: given for a change of balance", end_us=TIMES)
    refused_with(
        "row 1: weight: given for a change of balance (a change has at and delta instead)",
        weight=[None, 1],
    )
    refused_with("row 0: weight: given for a change of balance", weight=array("d", [1, 1]))
    refused_with("row 1: event_id: missing (a change of balance needs one)", event_id=["a", None])
    refused_with("row 0: at: missing (a change of balance needs one)", at_us=None)
    refused_with("row 1: delta: missing (a change of balance needs one)", delta=["1", None])
    refused_with(
        "row 1: at: out of range (years 0001 to 9999, UTC); found ", at_us=array("q", [0, 2**63 - 1])
    )
    refused_with(
        "row 1: delta: not finite (write a decimal like 1.5); found nan", delta=array("d", [0, float("nan")])
    )
    refused_with("row 0: delta: under 1e-18 (the smallest step); found -1e-19", delta=array("d", [-1e-19, 0]))
    refused_with("row 1: delta: too large (the largest is 340", delta=[0, -(10**21)])
    refused_with("row 1: seq: not an integer from 0 to 2^63-1; found -7", seq=array("q", [0, -7]))


def the_first_bad_row_of_many():
    rows = 50_000
    start = array("q", range(rows))
    end = array("q", range(rows))
    end[20_001] = end[49_999] = 0
    refused("row 20001: end: before start", ["t"] * rows, ["h"] * rows, start, end)


class Liar:
    """Offers Arrow columns that it does not have."""

    def __init__(self, given):
        self.given = given

    def __arrow_c_stream__(self, requested_schema=None):
        return self.given


class LiarAboutArrays(Liar):
    def __arrow_c_array__(self, requested_schema=None):
        return self.given


def capsule(name):
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(ctypes.addressof(EMPTY), name, None)


EMPTY = ctypes.create_string_buffer(256)


def bad_arrow():
    for given in (None, 5, (1, 2), capsule(b"something_else"), capsule(b"arrow_array_stream")):
        refused("token_id: the Arrow data cannot be imported", Liar(given), TEXTS, TIMES, LATER)
        refused("table: the Arrow data cannot be imported: ", Liar(given))
    for given in (None, (1,), (1, 2), (capsule(b"arrow_schema"), capsule(b"arrow_array"))):
        refused("holder_id: the Arrow data cannot be imported", TEXTS, LiarAboutArrays(given), TIMES, LATER)


def an_export_of_another_table():
    aggregator = native.Aggregator()
    aggregator.record("t", "h", 0, 5)
    snapshot = aggregator.snapshot(10)
    refused("table: ", snapshot)
    refused("token_id: expected an Arrow column of strings", snapshot, TEXTS, TIMES, LATER)
    used = snapshot.__arrow_c_stream__()
    refused("table: ", Liar(used))
    refused("table: the Arrow data cannot be imported", Liar(used))


for check in (
    bad_formats,
    bad_lengths,
    bad_rows,
    bad_changes,
    the_first_bad_row_of_many,
    bad_arrow,
    an_export_of_another_table,
):
    check()
print("ok")

from __future__ import annotations

import json

import pytest

from poh_holdmetrics import field_parsers, row_reader, validation
from poh_holdmetrics.errors import Refused
from poh_holdmetrics.feeds.layout import FeedRow
from poh_holdmetrics.field_parsers import INTEGER_MAX, Number
from poh_holdmetrics.pure.row_scorer import RowScorer
from poh_holdmetrics.validation import Record

GOOD: dict[str, object] = {"token_id": "T", "holder_id": "h", "start": 1000, "end": 2000}
NOT_A_TIME = "start: not a time (write 2025-07-21T00:00:00Z, or milliseconds since 1970)"
NO_CORRECTION = "revision or retract without event_id"


def the_record(records: tuple[Record, ...]) -> Record:
    (record,) = records
    return record


def refusal(fields: object) -> str:
    with pytest.raises(Refused) as caught:
        row_reader.records_from_json(fields if isinstance(fields, bytes) else json.dumps(fields).encode())
    return str(caught.value)


def test_a_full_line_is_read_whole() -> None:
    line = b"""{"token_id":"T","holder_id":"h","start":"1970-01-01T00:00:01Z","end":2000,"weight":0.1,
        "event_id":"a","revision":3,"retract":false,"colour":"red"}"""
    assert the_record(row_reader.records_from_json(line)) == Record(
        "T", "h", 1_000_000, 2_000_000, 10**17, "a", 3, False
    )


def test_null_is_absent() -> None:
    line = b'{"token_id":"T","holder_id":"h","start":1,"end":null,"weight":null}'
    assert the_record(row_reader.records_from_json(line)) == Record(
        "T", "h", 1000, None, 10**18, None, 0, False
    )


def test_a_number_keeps_every_digit_it_was_written_with() -> None:
    line = b'{"token_id":"T","holder_id":"h","start":1,"weight":12345678901234567890.123456789012345678}'
    assert the_record(row_reader.records_from_json(line)).wad == 12345678901234567890123456789012345678


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"token_id": None}, "token_id: missing or empty"),
        ({"token_id": ""}, "token_id: missing or empty"),
        ({"holder_id": 5.5}, "holder_id: not text; found 5.5"),
        ({"holder_id": True}, "holder_id: not text"),
        ({"holder_id": "\ud800"}, "holder_id: not text"),
        ({"token_id": "", "holder_id": "", "start": "x"}, "token_id"),
        ({"start": "x", "weight": -1}, f'{NOT_A_TIME}; found "x"'),
        ({"start": "x\n" + "y" * 99}, f'{NOT_A_TIME}; found "x\\n{"y" * 38}"...'),
        ({"start": [1]}, f"{NOT_A_TIME}; found [1]"),
        ({"start": 1.5}, "start: not a time (a count of milliseconds has no fraction)"),
        ({"start": True}, "start: not a time"),
        ({"start": "1000.0"}, "start: not a time"),
        ({"start": "2025-07-21"}, "start: not a time (a date alone;"),
        ({"start": 10**400}, "start: out of range"),
        ({"end": {}}, "end: not a time"),
        ({"weight": True}, "weight: not a number"),
        ({"weight": []}, "weight: not a number"),
        ({"weight": ""}, "weight: not a number"),
        ({"weight": -1}, "weight: negative (write 0 or more); found -1"),
        ({"event_id": ""}, "event_id: empty or not text"),
        ({"event_id": 7}, "event_id: empty or not text"),
        ({"event_id": "\udfff"}, "event_id: empty or not text"),
        ({"event_id": "a", "revision": -1}, "revision: not an integer"),
        ({"event_id": "a", "revision": 2**63}, "revision: not an integer"),
        ({"event_id": "a", "revision": 1.0}, "revision: not an integer"),
        ({"event_id": "a", "revision": "1"}, "revision: not an integer"),
        ({"event_id": "a", "revision": True}, "revision: not an integer"),
        ({"event_id": "a", "retract": 1}, "retract: not true or false"),
        ({"revision": 1}, NO_CORRECTION),
        ({"retract": True}, NO_CORRECTION),
        ({"start": None, "end": None}, "start, end: neither is given"),
        ({"start": 3000}, "end: before start"),
        ({"start": 3000, "event_id": "a", "retract": True}, "end: before start"),
    ],
)
def test_a_bad_field_is_named_first(changes: dict[str, object], words: str) -> None:
    assert refusal({**GOOD, **changes}).startswith(words)


_NOT_JSON_WORD = "not JSON: {}, which JSON does not have (write null, true or false) at column {}"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"[1, 2]", "not an object; found [1,2]"),
        (b'"te\\u00e9xt"', 'not an object; found "te\\u00e9xt"'),
        (b"{", "not JSON"),
        (b"{} {}", "not JSON: trailing characters at column 4"),
        (b'{"weight": NaN}', _NOT_JSON_WORD.format("NaN", 12)),
        (b'{"weight": -Infinity}', _NOT_JSON_WORD.format("-Infinity", 12)),
        (b'{"weight": "NaN", "a": None}', _NOT_JSON_WORD.format("None", 24)),
        (
            b'{"a": 1},',
            "not JSON: a comma after the object (remove it, or put all objects into [ and ]) at column 9",
        ),
        (b"{'a': 1}", "not JSON: single quotes (JSON has double quotes) at column 2"),
        (b'{"token_id": "\xff"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_line_that_is_not_an_object_is_refused(line: bytes, words: str) -> None:
    assert refusal(line) == words


def test_revision_0_and_retract_false_need_no_event_id() -> None:
    line = json.dumps({**GOOD, "revision": 0, "retract": False}).encode()
    assert the_record(row_reader.records_from_json(line)).event_id is None


def test_a_retraction_needs_no_times() -> None:
    line = b'{"token_id":"T","holder_id":"h","event_id":"a","revision":9223372036854775807,"retract":true}'
    assert the_record(row_reader.records_from_json(line)).revision == INTEGER_MAX


def test_csv_columns_come_in_any_order_and_empty_cells_are_absent() -> None:
    columns = row_reader.CsvColumns(["weight", "end", "holder_id", "token_id", "note", "retract", "event_id"])
    found = the_record(columns.records(["", "1500", "h", "T", "x", "", ""]))
    assert found == Record("T", "h", None, 1_500_000, 10**18, None, 0, False)
    assert the_record(columns.records(["2", "1970-01-01T00:00:01Z", "h", "T", "x", "true", "a"])).retract


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (["T", "h", "soon", "", "", ""], "start: not a time"),
        (["T", "", "1", "", "", ""], "holder_id: missing or empty"),
        (["T", "h", "1", "a", "1.5", ""], "revision: not an integer"),
        (["T", "h", "1", "a", "9" * 5000, ""], "revision: not an integer"),
        (["T", "h", "1", "a", "", "yes"], "retract: not true or false"),
        (["T", "h", "1", "", "1", ""], NO_CORRECTION),
        ("not CSV: text after a closing quote", "not CSV: text after a closing quote"),
        (["T", "h", "1", "a"], "row has 4 cells, the header has 6"),
    ],
)
def test_a_bad_cell_is_named(row: list[str], words: str) -> None:
    columns = row_reader.CsvColumns(["token_id", "holder_id", "start", "event_id", "revision", "retract"])
    with pytest.raises(Refused, match=f"^{words}"):
        columns.records(row)


def test_the_row_scorer_counts_lines_and_lists_refusals() -> None:
    scorer = RowScorer()
    scorer.feed_jsonl([json.dumps(GOOD).encode(), b" \r", b"{", b""], "a.jsonl", 1)
    scorer.feed_jsonl([b"[]"], "a.jsonl", [5])
    scorer.feed_csv([["T", "g", "1000", "x"]], ["token_id", "holder_id", "start", "end"], "b.csv", [7])
    scorer.feed_values(
        [("T", "g", 0, 500_000, "2", None, None, None), ("T", "g", None, 1, "-1", None, None, None)],
        "c.parquet",
        [1, 2],
    )
    assert (scorer.read, scorer.accepted) == (6, 2)
    assert [(file, line, reason.split(" (")[0]) for file, line, reason in scorer.rejected] == [
        ("a.jsonl", 3, "not JSON"),
        ("a.jsonl", 5, "not an object; found []"),
        ("b.csv", 7, "end: not a time"),
        ("c.parquet", 2, "weight: negative"),
    ]
    assert scorer.rows(10_000_000, None, False) == [
        (1, "g", 500_000, "1", 1.0),
        (1, "h", 1_000_000, "1", 1.0),
    ]


def test_column_times_are_microseconds_in_range() -> None:
    with pytest.raises(Refused, match=r"^start: out of range"):
        validation.records_from_fields(field_parsers.TABLE, "T", "h", 2**62)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            b'{"token_id":"T","holder_id":"h","start":1,"start":2}',
            'start: the key "start" is there twice; keep one of them',
        ),
        (
            b'{"token_id":"T","holder_id":"h","start":1,"x":1,"x":2,"End":2}',
            'key "End": did you mean end? rename it, or say --columns end=End',
        ),
        (
            b'{"token_id":"T","holder_id":"h","end":null,"start":1,"ended_at":2}',
            'key "ended_at": did you mean end? rename it, or say --columns end=ended_at',
        ),
    ],
)
def test_a_key_that_is_there_twice_or_is_nearly_ours_is_refused(line: bytes, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        row_reader.records_from_json(line)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    ("column", "cure"),
    [
        ("End", "or say --columns end=End"),
        ("end ", "or say --columns 'end=end '"),
        ("end $", "or say --columns 'end=end $'"),
        ("end,", "or map it in a file of --mapping"),
        ("'end'", "or map it in a file of --mapping"),
        ("end\t", "or map it in a file of --mapping"),
        ("end" + " " * 40, "or map it in a file of --mapping"),
    ],
)
def test_the_cure_can_be_typed_whatever_the_column_is_called(column: str, cure: str) -> None:
    near = row_reader.RowReader(lambda _: None).near_miss(["token_id", "holder_id", "start", column])
    assert near is not None
    assert near.problem.for_files.endswith(cure)


def test_other_columns_and_keys_are_listed_once() -> None:
    reader = row_reader.RowReader(lambda _: None)
    assert reader.near_miss(["token_id", "holder_id", "start", "note", "block"]) is None
    lines = [b'{"token_id":"T","holder_id":"h","start":1,"note":1,"a":{}}'] * 2
    reader.feed_jsonl(lines, "a.jsonl", 1)
    assert reader.accepted == 2
    assert reader.ignored_columns() == ["a", "block", "note"]


def test_the_scorer_of_the_binary_takes_the_options_of_the_input() -> None:
    table = {
        "columns": {"holder_id": "user", "weight": "amount"},
        "token": "APE",
        "time_unit": "s",
        "decimals": 2,
        "null": ["NULL"],
        "fold_hex_ids": True,
    }
    scorer = RowScorer(json.dumps(table))
    scorer.feed_csv([["0xAB", "10", "NULL", "150"]], ["user", "start", "end", "amount"], "a.csv", [2])
    scorer.feed_jsonl([b'{"user":"0xab","start":10,"end":null,"amount":150}'], "a.jsonl", 1)
    row = ["APE", "0xab", Number("10"), None, Number("150"), *[None] * 9]
    scorer.feed_values([row], "a.parquet", [1])
    assert (scorer.accepted, scorer.rejected) == (3, [])
    assert scorer.rows(20_000_000) == [(1, "0xab", 10_000_000, "15", 15.0)]


def test_the_scorer_of_the_binary_reads_rows_of_known_exports() -> None:
    columns = ["user", "amount", "timestamp", "txHash", "event"]
    rows: list[FeedRow | str] = [
        dict(zip(columns, ["0xaa", "5", "10", "0x1", "Staked"], strict=True)),
        "row has 4 cells, the header has 5",
        dict(zip(columns, ["0xaa", "2", "20", "0x2", "Withdrawn"], strict=True)),
    ]
    scorer = RowScorer('{"token": "T"}')
    assert scorer.feed_export(rows, (0, "a.csv", "staking", columns), [2, 3, 4]) == 0
    # A file that is given twice is read twice.
    scorer.feed_export(rows, (1, "a.csv", "staking", columns), [2, 3, 4])
    assert [line for _, line, _ in scorer.rejected] == [3, 3]
    assert scorer.rows(30_000_000) == [(1, "0xaa", 20_000_000, "80", 80.0)]

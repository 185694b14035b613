"""How rows are read that are not written as ours are: one answer of every form of input, natively or not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from poh_holdmetrics import score
from poh_holdmetrics.errors import InputError

AS_OF = "2026-03-10T00:00:00Z"
#: Small times, which are read easily.
pytestmark = pytest.mark.filterwarnings("ignore:W01:poh_holdmetrics.DataWarning")
HEADER = ("user", "from", "to", "units")
Rows = Sequence[Sequence[Any]]


def as_frame(folder: Path, rows: Rows) -> object:
    del folder
    return pl.DataFrame(rows, HEADER, orient="row", strict=False)


def as_parquet(folder: Path, rows: Rows) -> object:
    pl.DataFrame(rows, HEADER, orient="row", strict=False).write_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def as_csv(folder: Path, rows: Rows) -> object:
    lines = [";".join(HEADER), *(";".join("" if cell is None else str(cell) for cell in row) for row in rows)]
    (folder / "a.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder / "a.csv.gz"


def as_jsonl(folder: Path, rows: Rows) -> object:
    lines = [json.dumps(dict(zip(HEADER, row, strict=True))) for row in rows]
    (folder / "a.jsonl").write_text("\n".join(lines))
    return str(folder / "a.jsonl")


FORMS: dict[str, Callable[[Path, Rows], object]] = {
    "frame": as_frame,
    "parquet": as_parquet,
    "csv": as_csv,
    "jsonl": as_jsonl,
}
COLUMNS = {"holder_id": "user", "start": "from", "end": "to", "weight": "units"}


def scores(form: str, folder: Path, rows: Rows, **options: Any) -> dict[str, str]:
    if form == "csv":
        options["delimiter"] = ";"
    options = {"columns": COLUMNS, "token": "APE", **options}
    result = score(FORMS[form](folder, rows), AS_OF, **options)
    assert result.explain(result.rows(1)[0][1]).score == result.rows(1)[0][3]
    return {row[1]: row[3] for row in result.rows()}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_numbers_and_digits_are_times_of_the_unit(source: str, tmp_path: Path, form: str, unit: str) -> None:
    del source
    ticks = {"s": 1, "us": 10**6, "ns": 10**9}[unit]
    start, end = 1_767_225_600 * ticks, 1_767_225_610 * ticks
    for rows in ([("a", start, end, 2)], [("a", str(start), str(end), 2)]):
        assert scores(form, tmp_path, rows, time_unit=unit) == {"a": "20"}


@pytest.mark.parametrize("form", FORMS)
def test_text_without_an_offset_is_read_only_if_it_is_said_to_be_utc(
    source: str, tmp_path: Path, form: str
) -> None:
    del source
    rows = [("a", "2026-01-01", "2026-01-01 00:00:10.5", None)]
    assert scores(form, tmp_path, rows, assume_utc=True) == {"a": "10.5"}
    with pytest.raises(InputError, match="date alone"):
        scores(form, tmp_path, rows)
    rows = [("a", "2026-01-01T00:00:00Z", "2026-01-01 00:00:10", None)]
    with pytest.raises(InputError, match="end: no UTC offset"):
        scores(form, tmp_path, rows)


def test_dates_of_columns_are_read_only_if_they_are_said_to_be_utc(source: str, tmp_path: Path) -> None:
    del source
    texts = pl.DataFrame([("a", "2026-01-01", "2026-01-02", 1)], HEADER, orient="row")
    frame = texts.with_columns(pl.col("from", "to").str.to_date())
    frame.write_parquet(tmp_path / "a.parquet")
    for given in (frame, tmp_path / "a.parquet"):
        result = score(given, AS_OF, columns=COLUMNS, token="APE", assume_utc=True)
        assert result.rows()[0][3] == "86400"
        with pytest.raises(InputError, match=r"assume.utc"):
            score(given, AS_OF, columns=COLUMNS, token="APE")


@pytest.mark.parametrize("form", FORMS)
def test_amounts_in_units_are_exact_and_null_words_absent(source: str, tmp_path: Path, form: str) -> None:
    del source
    rows = [
        ("0xAB", "1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "1500000000000000001"),
        ("0xab", "1970-01-01T00:00:02Z", "1970-01-01T00:00:03Z", "NULL"),
        ("0xAg", "1970-01-01T00:00:02Z", "1970-01-01T00:00:03Z", "1e18"),
    ]
    found = scores(form, tmp_path, rows, decimals=18, null=["NULL"], fold_hex_ids=True)
    assert found == {"0xab": "2.500000000000000001", "0xAg": "1"}
    with pytest.raises(InputError, match="weight: not a number"):
        scores(form, tmp_path, rows, decimals=18)


def test_binary_ids_are_hexadecimal_if_they_are_said_to_be(source: str, tmp_path: Path) -> None:
    del source
    frame = pl.DataFrame({"user": [b"\xab\x01"], "from": [0], "to": [1000], "units": [1]})
    frame.write_parquet(tmp_path / "a.parquet")
    for given in (frame, tmp_path / "a.parquet"):
        result = score(given, AS_OF, columns=COLUMNS, token="APE", binary_ids="hex")
        assert result.rows()[0][1] == "0xab01"
        with pytest.raises(InputError, match="holder_id: not text"):
            score(given, AS_OF, columns=COLUMNS, token="APE")


def test_a_mapping_file_is_kept_beside_the_data(source: str, tmp_path: Path) -> None:
    del source
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[input]\ntoken = "APE"\ntime_unit = "s"\ndelimiter = ";"\nnull = ["-"]\n'
        '[input.columns]\nholder_id = "user"\nstart = "from"\nend = "to"\nweight = \'"3"\'\n'
    )
    file = as_csv(tmp_path, [("a", 0, 10, "-")])
    assert score(file, AS_OF, mapping=mapping).rows()[0][3] == "30"
    again = score(file, AS_OF, mapping=mapping, columns={"weight": "units"}, time_unit="ms")
    assert again.rows()[0][3] == "0.01"
    mapping.write_text("[input]\ntime_units = 's'\n")
    with pytest.raises(
        InputError, match=r"mapping\.toml: time_units: unknown option; did you mean time_unit"
    ):
        score(file, AS_OF, mapping=mapping)
    mapping.write_text("[inputs]\n")
    with pytest.raises(InputError, match=r"mapping\.toml: a mapping file has one table, \[input\]"):
        score(file, AS_OF, mapping=mapping)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delimiter": "x"}, 'delimiter: unknown delimiter "x"; write , ; | or tab'),
        ({"decimals": 78}, "decimals: expected an integer from 0 to 77, not 78"),
        ({"null": "NULL"}, "null: expected a list of texts"),
        ({"binary_ids": "base64"}, 'binary_ids: unknown word "base64"; known are text, hex'),
        (
            {"input_format": "xml"},
            'input_format: unknown word "xml"; known are auto, jsonl, csv, parquet, ethereum-etl',
        ),
        ({"assume_utc": 1}, "assume_utc: expected true or false, not 1"),
        ({"token": "T", "columns": {"token_id": "t"}}, "token: columns gives a token_id, too"),
        ({"columns": {"start": "a", "end": "a"}}, "columns: start and end are read from one column"),
        ({"columns": {"start": '"1"'}}, "columns: start cannot be one text for all rows"),
        ({"columns": {"token_id": '""'}}, "columns: token_id is an empty text"),
        ({"columns": {"token_id": '"a\\"'}}, "columns: token_id: .* has a quote, a backslash or a control"),
        ({"columns": {"token_id": ""}}, "columns: token_id: expected the name of a column"),
        ({"columns": {"holder_id": "who"}}, "no column .?who"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    source: str, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    del source
    with pytest.raises(InputError, match=words):
        score(as_csv(tmp_path, []), AS_OF, **options)


def test_models_have_no_options(source: str) -> None:
    del source
    with pytest.raises(InputError, match="are for frames and files, not for models"):
        score([], AS_OF, assume_utc=True)


@pytest.mark.parametrize("form", ["frame", "parquet"])
def test_counts_that_became_floats_are_read_where_they_are_whole(
    source: str, tmp_path: Path, form: str
) -> None:
    del source
    assert scores(form, tmp_path, [("a", 0.0, 1000.0, 1), ("b", 5.0, None, 0)]) == {"a": "1", "b": "0"}
    with pytest.raises(InputError, match="fraction"):
        scores(form, tmp_path, [("a", 0.0, 1000.5, 1)])


def test_the_delimiter_of_csv_is_found_from_the_header(source: str, tmp_path: Path) -> None:
    del source
    for name, delimiter in (("a.csv", ";"), ("a.tsv", "\t"), ("b.csv", "|"), ("c.csv", ",")):
        cells = ['"token_id"', '"a,b;c"', "holder_id", "end"]
        rows = [cells, ["T", "", "h", "1"]]
        (tmp_path / name).write_text("".join(f"{delimiter.join(row)}\n" for row in rows))
        assert score(tmp_path / name, AS_OF).rows()[0][1] == "h", name


def test_what_only_native_code_reads_is_said(without_native: None, tmp_path: Path) -> None:
    del without_native
    for name, words in (
        ("a.parquet.gz", "compressed columns are read by native code"),
        ("a.csv.zst", "zstd"),
    ):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InputError, match=words):
            score(tmp_path / name, AS_OF)


def test_feeds_are_read_with_the_times_of_blocks(source: str, tmp_path: Path) -> None:
    del source
    token = "0x" + "a" * 40
    (tmp_path / "blocks.csv").write_text("number,timestamp\n7,0\n")
    (tmp_path / "mapping.toml").write_text('[input]\ninput_format = "ethereum-etl"\nblocks = "blocks.csv"\n')
    file = tmp_path / "transfers.csv"
    file.write_text(
        "token_address,from_address,to_address,value,transaction_hash,log_index,block_number\n"
        f"{token},0x{'0' * 40},0x{'b' * 40},5,0x01,0,7\n"
    )
    result = score(file, 2000, mapping=tmp_path / "mapping.toml", token_kind="erc20")
    assert [row[1:4] for row in result.rows()] == [(f"0x{'b' * 40}", 2_000_000, "10")]


def test_columns_are_recognised_without_an_extension(source: str, tmp_path: Path) -> None:
    del source
    as_parquet(tmp_path, [("a", 0, 1000, 1)])
    file = (tmp_path / "a.parquet").rename(tmp_path / "a")
    assert score(file, AS_OF, columns=COLUMNS, token="APE").rows()[0][3] == "1"

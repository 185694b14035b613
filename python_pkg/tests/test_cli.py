from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY
from poh_holdmetrics import __version__, native
from poh_holdmetrics.cli import BINARY_COMMANDS, COMMANDS, main

LINES = [
    '{"token_id":"T","holder_id":"ada","start":0,"end":10000,"weight":2}',
    "",
    '{"token_id":"T","holder_id":"bob","start":0,"weight":"1234.5"}',
    '{"token_id":"T","holder_id":"bob","start":0,"weight":-1}',
]
CSV = 'holder_id,token_id,start,end,weight\n"cyd\nline",T,0,5000,\n\nada,T,x,,\n'


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("events.jsonl").write_text("\n".join(LINES), encoding="utf-8")
    Path("good.jsonl").write_text("\n".join(LINES[:3]), encoding="utf-8")
    Path("events.csv").write_text(CSV, encoding="utf-8-sig")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["score", *arguments])
    return code, *capsys.readouterr()


def test_several_files_are_one_set_as_json(capsys: pytest.CaptureFixture[str], source: str) -> None:
    engine = "python" if source == "none" else "native"
    code, out, _ = run(
        capsys, "events.jsonl", "events.csv", "--as-of", "1970-01-01T00:00:20Z", "--from", "1000",
        "--format", "json", "--on-error", "skip", "--engine", engine,
    )  # fmt: skip
    found = json.loads(out)
    assert code == 0
    assert [
        (each["file"], each["line"], each["reason"].split(" (")[0]) for each in found.pop("rejected")
    ] == [
        ("events.jsonl", 4, "weight: negative"),
        ("events.csv", 5, "start: not a time"),
    ]
    assert [warning["code"] for warning in found.pop("warnings")] == ["W01"]
    names = ("rank", "holder_id", "held_us", "score", "weighted_score", "total_seconds")
    assert found == {
        "as_of": "1970-01-01T00:00:20Z",
        "from": "1970-01-01T00:00:01Z",
        "closed_only": False,
        "read": 5,
        "accepted": 3,
        "deficits": 0,
        "ignored_columns": [],
        "holders": [
            dict(zip(names, row, strict=True))
            for row in (
                (1, "bob", 19_000_000, "23455.5", 23455.5, 19),
                (2, "ada", 9_000_000, "18", 18.0, 9),
                (3, "cyd\nline", 4_000_000, "4", 4.0, 4),
            )
        ],
    }


@pytest.mark.usefixtures("without_native")
def test_the_table_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "good.jsonl", "--as-of", "90061500")
    assert code == 0
    assert out.splitlines() == [
        "rank  holder     held           score",
        "   1  bob     1 d 1 h  111,180,921.75",
        "   2  ada        10 s              20",
        "",
        "2 holders, 2 of 2 events accepted, 0 refused; as of 1970-01-02T01:01:01.5Z",
    ]


@pytest.mark.parametrize("flag", ["--limit", "--top"])
def test_the_limit_bounds_the_rows_and_not_the_count(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    code, out, _ = run(capsys, "good.jsonl", "--as-of", "20000", flag, "1", "--closed-only")
    assert code == 0
    assert out.splitlines()[1].split() == ["1", "ada", "10", "s", "20"]
    assert out.splitlines()[-1].startswith("2 holders")
    assert out.splitlines()[-1].endswith("closed holds only")


def test_without_as_of_it_is_now(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "good.jsonl", "--format", "json")
    assert code == 0
    assert json.loads(out)["as_of"] > "2026"


def test_standard_input_and_gzip_are_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("packed.csv.gz").write_bytes(gzip.compress(b"token_id,holder_id,start,end\nT,ada,10000,20000\n"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINES[0].encode())))
    code, out, _ = run(capsys, "-", "packed.csv.gz", "--as-of", "20000", "--format", "json")
    assert code == 0
    assert [holder["score"] for holder in json.loads(out)["holders"]] == ["30"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["events.jsonl"], "events.jsonl: line 4: weight: negative"),
        (["none.jsonl"], "none.jsonl: No such file or directory"),
        (["."], ".: Is a directory"),
        (["cut.jsonl.gz"], "cut.jsonl.gz: truncated or damaged gzip data"),
        (["latin.csv"], "latin.csv: line 2: not CSV: not UTF-8 text"),
        (["quote.csv"], "quote.csv: line 2: not CSV: text after a closing quote"),
        (["empty.csv"], "empty.csv: no header line"),
        (["twice.csv"], "twice.csv: columns weight and weight are both there; keep one of them"),
        (["short.csv"], "short.csv: no column holder_id, from_id or to_id; the columns are token_id, end"),
        (["timeless.csv"], "timeless.csv: no column start, end or at; the columns are token_id, holder_id"),
        (["x.parquet"], "x.parquet: Parquet is read by main_holdmetrics score --engine native"),
        (["good.jsonl", "--as-of", "noon"], "--as-of: not a time"),
        (["good.jsonl", "--from", "2025-01-01T00:00"], "--from: no UTC offset"),
        (["good.jsonl", "--top", "-1"], "--limit: expected 0 or more, not -1"),
        (
            ["good.jsonl", "--format", "xml"],
            "python -m poh_holdmetrics score: argument --format: invalid choice",
        ),
        (["good.jsonl", "--tap", "1"], "python -m poh_holdmetrics: unrecognized arguments: --tap 1"),
        (["good.jsonl", "--config", "bad.toml"], "bad.toml: formt: unknown setting; did you mean format?"),
    ],
)
def test_an_error_is_one_sentence_and_nothing_else_is_printed(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    Path("cut.jsonl.gz").write_bytes(gzip.compress("\n".join(LINES * 100).encode())[:-20])
    Path("latin.csv").write_bytes("token_id,holder_id,end\nT,andré,1\n".encode("latin-1"))
    Path("quote.csv").write_text('token_id,holder_id,end\nT,"a"b,1\n', encoding="utf-8")
    Path("empty.csv").touch()
    Path("twice.csv").write_text("token_id,holder_id,end,weight,weight\n", encoding="utf-8")
    Path("short.csv").write_text("token_id,end\nT,1\n", encoding="utf-8")
    Path("timeless.csv").write_text("token_id,holder_id\nT,h\n", encoding="utf-8")
    Path("bad.toml").write_text("formt = 'json'", encoding="utf-8")
    code, out, error = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert error.startswith(f"error: {words}")
    assert error.count("\n") == 1


@pytest.mark.usefixtures("without_native")
def test_native_without_native_code_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert native.source() == "none"
    code, _, error = run(capsys, "good.jsonl", "--engine", "native")
    assert code == 2
    assert "no native code was found" in error


def test_settings_reach_the_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("s.toml").write_text('format = "json"\nengine = "python"', encoding="utf-8")
    monkeypatch.setenv("POH_ON_ERROR", "skip")
    code, out, _ = run(capsys, "events.jsonl", "--config", "s.toml")
    assert code == 0
    assert len(json.loads(out)["rejected"]) == 1


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"poh_holdmetrics {__version__}\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("serve", "serve: that is a command of main_holdmetrics; python -m poh_holdmetrics alone has "),
        ("doctor", "doctor: that is a command of main_holdmetrics; "),
        ("scoer", "'scoer': unknown command; did you mean score?"),
        ("frobnicate", "'frobnicate': unknown command; known are score"),
    ],
)
def test_an_unknown_command_is_refused_with_the_cure(
    capsys: pytest.CaptureFixture[str], command: str, words: str
) -> None:
    assert main([command, "--data-dir", "x"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {words}")


def test_every_command_of_the_binary_is_known() -> None:
    source = REPOSITORY / "src" / "cli" / "mod.rs"
    if not source.is_file():
        pytest.skip("the source of the binary is not beside the package")
    # A name that Rust reserves is given beside the variant.
    variant = r'^(?:    #\[command\(name = "(\w+)"\)\]\n)?    ([A-Z][a-z]+)\((?:\w+::)+\w+\),$'
    found = re.findall(variant, source.read_text("utf-8"), re.MULTILINE)
    assert {given or name.lower() for given, name in found} == {*COMMANDS, *BINARY_COMMANDS}


CHANGES = [
    '{"token_id":"T","to_id":"ada","at":0,"amount":5,"event_id":"1"}',
    '{"token_id":"T","from_id":"ada","to_id":"bob","at":1000,"amount":"5.5","event_id":"2"}',
]
DEFICIT = {
    "token_id": "T", "holder_id": "ada", "at": "1970-01-01T00:00:01Z", "balance": "-0.5", "event_ids": ["2"]
}  # fmt: skip


@pytest.mark.usefixtures("without_native")
def test_deficits_are_counted_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("changes.jsonl").write_text("\n".join(CHANGES), encoding="utf-8")
    for name in ("d.jsonl", "d.csv"):
        code, out, _ = run(capsys, "changes.jsonl", "--as-of", "1970-01-02", "--deficits", name)
        assert code == 0
        assert out.splitlines()[-1].endswith("as of 1970-01-02T00:00:00Z; 1 balance fell below 0")
    assert json.loads(Path("d.jsonl").read_text("utf-8")) == DEFICIT
    with Path("d.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [{**DEFICIT, "event_ids": "2"}]
    code, _, error = run(capsys, "changes.jsonl", "--deficits", "no-such-folder/d.csv")
    assert (code, error) == (2, "error: no-such-folder/d.csv: No such file or directory\n")


def test_a_csv_of_transfers_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text(
        "event_id,at,token_id,from_id,to_id,amount\n1,0,T,,ada,5\n2,1970-01-01 00:00:10 UTC,T,ada,bob,2\n",
        encoding="utf-8",
    )
    code, out, _ = run(capsys, "t.csv", "--as-of", "20000", "--format", "json", "--engine", "python")
    assert code == 0
    assert [holder["score"] for holder in json.loads(out)["holders"]] == ["80", "20"]

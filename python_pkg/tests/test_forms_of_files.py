"""Files in the forms that people have: documents of JSON, line ends of old Macs, near misses of columns."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.file_scorer import ScoredFiles, score_files
from poh_holdmetrics.windows import Window

A = '{"token_id": "T", "holder_id": "a", "start": 0, "end": 1000, "note": 1}'
B = '{"token_id": "T", "holder_id": "b", "start": 0, "end": 2000}'
WHOLE = Window(10_000_000, None, closed_only=False)


def scored(path: Path, text: str) -> ScoredFiles:
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return score_files([str(path)], WHOLE, namespace=None)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl.gz"])
@pytest.mark.parametrize(
    "text",
    [
        f"{A}\n{B}\n",
        f"\ufeff{A}\n{B}",
        f"{A}\r{B}\r",
        f"[{A}, {B}]",
        f" [\n{A}\n,\n{B}\n]\n",
        f'{{"status": "1", "names": ["x"], "data": {{"rows": [{A}, {B}]}}}}',
        A.replace(", ", ",\n") + B.replace("{", "{\n"),
    ],
)
def test_rows_are_read_in_every_form_of_json(tmp_path: Path, name: str, text: str) -> None:
    found = scored(tmp_path / name, text)
    assert [(row[1], row[3]) for row in found.rows] == [("b", "2"), ("a", "1")]
    assert (found.read, found.accepted) == (2, 2)
    assert found.ignored_columns == ["note"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"[{A},\n{B},\n]", "line 3: not JSON: a comma after the last row of an array; remove it"),
        (f"[{A} {B}]", "line 1: not JSON: no comma between two rows of an array"),
        (f"[{A},\n", "line 2: not JSON: the text ends within it; is the file complete?"),
        (f"[{A}]\nx", "line 2: not JSON: text after the end of the document; remove it"),
        (
            f'{{"a": [{A}], "b": [{B}]}}',
            'line 1: not JSON: "a" and "b" are both arrays of objects; extract one of them with jq',
        ),
        (f"{A},\n{B},\n", "line 1: not JSON: a comma after the object (remove it"),
        (f"[{A},\n7]", "line 2: not an object; found 7"),
    ],
)
def test_a_document_that_is_not_whole_is_refused_at_its_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        scored(tmp_path / "a.json", text)
    assert f"a.json: {reason}" in str(refused.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_other_columns_of_csv(tmp_path: Path, end: str) -> None:
    text = end.join(["\ufefftoken_id;holder_id;end;start;block", "T;a;1000;0;7", "T;b;2000;0;8", ""])
    found = scored(tmp_path / "a.csv", text)
    assert [(row[1], row[3]) for row in found.rows] == [("b", "2"), ("a", "1")]
    assert found.ignored_columns == ["block"]


@pytest.mark.parametrize(
    ("header", "column", "field"),
    [
        ("token_id,holder_id,start,End", "End", "end"),
        ("token_id, holder_id,start,end", " holder_id", "holder_id"),
        ("token_id,holder_id,start,finished_at", "finished_at", "end"),
        ("token_id,user,start,end", "user", "holder_id"),
    ],
)
def test_a_column_that_is_nearly_ours_is_refused(
    tmp_path: Path, header: str, column: str, field: str
) -> None:
    with pytest.raises(InputError, match=f'column "{column}": did you mean {field}[?] rename it'):
        scored(tmp_path / "a.csv", f"{header}\nT,a,0,1000\n")

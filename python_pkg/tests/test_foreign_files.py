"""Files of other kinds are named with their cure, in the words of the binary."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from pathlib import Path

import pytest

from conftest import REPOSITORY
from poh_holdmetrics import score
from poh_holdmetrics.cli import main
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.foreign_files import foreign_file

_HEADS = {
    b"BZh91AY": "bzip2 data",
    b"\xfd7zXZ\0\0": "xz data",
    b"PK\x03\x04\x14\0_rels/.rels xl/workbook.xml": "an Excel workbook or another Office document",
    b"PK\x03\x04\x14\0mimetypeapplication/vnd.oasis.opendocument.spreadsheet": "an OpenDocument file",
    b"PK\x03\x04\x14\0events.csv": "a zip archive",
    b"\xff\xfet\0o\0": "UTF-16 text",
    b"t\0o\0k\0": "UTF-16 text",
    b"\0t\0o\0k": "UTF-16 text",
    b"\xff\xfe\0\0t\0\0\0": "UTF-32 text",
    b"SQLite format 3\0\x10": "an SQLite database",
    b"ORC\x1d\0\0\n": "an ORC file",
    bytes(257) + b"ustar": "a tar archive",
    b"\n <!DOCTYPE HTML><html>": "an HTML page, perhaps the error of a download",
    b'<?xml version="1.0"?><Error>': "an XML document",
    b"PAR1": "a Parquet file",
    b"": None,
    b'{"a":1}': None,
    b"token_id,holder_id": None,
    b"ORCID,token_id\r\n\t": None,
}


@pytest.mark.parametrize("head", _HEADS)
def test_files_of_other_kinds_are_named_by_their_first_bytes(head: bytes) -> None:
    found = foreign_file(head)
    assert (found and found.what) == _HEADS[head]


@pytest.mark.usefixtures("without_native")
def test_what_is_compressed_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(gzip.compress(b"{}")))
    with pytest.raises(InputError, match="compressed twice"):
        score(path)


@pytest.mark.usefixtures("without_native")
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.xlsx", "a.csv.gz"])
def test_archives_are_refused_with_their_cure(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("events.csv", "token_id,holder_id,start\nT,a,2025-01-01T00:00:00Z\n")
    content = archive.getvalue()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    sentence = f"{path}: a zip archive; unpack it first: unzip FILE"
    with pytest.raises(InputError, match=re.escape(sentence)):
        score(path)
    assert main(["score", str(path)]) == 2
    assert sentence in capsys.readouterr().err


def test_the_binary_has_the_same_kinds_and_cures() -> None:
    source = (REPOSITORY / "src/input/foreign.rs").read_text(encoding="utf-8")
    module = (REPOSITORY / "python_pkg/poh_holdmetrics/foreign_files.py").read_text(encoding="utf-8")
    code, _, _ = source.partition("#[cfg(test)]")
    texts = re.findall(r'(?:what|cure): "([^"]+)"|"((?:an? |un|de|conv|exp|save|write|fetch)[^"]*)"', code)
    assert len(texts) > 40
    assert [text for pair in texts for text in pair if f'"{text}"' not in module and text] == []

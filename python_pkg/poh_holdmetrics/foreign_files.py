"""Files that are not read, by their first bytes: what each is, and how its content gets into a form that is.

The binary says the same of the same bytes; what it reads and this package does not is named, too. Opens no
file.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Foreign(NamedTuple):
    """A kind of file that is not read: what it is, with its article, and what to do."""

    what: str
    cure: str


_OFFICE = Foreign("an Excel workbook or another Office document", "save the sheet as CSV")
_Z = Foreign("compress (.Z) data", "decompress it first: gunzip FILE")
_PICKLE = Foreign("a Python pickle", "write it as Parquet or CSV first")
_BINARY_READS = "it is read by main_holdmetrics score"

_BY_FIRST_BYTES: tuple[tuple[bytes, Foreign], ...] = (
    (b"BZh", Foreign("bzip2 data", "decompress it first: bunzip2 FILE")),
    (b"\xfd7zXZ\0", Foreign("xz data", "decompress it first: xz -d FILE")),
    (b"7z\xbc\xaf\x27\x1c", Foreign("a 7z archive", "unpack it first: 7z x FILE")),
    (b"Rar!\x1a\x07", Foreign("a RAR archive", "unpack it first: unrar x FILE")),
    (b"\x04\x22\x4d\x18", Foreign("LZ4 data", "decompress it first: lz4 -d FILE")),
    (b"\x1f\x9d", _Z),
    (b"\x1f\xa0", _Z),
    (
        b"\xff\x06\0\0sNaPpY",
        Foreign("Snappy data", "decompress it first, or compress it with zstd instead"),
    ),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        Foreign("an old Excel or Office document", "save the sheet as CSV"),
    ),
    (
        b"SQLite format 3\0",
        Foreign("an SQLite database", "export the table: sqlite3 -csv -header FILE 'SELECT ...'"),
    ),
    (b"%PDF", Foreign("a PDF document", "export the table as CSV where it comes from")),
    (b"Obj\x01", Foreign("an Avro file", "convert it to Parquet or JSON first")),
    (
        b"FEA1",
        Foreign("a Feather file of version 1", "write it as Arrow IPC: pyarrow.feather.write_feather"),
    ),
    (b"\x89HDF", Foreign("an HDF5 file", "write it as Parquet first")),
    (b"\x93NUMPY", Foreign("a NumPy array", "write it as Parquet or CSV first")),
    (b"\x80\x04\x95", _PICKLE),
    (b"\x80\x05\x95", _PICKLE),
    (
        b"version https://git-lfs",
        Foreign("a pointer of Git LFS", "fetch the file itself: git lfs pull"),
    ),
    (
        b"<?xml",
        Foreign("an XML document", "export it as CSV or JSON; if it was downloaded, it may be an error"),
    ),
    (b"{\\rtf", Foreign("an RTF document", "export the table as CSV where it comes from")),
    # The binary reads these under any name.
    (
        b"PAR1",
        Foreign("a Parquet file", f"{_BINARY_READS}; or end its name in .parquet for score() of Python"),
    ),
    (
        b"ARROW1",
        Foreign("an Arrow file", f"{_BINARY_READS}; or end its name in .arrow for score() of Python"),
    ),
    (b"\x28\xb5\x2f\xfd", Foreign("zstd data", f"{_BINARY_READS}; or decompress it first: zstd -d FILE")),
    (b"\x1f\x8b", Foreign("gzip data", "end its name in .gz")),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_TWICE = Foreign("compressed twice", "decompress it once first")
_WIDE_TEXT = {
    32: Foreign("UTF-32 text", "convert it first: iconv -f UTF-32 -t UTF-8 FILE"),
    16: Foreign("UTF-16 text", "convert it first: iconv -f UTF-16 -t UTF-8 FILE"),
}


def foreign_file(head: bytes, *, is_decompressed: bool = False) -> Foreign | None:
    """What a file with these first bytes is, if it is not read; `is_decompressed` says that it was once."""
    if is_decompressed and head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        return _TWICE
    known = next((foreign for start, foreign in _BY_FIRST_BYTES if head.startswith(start)), None)
    return known or _zip(head) or _wide_text(head) or _orc(head) or _tar(head) or _html(head)


def _zip(head: bytes) -> Foreign | None:
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return None
    if b"xl/" in head or b"[Content_Types].xml" in head:
        return _OFFICE
    if b"opendocument" in head:
        return Foreign("an OpenDocument file", "save the sheet as CSV")
    return Foreign("a zip archive", "unpack it first: unzip FILE")


def _wide_text(head: bytes) -> Foreign | None:
    """Text in units of two or four bytes, with a byte order mark or without one."""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return _WIDE_TEXT[32]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _WIDE_TEXT[16]
    for letters, zeros in ((head[0:4:2], head[1:4:2]), (head[1:4:2], head[0:4:2])):
        is_text = chr(letters[0]).isprintable() and letters[:1].isascii() if letters else False
        if zeros == b"\0\0" and len(letters) == len(zeros) and is_text and letters[1]:
            return _WIDE_TEXT[16]
    return None


def _orc(head: bytes) -> Foreign | None:
    """Text may begin with the same letters; it has no control characters but white space."""
    is_orc = head.startswith(b"ORC") and _CONTROL.search(head) is not None
    return Foreign("an ORC file", "convert it to Parquet first") if is_orc else None


def _tar(head: bytes) -> Foreign | None:
    is_tar = head[257:262] == b"ustar"
    return Foreign("a tar archive", "unpack it first: tar -xf FILE") if is_tar else None


def _html(head: bytes) -> Foreign | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:16].lower()
    if not start.startswith((b"<!doctype html", b"<html", b"<head")):
        return None
    return Foreign("an HTML page, perhaps the error of a download", "look at it, and download the file again")

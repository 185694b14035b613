//! Files that are not read, by their first bytes: what each is, and how its content gets into a form that is.
//!
//! Says nothing about the forms that are read; see [`super::format`] and [`super::compression`].

/// A kind of file that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    /// What it is, with its article.
    pub(super) what: &'static str,
    /// What to do.
    pub(super) cure: &'static str,
}

/// First bytes, the kind and the cure.
const BY_FIRST_BYTES: [(&[u8], &str, &str); 20] = [
    (b"BZh", "bzip2 data", "decompress it first: bunzip2 FILE"),
    (b"\xfd7zXZ\0", "xz data", "decompress it first: xz -d FILE"),
    (
        b"7z\xbc\xaf\x27\x1c",
        "a 7z archive",
        "unpack it first: 7z x FILE",
    ),
    (
        b"Rar!\x1a\x07",
        "a RAR archive",
        "unpack it first: unrar x FILE",
    ),
    (
        b"\x04\x22\x4d\x18",
        "LZ4 data",
        "decompress it first: lz4 -d FILE",
    ),
    (
        b"\x1f\x9d",
        "compress (.Z) data",
        "decompress it first: gunzip FILE",
    ),
    (
        b"\x1f\xa0",
        "compress (.Z) data",
        "decompress it first: gunzip FILE",
    ),
    (
        b"\xff\x06\0\0sNaPpY",
        "Snappy data",
        "decompress it first, or compress it with zstd instead",
    ),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Excel or Office document",
        "save the sheet as CSV",
    ),
    (
        b"SQLite format 3\0",
        "an SQLite database",
        "export the table: sqlite3 -csv -header FILE 'SELECT ...'",
    ),
    (
        b"%PDF",
        "a PDF document",
        "export the table as CSV where it comes from",
    ),
    (
        b"Obj\x01",
        "an Avro file",
        "convert it to Parquet or JSON first",
    ),
    (
        b"FEA1",
        "a Feather file of version 1",
        "write it as Arrow IPC: pyarrow.feather.write_feather",
    ),
    (b"\x89HDF", "an HDF5 file", "write it as Parquet first"),
    (
        b"\x93NUMPY",
        "a NumPy array",
        "write it as Parquet or CSV first",
    ),
    (
        b"\x80\x04\x95",
        "a Python pickle",
        "write it as Parquet or CSV first",
    ),
    (
        b"\x80\x05\x95",
        "a Python pickle",
        "write it as Parquet or CSV first",
    ),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS",
        "fetch the file itself: git lfs pull",
    ),
    (
        b"<?xml",
        "an XML document",
        "export it as CSV or JSON; if it was downloaded, it may be an error",
    ),
    (
        b"{\\rtf",
        "an RTF document",
        "export the table as CSV where it comes from",
    ),
];

const TWICE: Foreign = Foreign {
    what: "compressed twice",
    cure: "decompress it once first",
};

impl Foreign {
    /// By the first bytes, decompressed or not.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let known = BY_FIRST_BYTES
            .iter()
            .find(|(bytes, ..)| head.starts_with(bytes));
        known
            .map(|(_, what, cure)| Self { what, cure })
            .or_else(|| zip(head))
            .or_else(|| wide_text(head))
            .or_else(|| orc(head))
            .or_else(|| tar(head))
            .or_else(|| html(head))
    }

    /// The same of bytes that were decompressed.
    pub(super) fn of_decompressed(head: &[u8]) -> Option<Self> {
        let is_compressed =
            head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
        if is_compressed {
            Some(TWICE)
        } else {
            Self::of(head)
        }
    }
}

fn zip(head: &[u8]) -> Option<Foreign> {
    if !(head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")) {
        return None;
    }
    let has = |name: &[u8]| memchr::memmem::find(head, name).is_some();
    let (what, cure) = if has(b"xl/") || has(b"[Content_Types].xml") {
        (
            "an Excel workbook or another Office document",
            "save the sheet as CSV",
        )
    } else if has(b"opendocument") {
        ("an OpenDocument file", "save the sheet as CSV")
    } else {
        ("a zip archive", "unpack it first: unzip FILE")
    };
    Some(Foreign { what, cure })
}

/// Text in units of two or four bytes, with a byte order mark or without one.
fn wide_text(head: &[u8]) -> Option<Foreign> {
    let is_utf_32 = head.starts_with(b"\xff\xfe\0\0") || head.starts_with(b"\0\0\xfe\xff");
    let is_marked = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    let is_unmarked = match head {
        [first, 0, second, 0, ..] | [0, first, 0, second, ..] => {
            first.is_ascii_graphic() && *second != 0
        }
        _ => false,
    };
    let (what, cure) = if is_utf_32 {
        (
            "UTF-32 text",
            "convert it first: iconv -f UTF-32 -t UTF-8 FILE",
        )
    } else if is_marked || is_unmarked {
        (
            "UTF-16 text",
            "convert it first: iconv -f UTF-16 -t UTF-8 FILE",
        )
    } else {
        return None;
    };
    Some(Foreign { what, cure })
}

/// Text may begin with the same letters, such as a column ORCID; it has no control characters but white space.
fn orc(head: &[u8]) -> Option<Foreign> {
    let is_control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let is_orc = head.starts_with(b"ORC") && head.iter().any(is_control);
    is_orc.then_some(Foreign {
        what: "an ORC file",
        cure: "convert it to Parquet first",
    })
}

fn tar(head: &[u8]) -> Option<Foreign> {
    let is_tar = head.get(257..262) == Some(b"ustar");
    is_tar.then_some(Foreign {
        what: "a tar archive",
        cure: "unpack it first: tar -xf FILE",
    })
}

fn html(head: &[u8]) -> Option<Foreign> {
    let text = head
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(head)
        .trim_ascii_start();
    let start = text[..text.len().min(16)].to_ascii_lowercase();
    let is_html = [&b"<!doctype html"[..], b"<html", b"<head"]
        .iter()
        .any(|tag| start.starts_with(tag));
    is_html.then_some(Foreign {
        what: "an HTML page, perhaps the error of a download",
        cure: "look at it, and download the file again",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_kinds_are_named_by_their_first_bytes() {
        for (head, what) in [
            (&b"BZh91AY"[..], "bzip2 data"),
            (
                b"PK\x03\x04\x14\0_rels/.rels xl/workbook.xml",
                "an Excel workbook or another Office document",
            ),
            (
                b"PK\x03\x04\x14\0mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
                "an OpenDocument file",
            ),
            (b"PK\x03\x04\x14\0events.csv", "a zip archive"),
            (b"\xff\xfet\0o\0", "UTF-16 text"),
            (b"t\0o\0k\0", "UTF-16 text"),
            (b"\0t\0o\0k", "UTF-16 text"),
            (b"\xff\xfe\0\0t\0\0\0", "UTF-32 text"),
            (b"SQLite format 3\0\x10", "an SQLite database"),
            (b"ORC\x1d\0\0\n", "an ORC file"),
            (
                b"\n <!DOCTYPE HTML><html>",
                "an HTML page, perhaps the error of a download",
            ),
            (b"<?xml version=\"1.0\"?><Error>", "an XML document"),
        ] {
            assert_eq!(
                Foreign::of(head).map(|found| found.what),
                Some(what),
                "{head:?}"
            );
        }
        for head in [
            &b""[..],
            b"{\"a\":1}",
            b"token_id,holder_id",
            b"ORCID,token_id\r\n\t",
            b"PAR1",
            b"\xff\xff\xff\xff\x10\0",
            b"\x1f\x8b\x08",
        ] {
            assert_eq!(Foreign::of(head), None, "{head:?}");
        }
        assert_eq!(Foreign::of_decompressed(b"\x1f\x8b\x08"), Some(TWICE));
    }
}

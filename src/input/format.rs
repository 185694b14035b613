//! What a file holds: told by its name, else by its first bytes.

use std::path::Path;

/// The form of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum InputFormat {
    /// By the file's extension, else by its first bytes.
    #[default]
    Auto,
    /// One JSON object per line.
    Jsonl,
    /// A header line, then one event per row.
    Csv,
    /// Parquet or Arrow IPC, told apart by their first bytes.
    Parquet,
}

impl InputFormat {
    /// By the extension, one of `.gz` and `.zst` behind it left aside; `None` where it says nothing.
    pub(super) fn from_name(path: &Path) -> Option<Self> {
        let inner = match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "gz" | "zst" => Path::new(path.file_stem()?),
            _ => path,
        };
        match inner.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "parquet" | "arrow" | "feather" | "ipc" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// By the first unpacked bytes; `None` where they are of no known form.
    pub(super) fn from_head(head: &[u8]) -> Option<Self> {
        if Columns::from_head(head).is_some() {
            return Some(Self::Parquet);
        }
        let text = head.strip_prefix(BOM).unwrap_or(head);
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None | Some(b'{') => Some(Self::Jsonl),
            Some(_) if memchr::memmem::find(line, b"token_id").is_some() => Some(Self::Csv),
            Some(_) => None,
        }
    }
}

/// What some tools put before UTF-8 text.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// The two families of columnar files, and the two forms of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    Parquet,
    ArrowFile,
    ArrowStream,
}

impl Columns {
    pub(super) fn from_head(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"PAR1") || head.starts_with(b"PARE") {
            Some(Self::Parquet)
        } else if head.starts_with(b"ARROW1") {
            Some(Self::ArrowFile)
        } else if head.starts_with(&[0xff; 4]) {
            Some(Self::ArrowStream)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_form_behind_its_packing() {
        for (name, format) in [
            ("a.jsonl", Some(InputFormat::Jsonl)),
            ("a.b.NDJSON.gz", Some(InputFormat::Jsonl)),
            ("a.csv.zst", Some(InputFormat::Csv)),
            ("a.parquet", Some(InputFormat::Parquet)),
            ("a.feather", Some(InputFormat::Parquet)),
            ("events", None),
            ("events.gz", None),
            (".csv", None),
        ] {
            assert_eq!(InputFormat::from_name(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn the_first_bytes_tell_what_the_name_does_not() {
        for (head, format) in [
            (&b" \n{\"token_id\""[..], Some(InputFormat::Jsonl)),
            (b"", Some(InputFormat::Jsonl)),
            (b"\xef\xbb\xbf\"token_id\",x\n", Some(InputFormat::Csv)),
            (b"PAR1\x15\x04", Some(InputFormat::Parquet)),
            (b"ARROW1\0\0", Some(InputFormat::Parquet)),
            (b"\xff\xff\xff\xff\x10", Some(InputFormat::Parquet)),
            (b"hello\ntoken_id\n", None),
        ] {
            assert_eq!(InputFormat::from_head(head), format, "{head:?}");
        }
    }
}

//! The format of a file: detected by its name, else by its first bytes.

use std::path::Path;

use super::feeds::Feed;

/// The format of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum InputFormat {
    /// By the file's extension, else by its first bytes.
    #[default]
    Auto,
    /// JSON: an object on each line, an array of objects, or an object that has one.
    Jsonl,
    /// A header line, then one event per row.
    Csv,
    /// Parquet or Arrow IPC, told apart by their first bytes.
    Parquet,
    /// The columns of a known feed, in any of these formats.
    Feed(Feed),
}

impl InputFormat {
    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let forms = [Self::Auto, Self::Jsonl, Self::Csv, Self::Parquet];
        forms.into_iter().chain(Feed::ALL.map(Self::Feed))
    }

    /// Its word on the command line and in mappings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Feed(feed) => feed.name(),
        }
    }

    /// By the extension before `.gz` or `.zst`, if there is one; `None` if it is unknown.
    pub(super) fn from_name(path: &Path) -> Option<Self> {
        let inner = match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "gz" | "zst" => Path::new(path.file_stem()?),
            _ => path,
        };
        match inner.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            "csv" | "tsv" => Some(Self::Csv),
            "parquet" | "arrow" | "feather" | "ipc" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// By the first decompressed bytes; `None` if they fit no known format.
    pub(super) fn from_head(head: &[u8]) -> Option<Self> {
        if ColumnarFormat::from_head(head).is_some() {
            return Some(Self::Parquet);
        }
        let text = head.strip_prefix(BOM).unwrap_or(head);
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None | Some(b'{' | b'[') => Some(Self::Jsonl),
            Some(_) if memchr::memmem::find(line, b"token_id").is_some() => Some(Self::Csv),
            Some(_) => None,
        }
    }
}

/// The byte order mark that some tools write before UTF-8 text.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Parquet, and the two forms of Arrow IPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnarFormat {
    Parquet,
    ArrowFile,
    ArrowStream,
}

impl ColumnarFormat {
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
    fn the_extension_names_the_format_also_of_compressed_files() {
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
    fn the_first_bytes_name_the_format_if_the_extension_does_not() {
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

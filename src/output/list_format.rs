//! The format of a list that a run writes to a file of its own.

use std::path::Path;

/// The format of a list of refused lines or of deficits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListFormat {
    /// One object per line.
    Jsonl,
    /// The same as columns.
    Csv,
}

impl ListFormat {
    /// By the extension; `None` if it is neither that of JSONL nor of CSV.
    #[must_use]
    pub(crate) fn from_name(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

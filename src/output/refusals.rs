//! The refused lines of a run, as a separate file.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::{RefusedLine, csv, json};

/// The format of a list of refused lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalFormat {
    /// One object per line: `file`, `line`, `reason`.
    Jsonl,
    /// The same as columns.
    Csv,
}

impl RefusalFormat {
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

/// Writes all refused lines in order.
///
/// # Errors
/// If `out` cannot be written to.
pub(crate) fn write_refusals(
    refused: &[RefusedLine],
    format: RefusalFormat,
    out: &mut impl Write,
) -> io::Result<()> {
    match format {
        RefusalFormat::Csv => csv::write_refusals(refused, out),
        RefusalFormat::Jsonl => {
            let mut out = BufWriter::new(out);
            refused
                .iter()
                .try_for_each(|line| json::write_refusal(line, &mut out))?;
            out.flush()
        }
    }
}

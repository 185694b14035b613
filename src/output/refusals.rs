//! The refused lines of a run, as a separate file.

use std::io::{self, BufWriter, Write};

use super::{ListFormat, RefusedLine, csv, json};

/// Writes all refused lines in order.
///
/// # Errors
/// If `out` cannot be written to.
pub(crate) fn write_refusals(
    refused: &[RefusedLine],
    format: ListFormat,
    out: &mut impl Write,
) -> io::Result<()> {
    match format {
        ListFormat::Csv => csv::write_refusals(refused, out),
        ListFormat::Jsonl => {
            let mut out = BufWriter::new(out);
            refused
                .iter()
                .try_for_each(|line| json::write_refusal(line, &mut out))?;
            out.flush()
        }
    }
}

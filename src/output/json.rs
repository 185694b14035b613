//! The report as one JSON object, written as a stream: millions of holders need no more memory.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::{RefusedLine, ScoreReport};

#[derive(Serialize)]
struct JsonRefusal<'a> {
    file: &'a str,
    line: u64,
    reason: &'a str,
}

/// One object with the fields of the published report, one line per entry of its lists.
pub(super) fn write(report: &ScoreReport<'_>, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    write_reading(report, &mut out)?;
    if let Some(policy) = report.policy {
        out.write_all(b",\n\"policy\": ")?;
        serde_json::to_writer(&mut out, policy)?;
    }
    out.write_all(b",\n\"holders\": ")?;
    write_list(&mut out, report.leaderboard.rows(), |out, row| {
        serde_json::to_writer(out, &row)
    })?;
    out.write_all(b"\n}\n")?;
    out.flush()
}

/// The beginning of the object: the question, the counts, the refused lines, the ignored columns and the warnings.
pub(super) fn write_reading(report: &ScoreReport<'_>, out: &mut impl Write) -> io::Result<()> {
    let window = report.window;
    write!(out, "{{\n\"as_of\": \"{}\",\n\"from\": ", window.as_of)?;
    match window.from {
        Some(from) => write!(out, "\"{from}\"")?,
        None => out.write_all(b"null")?,
    }
    write!(
        out,
        ",\n\"closed_only\": {},\n\"read\": {},\n\"accepted\": {},\n\"deficits\": {},\n\"rejected\": ",
        window.closed_only,
        report.read,
        report.accepted,
        report.leaderboard.deficits()
    )?;
    write_list(out, report.refused.iter(), |out, line| {
        serde_json::to_writer(out, &JsonRefusal::from(line))
    })?;
    if !report.recognised.is_empty() {
        out.write_all(b",\n\"recognised\": ")?;
        write_list(out, report.recognised.iter(), |out, file| {
            serde_json::to_writer(out, file)
        })?;
    }
    out.write_all(b",\n\"ignored_columns\": ")?;
    serde_json::to_writer(&mut *out, report.ignored_columns)?;
    out.write_all(b",\n\"warnings\": ")?;
    write_list(out, report.warnings.iter(), |out, warning| {
        serde_json::to_writer(out, warning)
    })
}

/// One refused line as one JSON object.
pub(super) fn write_refusal(line: &RefusedLine, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &JsonRefusal::from(line))?;
    out.write_all(b"\n")
}

/// A list with one line for each entry.
pub(super) fn write_list<W: Write, T>(
    out: &mut W,
    entries: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut W, T) -> serde_json::Result<()>,
) -> io::Result<()> {
    let mut before = "[";
    for entry in entries {
        writeln!(out, "{before}")?;
        write(out, entry)?;
        before = ",";
    }
    if before == "[" {
        out.write_all(b"[]")
    } else {
        out.write_all(b"\n]")
    }
}

impl<'a> From<&'a RefusedLine> for JsonRefusal<'a> {
    fn from(line: &'a RefusedLine) -> Self {
        Self {
            file: &line.file,
            line: line.line,
            reason: &line.reason,
        }
    }
}

//! Leaderboards as tables, JSON, CSV and Parquet, events as lines of JSON, to standard output or
//! to a file that appears when it is complete.
//!
//! Nothing is scored or sorted here; rows are written in the given order. Read `report` (what is written),
//! one file per format, `event_rows` (events in each format), `comparison` (holders whose rank or score differs
//! between two policies), `refusals` and `deficits` (lists of their own), `warnings` (what is probably not meant),
//! `destination` and `folder` (where it goes).

mod comparison;
mod csv;
mod deficits;
mod destination;
mod event_rows;
mod events;
mod folder;
mod json;
mod list_format;
mod parquet;
mod refusals;
mod report;
mod table;
mod warnings;

use std::io::{self, Write};
use std::path::Path;

pub(crate) use comparison::{Comparison, moves_between, write_comparison};
pub(crate) use deficits::{DeficitRow, write_deficits};
pub(crate) use destination::Destination;
pub(crate) use event_rows::{EventFormat, EventRows};
pub use events::{write_event, write_numbered_event};
pub(crate) use folder::FolderDestination;
pub(crate) use list_format::ListFormat;
pub(crate) use refusals::write_refusals;
pub(crate) use report::{
    HolderRow, Leaderboard, PolicyName, RecognisedFile, RefusedLine, ScoreReport, missing_input,
};
pub(crate) use table::printable;
pub(crate) use warnings::{Warning, WarningCode, warning_names, warnings};

/// The format of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum OutputFormat {
    /// For people: aligned columns, readable durations.
    #[default]
    Table,
    /// One object with the question, the counts, the refused lines and the holders.
    Json,
    /// A header line, then one holder per row.
    Csv,
    /// One row per holder; `held_us` as decimal, the question in the file's metadata.
    Parquet,
}

impl OutputFormat {
    /// By the extension of a file; `None` if it is not one of a format.
    #[must_use]
    pub(crate) fn from_name(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Writes `report` to `out`; `has_colours` is for the table.
///
/// # Errors
/// If `out` cannot be written to.
pub(crate) fn write_scores(
    report: &ScoreReport<'_>,
    format: OutputFormat,
    has_colours: bool,
    out: &mut (dyn Write + Send),
) -> io::Result<()> {
    match format {
        OutputFormat::Table => table::write(report, has_colours, out),
        OutputFormat::Json => json::write(report, out),
        OutputFormat::Csv => csv::write(report, out),
        OutputFormat::Parquet => parquet::write(report, out),
    }
}

//! Why a set of files cannot be read; each text names the file, and the cause is its source.

use std::error::Error;
use std::io;
use std::sync::Arc;

use super::{LineRefusal, NearMiss};
use crate::excerpt::literal;

/// The column of the token, and how a column of another name is named.
pub(super) const TOKEN_COLUMN: (&str, &str) = (
    "token_id",
    "; name yours: --columns token_id=COLUMN, or --token NAME",
);

/// The columns of which a file needs one: the holder of a hold or a change, or a party of a transfer.
pub(super) const HOLDER_COLUMNS: (&str, &str) = (
    "holder_id, from_id or to_id",
    "; name yours: --columns holder_id=COLUMN",
);

/// The columns of which a file needs one, unless it has `retract`.
pub(super) const TIME_COLUMNS: (&str, &str) =
    ("start, end or at", "; name yours: --columns start=COLUMN");

/// What ends the reading of all sources.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The file does not exist or cannot be opened.
    #[error("{file}: cannot be opened")]
    Open {
        /// Its name.
        file: Arc<str>,
        /// What the system says.
        source: io::Error,
    },
    /// The path names a folder.
    #[error("{file}: is a folder; name the files in it")]
    Folder {
        /// Its name.
        file: Arc<str>,
    },
    /// `-` is given more than once.
    #[error("-: standard input is given twice, but it can be read only once")]
    StdinTwice,
    /// The file cannot be read to its end.
    #[error("{file}: reading stopped")]
    Read {
        /// The file's name.
        file: Arc<str>,
        /// What the system says.
        source: io::Error,
    },
    /// A gzip or zstd stream that ends early or is not valid.
    #[error("{file}: truncated or damaged {packing} data")]
    Unpack {
        /// The file's name.
        file: Arc<str>,
        /// "gzip" or "zstd".
        packing: &'static str,
        /// What the decoder says.
        source: io::Error,
    },
    /// A Parquet or Arrow file that ends early or is not valid.
    #[error("{file}: truncated or damaged {format} data")]
    Damaged {
        /// The file's name.
        file: Arc<str>,
        /// "Parquet" or "Arrow".
        format: &'static str,
        /// What the decoder says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file should be columnar, but is neither Parquet nor Arrow IPC.
    #[error("{file}: neither Parquet nor Arrow data; is the file complete?")]
    NoColumns {
        /// The file's name.
        file: Arc<str>,
    },
    /// The file is of a kind that is not read.
    #[error("{file}: {what}; {cure}")]
    Foreign {
        /// The file's name.
        file: Arc<str>,
        /// What it is.
        what: &'static str,
        /// What to do.
        cure: &'static str,
    },
    /// zstd data that takes more memory than is allowed.
    #[error(
        "{file}: the zstd data has a window of more than 128 MiB; add --long, which takes up to 2 GiB of memory"
    )]
    LongWindow {
        /// The file's name.
        file: Arc<str>,
    },
    /// Neither the extension nor the first bytes fit a known format.
    #[error("{file}: unknown format; name it with --input-format jsonl, csv or parquet")]
    UnknownFormat {
        /// The file's name.
        file: Arc<str>,
    },
    /// A JSON document that is not whole, or in which no more rows can be found.
    #[error("{file}: line {line}: not JSON: {what}")]
    Document {
        /// The file's name.
        file: Arc<str>,
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        what: String,
    },
    /// A column that is probably meant for a field, under another name.
    #[error("{file}: column {near}")]
    NearMiss {
        /// The file's name.
        file: Arc<str>,
        /// The column and the field.
        near: NearMiss,
    },
    /// A CSV file without a first line.
    #[error(
        "{file}: no header line; the first line must name the columns, such as token_id,holder_id,start,end,weight \
         or token_id,from_id,to_id,at,amount,event_id"
    )]
    NoHeader {
        /// The file's name.
        file: Arc<str>,
    },
    /// The first line of a CSV file cannot be read.
    #[error("{file}: the header line is {reason}")]
    Header {
        /// The file's name.
        file: Arc<str>,
        /// What is wrong with it.
        reason: String,
    },
    /// A required column is absent.
    #[error(
        "{file}: no column {column}; the columns are {}{cure}",
        listed(columns)
    )]
    MissingColumn {
        /// The file's name.
        file: Arc<str>,
        /// The column, or the columns of which one is needed.
        column: String,
        /// The columns of the file.
        columns: Vec<String>,
        /// What helps beyond that, after a semicolon; may be empty.
        cure: &'static str,
    },
    /// Two columns hold the same field.
    #[error("{file}: columns {first} and {second} are both there; keep one of them")]
    TwoColumns {
        /// The file's name.
        file: Arc<str>,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A column has a type that its field cannot be read from.
    #[error("{file}: column {column} is of type {found}, but {expected} is needed")]
    ColumnType {
        /// The file's name.
        file: Arc<str>,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// The types that can be read.
        expected: &'static str,
    },
    /// A file of a known feed lacks something that its rows cannot say.
    #[error("{file}: read as {feed}: {reason}")]
    Feed {
        /// The file's name.
        file: Arc<str>,
        /// The feed's name.
        feed: &'static str,
        /// What it lacks, and the cure.
        reason: String,
    },
    /// The first refused line, if refusals end the run.
    #[error("{0}")]
    Refused(LineRefusal),
}

fn listed(columns: &[String]) -> String {
    if columns.is_empty() {
        "none".to_owned()
    } else {
        let names: Vec<_> = columns.iter().map(|name| literal(name)).collect();
        names.join(", ")
    }
}

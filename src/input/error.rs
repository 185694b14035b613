//! Why a set of files cannot be read; each text names the file, and the cause is its source.

use std::error::Error;
use std::io;
use std::sync::Arc;

use super::Rejected;

/// What ends the reading of a whole set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The file is not there, or may not be read.
    #[error("{file}: cannot be opened")]
    Open {
        /// Its name.
        file: Arc<str>,
        /// What the system says.
        source: io::Error,
    },
    /// A folder stands where a file is wanted.
    #[error("{file}: is a folder; name the files in it")]
    Folder {
        /// Its name.
        file: Arc<str>,
    },
    /// `-` is named more than once.
    #[error("-: standard input is named twice, but it can be read only once")]
    StdinTwice,
    /// The bytes cannot be had.
    #[error("{file}: reading stopped")]
    Read {
        /// The file's name.
        file: Arc<str>,
        /// What the system says.
        source: io::Error,
    },
    /// A gzip or zstd stream that ends early or is no such stream.
    #[error("{file}: truncated or damaged {packing} data")]
    Unpack {
        /// The file's name.
        file: Arc<str>,
        /// "gzip" or "zstd".
        packing: &'static str,
        /// What the decoder says.
        source: io::Error,
    },
    /// A Parquet or Arrow file that ends early or breaks its own format.
    #[error("{file}: truncated or damaged {format} data")]
    Damaged {
        /// The file's name.
        file: Arc<str>,
        /// "Parquet" or "Arrow".
        format: &'static str,
        /// What the decoder says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Columns are wanted, but the bytes are neither Parquet nor Arrow IPC.
    #[error("{file}: neither Parquet nor Arrow data; is the file complete?")]
    NoColumns {
        /// The file's name.
        file: Arc<str>,
    },
    /// Neither the name nor the content tells what the file holds.
    #[error("{file}: unknown format; name it with --input-format jsonl, csv or parquet")]
    UnknownFormat {
        /// The file's name.
        file: Arc<str>,
    },
    /// A CSV file without a first line.
    #[error("{file}: no header line; name the columns token_id,holder_id,start,end,weight")]
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
    /// A column that every event needs is absent.
    #[error("{file}: no column {column}; the columns are {}", listed(columns))]
    MissingColumn {
        /// The file's name.
        file: Arc<str>,
        /// The column, or the columns of which one is needed.
        column: &'static str,
        /// The columns that are there.
        columns: Vec<String>,
    },
    /// Two columns say the same thing.
    #[error("{file}: columns {first} and {second} are both there; keep one of them")]
    TwoColumns {
        /// The file's name.
        file: Arc<str>,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A column of a type that its field cannot be read from.
    #[error("{file}: column {column} has type {found}, but {expected} is needed")]
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
    /// The first refused line, where refusals end the run.
    #[error("{0}")]
    Refused(Rejected),
}

fn listed(columns: &[String]) -> String {
    if columns.is_empty() {
        "none".to_owned()
    } else {
        columns.join(", ")
    }
}

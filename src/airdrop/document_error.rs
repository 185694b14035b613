//! Why there is no document: the list, the file or the folder is not what its format demands.

use ruint::aliases::U256;
use serde::Deserialize;

use super::abi::{TypeError, ValueError};
use super::{ListError, PaymentError};
use crate::excerpt::quoted;

/// Why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No rows.
    #[error("the list is empty (a tree needs at least one leaf)")]
    Empty,
    /// Not JSON of the format.
    #[error("not a tree of the format {format}: {reason}")]
    Json {
        /// The format.
        format: &'static str,
        /// What the reader says, cut.
        reason: String,
    },
    /// Another format.
    #[error(
        "not a tree of a known format (a file of standard-v1, simple-v1, uniswap, sablier or merkl, or a folder of shards with root.json or info.json)"
    )]
    Unknown,
    /// A hash of another kind.
    #[error("hash: the dump uses a custom hash, which is not known here (only keccak256 is)")]
    CustomHash,
    /// A type that a leaf cannot have.
    #[error("leafEncoding: {0}")]
    Type(#[from] TypeError),
    /// A value that is not of its type.
    #[error("value {number}, {column}: {reason}")]
    Value {
        /// From 1.
        number: usize,
        /// The type of the column.
        column: String,
        /// Why.
        reason: ValueError,
    },
    /// A row of CSV with a value that is not of its type.
    #[error("line {line}, {column}: {reason}")]
    Cell {
        /// From 1.
        line: u64,
        /// The type of the column.
        column: String,
        /// Why.
        reason: ValueError,
    },
    /// Another number of cells.
    #[error("value {number}: {found} values for {expected} types")]
    Cells {
        /// From 1.
        number: usize,
        /// Values.
        found: usize,
        /// Types.
        expected: usize,
    },
    /// A row that cannot be paid.
    #[error("value {number}: {reason}")]
    Payment {
        /// From 1.
        number: usize,
        /// Why.
        reason: PaymentError,
    },
    /// Not a list.
    #[error(transparent)]
    List(#[from] ListError),
    /// An index that no leaf has, or two have.
    #[error("value {0}: its treeIndex is not one of a leaf, or another value has it")]
    Index(usize),
    /// The leaf at its index is another one.
    #[error(
        "value {0}: the tree has another leaf at its treeIndex (the value or the tree was changed)"
    )]
    Leaf(usize),
    /// Not what the list gives.
    #[error("{0}")]
    Different(String),
    /// The same in a file of a folder.
    #[error("{file}: {reason}")]
    File {
        /// Its name.
        file: String,
        /// Why.
        reason: Box<DocumentError>,
    },
    /// A file that is missing or not part of the folder.
    #[error("{file}: {what}")]
    Folder {
        /// Its name.
        file: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A campaign of one.
    #[error("a campaign of Sablier has at least two recipients")]
    OneRecipient,
    /// More than the contracts hold.
    #[error("the amounts sum to {0} base units, and a campaign of Sablier holds less than 2^128")]
    TooMuch(U256),
    /// Tokens that the format has no place for, or lacks.
    #[error(
        "format {0}: only merkl names a token beside each user, and it needs one (give --token, or a list with the header user,token,amount)"
    )]
    Tokens(&'static str),
    /// Nothing to pay.
    #[error(
        "the values have no address and one amount each, so that they are not a list of payments"
    )]
    NoPayments,
}

/// Reads JSON of this format.
pub(super) fn parse_json<'a, T: Deserialize<'a>>(
    format: &'static str,
    text: &'a [u8],
) -> Result<T, DocumentError> {
    serde_json::from_slice(text).map_err(|error| DocumentError::Json {
        format,
        reason: json_reason(&error),
    })
}

/// What the reader of JSON says, cut: it may quote a text of any length.
pub(super) fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.char_indices().nth(200) {
        None => text,
        Some(_) => format!(
            "{} at line {} column {}",
            quoted(&text),
            error.line(),
            error.column()
        ),
    }
}

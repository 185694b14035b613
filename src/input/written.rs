//! A value of a column as it is written: what a message shows of it, and what a second implementation reads.
//!
//! Says nothing of whether it is valid. Values of text formats are excerpts of their lines.

use std::fmt;

use crate::excerpt::{literal, quoted};

/// A time or a decimal of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// A timestamp in microseconds since 1970, in range or not.
    Micros(i128),
    /// The digits of a number; of a binary one the shortest that reads back.
    Number(String),
    /// Text.
    Text(String),
}

impl fmt::Display for Written {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Micros(micros) => write!(out, "{micros} microseconds"),
            Self::Number(digits) => out.write_str(&literal(digits)),
            Self::Text(text) => out.write_str(&quoted(text)),
        }
    }
}

//! Refused lines: where they stand, why, and whether they end the run.

use std::fmt;
use std::sync::Arc;

use super::JsonFault;
use crate::core::Refusal;

/// What a refused line does to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnError {
    /// The first refused line ends the run; nothing is written.
    #[default]
    Fail,
    /// Refused lines are counted and listed; the others count.
    Skip,
}

/// Why a line is refused; the text begins with the field where one is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The line is no JSON text.
    #[error("not JSON: {0}")]
    NotJson(JsonFault),
    /// The line is JSON, but no object.
    #[error("not an object")]
    NotAnObject,
    /// The row breaks the rules of CSV.
    #[error("not CSV: {0}")]
    NotCsv(&'static str),
    /// The row has more or fewer cells than the header.
    #[error("row has {found} cells, the header has {expected}")]
    Cells {
        /// Cells of the row.
        found: usize,
        /// Cells of the header.
        expected: usize,
    },
    /// The fields make no event.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A refused line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// The line, from 1, a CSV header included; in columns the row, from 1.
    pub line: u64,
    /// Why.
    pub reason: Reason,
    /// The file's place in the set.
    pub(super) place: usize,
}

impl Rejected {
    /// Sorts by file, as the files were given, then by line.
    #[must_use]
    pub(super) fn position(&self) -> (usize, u64) {
        (self.place, self.line)
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: line {}: {}", self.file, self.line, self.reason)
    }
}

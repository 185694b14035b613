//! Refused lines: where they stand, why, and whether they end the run.
//!
//! The core says what is wrong with a field; here the offending text is added, which it does not have.

use std::fmt;
use std::sync::Arc;

use super::{JsonError, NearMiss};
use crate::core::{Addressed, Audience, Field, Refusal};

/// What a refused line does to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnError {
    /// The first refused line ends the run; nothing is written.
    #[default]
    Fail,
    /// Refused lines are counted and listed; the others count.
    Skip,
}

/// Why a line is refused; the text begins with the offending field, if there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusalReason {
    /// The line is not JSON.
    #[error("not JSON: {0}")]
    NotJson(JsonError),
    /// The line is JSON, but not an object.
    #[error("not an object; found {found}")]
    NotAnObject {
        /// The line, as messages show it.
        found: String,
    },
    /// A key that is probably meant for a field, under another name.
    #[error("key {0}")]
    NearMiss(NearMiss),
    /// The object has keys, and none of them is that of a field.
    #[error(
        "{field}: missing or empty (no key is that of a field; the keys are {keys}; name them with --columns)"
    )]
    NoKey {
        /// The first field that is missing.
        field: Field,
        /// Its keys, as messages show them.
        keys: String,
    },
    /// The object has the key of a field twice.
    #[error("{field}: the key {key} is there twice; keep one of them")]
    KeyTwice {
        /// The field.
        field: &'static str,
        /// Its key, as messages show it.
        key: String,
    },
    /// The row violates RFC 4180.
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
    /// A text of JSON names half of a pair of surrogates.
    #[error(
        "{refusal} (it has half of a surrogate pair, which UTF-8 cannot encode); found {found}"
    )]
    HalfSurrogate {
        /// What is wrong.
        refusal: Refusal,
        /// The text, as messages show it.
        found: String,
    },
    /// What a field says is not known: a block without a time, a token without decimals.
    #[error("{field}: {reason}")]
    Unresolved {
        /// The field.
        field: &'static str,
        /// What is not known, and the cure.
        reason: String,
    },
    /// The fields do not make an event.
    #[error("{refusal}{}", found.as_deref().map(|found| format!("; found {found}")).unwrap_or_default())]
    Refused {
        /// What is wrong.
        refusal: Refusal,
        /// The value of the field, as messages show it; `None` if it is absent or says nothing.
        found: Option<Box<str>>,
    },
}

impl RefusalReason {
    /// The offending field, if there is one.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Refused { refusal, .. } | Self::HalfSurrogate { refusal, .. } => {
                Some(refusal.field())
            }
            Self::NearMiss(near) => Some(near.field),
            Self::NoKey { field, .. } => Some(field.name()),
            Self::Unresolved { field, .. } | Self::KeyTwice { field, .. } => Some(field),
            Self::NotJson(_) | Self::NotAnObject { .. } | Self::NotCsv(_) | Self::Cells { .. } => {
                None
            }
        }
    }

    /// Adds the value of the offending field, which `found` shows.
    pub(crate) fn with_found(refusal: Refusal, found: Option<String>) -> Self {
        // What is wrong is otherwise that the field is missing or given, whatever its value.
        let is_about_value = match refusal {
            Refusal::IdNotText(_)
            | Refusal::Time(..)
            | Refusal::Decimal(..)
            | Refusal::EventId
            | Refusal::Revision
            | Refusal::Seq
            | Refusal::Retract
            | Refusal::EndBeforeStart => true,
            Refusal::MissingId(_)
            | Refusal::CorrectionWithoutId
            | Refusal::NoTime
            | Refusal::NotOfChange(_)
            | Refusal::MissingInChange(_)
            | Refusal::NotOfTransfer(_)
            | Refusal::MissingInTransfer(_)
            | Refusal::AmountAlone(_)
            | Refusal::NoParty => false,
        };
        let found = found.filter(|_| is_about_value);
        Self::Refused {
            refusal,
            found: found.map(Into::into),
        }
    }
}

impl Addressed for RefusalReason {
    fn write_to(&self, audience: Audience, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { refusal, found } => {
                write!(out, "{}", refusal.to(audience))?;
                match found {
                    Some(found) => write!(out, "; found {found}"),
                    None => Ok(()),
                }
            }
            Self::NearMiss(near) => write!(out, "key {}", near.to(audience)),
            Self::NoKey { field, keys } if audience == Audience::Service => write!(
                out,
                "{field}: missing or empty (no key is that of a field; the keys are {keys})"
            ),
            Self::NotJson(_)
            | Self::NotAnObject { .. }
            | Self::KeyTwice { .. }
            | Self::NoKey { .. }
            | Self::HalfSurrogate { .. }
            | Self::NotCsv(_)
            | Self::Cells { .. }
            | Self::Unresolved { .. } => write!(out, "{self}"),
        }
    }
}

impl From<Refusal> for RefusalReason {
    fn from(refusal: Refusal) -> Self {
        Self::with_found(refusal, None)
    }
}

/// A refused line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRefusal {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// The line, from 1, a CSV header included; in columns the row, from 1.
    pub line: u64,
    /// Why.
    pub reason: RefusalReason,
    /// The file's index in the set.
    pub(super) file_index: usize,
}

impl LineRefusal {
    /// Sorts by file, as the files were given, then by line.
    #[must_use]
    pub(super) fn position(&self) -> (usize, u64) {
        (self.file_index, self.line)
    }
}

impl fmt::Display for LineRefusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: line {}: {}", self.file, self.line, self.reason)
    }
}

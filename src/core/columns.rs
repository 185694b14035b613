//! Many events as columns: slices that the caller owns.
//!
//! The interface for bulk input from Python and from columnar files. It copies nothing and checks
//! each row by the same rules as a single event; see [`super::event::Draft`].

use super::event::REVISION_MAX;
use super::{Draft, Event, Field, Micros, Refusal, Wad};

/// The value in the `start` and `end` columns that means an absent time.
pub(crate) const ABSENT: i64 = i64::MIN;

/// The weight of each row.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// Every row weighs 1.
    One,
    /// Binary doubles, each read as its shortest decimal.
    Doubles(&'a [f64]),
    /// Exact weights.
    Wads(&'a [Wad]),
}

/// Events in columns; every slice has one value per row.
#[derive(Clone, Copy, Debug)]
pub struct EventColumns<'a> {
    /// Token ids.
    pub token_id: &'a [&'a str],
    /// Holder ids.
    pub holder_id: &'a [&'a str],
    /// Microseconds since 1970, or [`ABSENT`].
    pub start: &'a [i64],
    /// Microseconds since 1970, or [`ABSENT`].
    pub end: &'a [i64],
    /// Weights.
    pub weight: Weights<'a>,
    /// Event ids of correctable events; `None` if no event has one.
    pub event_id: Option<&'a [Option<&'a str>]>,
    /// Revisions; `None` if all are 0.
    pub revision: Option<&'a [i64]>,
    /// Retractions; `None` if there is no retraction.
    pub retract: Option<&'a [bool]>,
}

/// A column whose length differs from that of `token_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{column}: {found} rows, but token_id has {expected}")]
pub struct LengthMismatch {
    /// The column's name.
    pub column: &'static str,
    /// Its length.
    pub found: usize,
    /// The length of `token_id`.
    pub expected: usize,
}

impl<'a> EventColumns<'a> {
    /// The number of rows, after checking that every column has that many.
    pub fn rows(&self) -> Result<usize, LengthMismatch> {
        let expected = self.token_id.len();
        let weights = match self.weight {
            Weights::One => expected,
            Weights::Doubles(values) => values.len(),
            Weights::Wads(values) => values.len(),
        };
        for (column, found) in [
            ("holder_id", self.holder_id.len()),
            ("start", self.start.len()),
            ("end", self.end.len()),
            ("weight", weights),
            ("event_id", self.event_id.map_or(expected, <[_]>::len)),
            ("revision", self.revision.map_or(expected, <[_]>::len)),
            ("retract", self.retract.map_or(expected, <[_]>::len)),
        ] {
            if found != expected {
                return Err(LengthMismatch {
                    column,
                    found,
                    expected,
                });
            }
        }
        Ok(expected)
    }

    /// The event in `row`, or the reason for its refusal.
    ///
    /// # Panics
    /// If a column is shorter than `row`; call [`Self::rows`] first.
    #[inline]
    pub fn event(&self, row: usize) -> Result<Event<'a>, Refusal> {
        // The fields are checked in the same order for every input format.
        if self.token_id[row].is_empty() {
            return Err(Refusal::MissingId(Field::TokenId));
        }
        if self.holder_id[row].is_empty() {
            return Err(Refusal::MissingId(Field::HolderId));
        }
        let start = instant(Field::Start, self.start[row])?;
        let end = instant(Field::End, self.end[row])?;
        let weight = match self.weight {
            Weights::One => Wad::ONE,
            Weights::Doubles(values) => Wad::from_double(values[row])?,
            Weights::Wads(values) => values[row],
        };
        let revision = self.revision.map_or(0, |values| values[row]);
        Draft {
            token_id: self.token_id[row],
            holder_id: self.holder_id[row],
            start,
            end,
            weight: Some(weight),
            event_id: self.event_id.and_then(|values| values[row]),
            revision: u64::try_from(revision).unwrap_or(REVISION_MAX + 1),
            retract: self.retract.is_some_and(|values| values[row]),
        }
        .check()
    }
}

#[inline]
fn instant(field: Field, micros: i64) -> Result<Option<Micros>, Refusal> {
    if micros == ABSENT {
        return Ok(None);
    }
    Micros::new(micros)
        .map(Some)
        .map_err(|error| Refusal::Time(field, error))
}

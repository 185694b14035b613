//! Many events as columns: slices that the caller owns.
//!
//! The interface for bulk input from Python and from columnar files. It copies nothing and checks
//! each row by the same rules as a single event; see [`super::event::Draft`].

use super::event::INTEGER_MAX;
use super::{Delta, Draft, Event, Field, Micros, Refusal, Wad};

/// The value in the `start` and `end` columns that means an absent time.
pub(crate) const ABSENT: i64 = i64::MIN;

/// The weight of each row.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// Every row weighs 1.
    One,
    /// Binary doubles, each read as its shortest decimal.
    Doubles(&'a [f64]),
    /// Exact weights; `None` means that the row states none.
    Wads(&'a [Option<Wad>]),
}

/// The delta of each row; see [`Weights`].
#[derive(Clone, Copy, Debug)]
pub enum Deltas<'a> {
    /// No row has one.
    None,
    /// Binary doubles, each read as its shortest decimal.
    Doubles(&'a [f64]),
    /// Exact deltas; `None` means that the row states none.
    Exact(&'a [Option<Delta>]),
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
    /// Instants of changes of balance, like `start`; `None` if there is no change.
    pub at: Option<&'a [i64]>,
    /// Deltas of changes of balance.
    pub delta: Deltas<'a>,
    /// Orders of marks within an instant; `None` if all are 0.
    pub seq: Option<&'a [i64]>,
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
        let deltas = match self.delta {
            Deltas::None => expected,
            Deltas::Doubles(values) => values.len(),
            Deltas::Exact(values) => values.len(),
        };
        for (column, found) in [
            ("holder_id", self.holder_id.len()),
            ("start", self.start.len()),
            ("end", self.end.len()),
            ("weight", weights),
            ("event_id", self.event_id.map_or(expected, <[_]>::len)),
            ("revision", self.revision.map_or(expected, <[_]>::len)),
            ("retract", self.retract.map_or(expected, <[_]>::len)),
            ("at", self.at.map_or(expected, <[_]>::len)),
            ("delta", deltas),
            ("seq", self.seq.map_or(expected, <[_]>::len)),
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
            Weights::One => None,
            Weights::Doubles(values) => Some(Wad::from_double(values[row])?),
            Weights::Wads(values) => values[row],
        };
        let draft = Draft {
            token_id: self.token_id[row],
            holder_id: self.holder_id[row],
            start,
            end,
            weight,
            event_id: self.event_id.and_then(|values| values[row]),
            revision: natural(self.revision, row),
            retract: self.retract.is_some_and(|values| values[row]),
            seq: natural(self.seq, row),
            ..Draft::default()
        };
        if self.at.is_none() && matches!(self.delta, Deltas::None) {
            return draft.check();
        }
        self.with_change(draft, row)?.check()
    }

    fn with_change(&self, draft: Draft<'a>, row: usize) -> Result<Draft<'a>, Refusal> {
        draft.check_numbers()?;
        let decimal = |error| Refusal::Decimal(Field::Delta, error);
        let at = self.at.map_or(ABSENT, |values| values[row]);
        Ok(Draft {
            at: instant(Field::At, at)?,
            delta: match self.delta {
                Deltas::None => None,
                Deltas::Doubles(values) => Some(Delta::from_double(values[row]).map_err(decimal)?),
                Deltas::Exact(values) => values[row],
            },
            ..draft
        })
    }
}

/// A `revision` or `seq`; a negative one becomes too large, which is refused.
#[inline]
fn natural(column: Option<&[i64]>, row: usize) -> u64 {
    column.map_or(0, |values| {
        u64::try_from(values[row]).unwrap_or(INTEGER_MAX + 1)
    })
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

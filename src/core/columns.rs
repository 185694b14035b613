//! Many events as columns: slices that the caller owns.
//!
//! The interface for bulk input from Python and from columnar files. It copies nothing and checks
//! each row by the same rules as a single event; see [`super::Draft`].

use super::draft::INTEGER_MAX;
use super::{Delta, Draft, Event, Field, Micros, Refusal, Wad};

/// The value in the `start` and `end` columns that means an absent time.
pub(crate) const ABSENT: i64 = i64::MIN;

/// The weight of each row.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// No row states one, so every row weighs 1.
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
    /// Holder ids; empty in the rows of transfers.
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
    /// The columns that transfers alone have; `None` if there is no transfer.
    pub transfers: Option<TransferColumns<'a>>,
}

/// The columns that transfers have beside those of all events; a row with a value in one of them is a transfer.
#[derive(Clone, Copy, Debug)]
pub struct TransferColumns<'a> {
    /// Senders; `None` if no row has one.
    pub from_id: Option<&'a [Option<&'a str>]>,
    /// Receivers; `None` if no row has one.
    pub to_id: Option<&'a [Option<&'a str>]>,
    /// Amounts; [`Weights::One`] if no row has one.
    pub amount: Weights<'a>,
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
        let deltas = match self.delta {
            Deltas::None => expected,
            Deltas::Doubles(values) => values.len(),
            Deltas::Exact(values) => values.len(),
        };
        let transfers = self.transfers.as_ref();
        let (from_id, to_id, amounts) = transfers.map_or((None, None, None), |transfers| {
            (transfers.from_id, transfers.to_id, transfers.amount.len())
        });
        for (column, found) in [
            ("holder_id", self.holder_id.len()),
            ("start", self.start.len()),
            ("end", self.end.len()),
            ("weight", self.weight.len().unwrap_or(expected)),
            ("event_id", self.event_id.map_or(expected, <[_]>::len)),
            ("revision", self.revision.map_or(expected, <[_]>::len)),
            ("retract", self.retract.map_or(expected, <[_]>::len)),
            ("at", self.at.map_or(expected, <[_]>::len)),
            ("delta", deltas),
            ("seq", self.seq.map_or(expected, <[_]>::len)),
            ("from_id", from_id.map_or(expected, <[_]>::len)),
            ("to_id", to_id.map_or(expected, <[_]>::len)),
            ("amount", amounts.unwrap_or(expected)),
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

    /// Visits the event in `row`, or those of the parties of a transfer; or the reason for the row's refusal.
    ///
    /// # Panics
    /// If a column is shorter than `row`; call [`Self::rows`] first.
    #[inline]
    pub fn visit(&self, row: usize, mut visit: impl FnMut(&Event<'a>)) -> Result<(), Refusal> {
        if let Some(transfers) = &self.transfers {
            let draft = transfers.draft(row)?;
            if draft.is_transfer() {
                let events = self.with_change(self.filled(draft, row)?, row)?.events()?;
                events.iter().for_each(visit);
                return Ok(());
            }
        }
        visit(&self.event(row)?);
        Ok(())
    }

    /// The event in `row`, which is not a transfer, or the reason for its refusal.
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
        let draft = self.filled(Draft::default(), row)?;
        if self.at.is_none() && matches!(self.delta, Deltas::None) {
            return draft.check();
        }
        self.with_change(draft, row)?.check()
    }

    /// The draft with the fields of a hold.
    #[inline]
    fn filled(&self, draft: Draft<'a>, row: usize) -> Result<Draft<'a>, Refusal> {
        Ok(Draft {
            token_id: self.token_id[row],
            holder_id: self.holder_id[row],
            start: instant(Field::Start, self.start[row])?,
            end: instant(Field::End, self.end[row])?,
            weight: self.weight.get(Field::Weight, row)?,
            event_id: self.event_id.and_then(|values| values[row]),
            revision: natural(self.revision, row),
            retract: self.retract.is_some_and(|values| values[row]),
            seq: natural(self.seq, row),
            ..draft
        })
    }

    /// The draft with the fields of a change of balance.
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

impl<'a> TransferColumns<'a> {
    fn draft(&self, row: usize) -> Result<Draft<'a>, Refusal> {
        Ok(Draft {
            from_id: self.from_id.and_then(|values| values[row]),
            to_id: self.to_id.and_then(|values| values[row]),
            amount: self.amount.get(Field::Amount, row)?,
            ..Draft::default()
        })
    }
}

impl Weights<'_> {
    /// The number of values; `None` if there is no column.
    const fn len(&self) -> Option<usize> {
        match self {
            Self::One => None,
            Self::Doubles(values) => Some(values.len()),
            Self::Wads(values) => Some(values.len()),
        }
    }

    /// The value in `row`; `None` if the row states none.
    #[inline]
    fn get(&self, field: Field, row: usize) -> Result<Option<Wad>, Refusal> {
        match self {
            Self::One => Ok(None),
            Self::Doubles(values) => match Wad::from_double(values[row]) {
                Ok(value) => Ok(Some(value)),
                Err(error) => Err(Refusal::Decimal(field, error)),
            },
            Self::Wads(values) => Ok(values[row]),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSFERS: TransferColumns<'_> = TransferColumns {
        from_id: Some(&[None, Some("ann"), None]),
        to_id: Some(&[Some("ann"), Some("bob"), None]),
        amount: Weights::Wads(&[Some(Wad::ONE), Some(Wad::ONE), None]),
    };

    /// A mint, a transfer and a start mark.
    const COLUMNS: EventColumns<'_> = EventColumns {
        token_id: &["T", "T", "T"],
        holder_id: &["", "", "cyd"],
        start: &[ABSENT, ABSENT, 7],
        end: &[ABSENT; 3],
        weight: Weights::One,
        event_id: Some(&[Some("1"), Some("2"), None]),
        revision: None,
        retract: None,
        at: Some(&[5, 6, ABSENT]),
        delta: Deltas::None,
        seq: None,
        transfers: Some(TRANSFERS),
    };

    fn holders(columns: &EventColumns<'_>, row: usize) -> Result<Vec<String>, String> {
        let mut holders = Vec::new();
        let visited = columns.visit(row, |event| holders.push(event.holder_id.to_owned()));
        visited.map_err(|refusal| refusal.to_string())?;
        Ok(holders)
    }

    #[test]
    fn a_row_with_a_value_of_a_transfer_has_the_events_of_its_parties() {
        assert_eq!(COLUMNS.rows(), Ok(3));
        assert_eq!(holders(&COLUMNS, 0).unwrap(), ["ann"]);
        assert_eq!(holders(&COLUMNS, 1).unwrap(), ["ann", "bob"]);
        assert_eq!(holders(&COLUMNS, 2).unwrap(), ["cyd"]);
        let no_transfers = EventColumns {
            transfers: None,
            ..COLUMNS
        };
        assert_eq!(
            holders(&no_transfers, 0).unwrap_err(),
            "holder_id: missing or empty"
        );
    }

    #[test]
    fn fields_of_other_events_are_refused_in_a_transfer() {
        let with_holder = EventColumns {
            holder_id: &["ann", "", "cyd"],
            ..COLUMNS
        };
        let refusal = holders(&with_holder, 0).unwrap_err();
        assert!(
            refusal.starts_with("holder_id: given for a transfer"),
            "{refusal}"
        );
        let weights = EventColumns {
            weight: Weights::Wads(&[None, Some(Wad::ONE), None]),
            ..COLUMNS
        };
        let refusal = holders(&weights, 1).unwrap_err();
        assert!(
            refusal.starts_with("weight: given for a transfer"),
            "{refusal}"
        );
        assert_eq!(holders(&weights, 0).unwrap(), ["ann"]);
    }

    #[test]
    fn columns_of_transfers_have_a_value_for_each_row() {
        for (transfers, expected) in [
            (
                TransferColumns {
                    from_id: Some(&[]),
                    ..TRANSFERS
                },
                "from_id: 0 rows, but token_id has 3",
            ),
            (
                TransferColumns {
                    to_id: Some(&[None]),
                    ..TRANSFERS
                },
                "to_id: 1 rows, but token_id has 3",
            ),
            (
                TransferColumns {
                    amount: Weights::Doubles(&[1.0; 4]),
                    ..TRANSFERS
                },
                "amount: 4 rows, but token_id has 3",
            ),
        ] {
            let columns = EventColumns {
                transfers: Some(transfers),
                ..COLUMNS
            };
            assert_eq!(columns.rows().unwrap_err().to_string(), expected);
        }
    }
}

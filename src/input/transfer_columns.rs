//! The fast path for files of transfers as chains list them: all columns of transfers and no other, all
//! values valid, no corrections.
//!
//! Works as [`super::hold_columns`] does for closed holds. Any other batch is left to [`super::batch_rows`],
//! which alone says why a row is refused.

use arrow_array::{Array, StringViewArray};

use super::batch_rows::BatchRows;
use super::token_column::{TokenColumn, filled};
use crate::core::transfer::is_holder;
use crate::core::{EventSink, Micros, TransferRow, Wad};

/// Buffers for the columns of one batch, reused by the next.
#[derive(Default)]
pub(super) struct TransferColumns {
    tokens: TokenColumn,
    instants: Vec<Micros>,
    amounts: Vec<Wad>,
}

/// The texts of one batch.
struct Texts<'r> {
    /// Each once.
    tokens: Vec<&'r str>,
    senders: &'r StringViewArray,
    receivers: &'r StringViewArray,
    event_ids: &'r StringViewArray,
}

impl TransferColumns {
    /// Passes all `rows` to `sink` and returns `true`, or none of them and returns `false`.
    pub(super) fn feed(&mut self, rows: &BatchRows, sink: &mut impl EventSink) -> bool {
        let Some(texts) = self.read(rows) else {
            return false;
        };
        let columns = self.tokens.indices().zip(&self.instants).zip(&self.amounts);
        let transfers = columns.enumerate().map(|(row, ((token, at), amount))| {
            let event_id = texts.event_ids.value(row);
            TransferRow::new(token, texts.parties(row), *at, *amount, event_id)
                .expect("every row is a transfer")
        });
        sink.accept_transfers(&texts.tokens, transfers);
        true
    }

    /// The texts; the other columns go to their buffers.
    fn read<'r>(&mut self, rows: &'r BatchRows) -> Option<Texts<'r>> {
        if !rows.has_transfers_only() {
            return None;
        }
        let at = rows.at.as_ref()?;
        at.read_all(rows.len(), &mut self.instants)?;
        let texts = Texts {
            tokens: self.tokens.read(rows.token_id.views()?)?,
            senders: rows.from_id.as_ref()?.views()?,
            receivers: rows.to_id.as_ref()?.views()?,
            event_ids: filled(rows.event_id.as_ref()?.views()?)?,
        };
        let amounts = rows.amount.as_ref()?;
        amounts.read_all(rows.len(), &mut self.amounts)?;
        texts.have_parties().then_some(texts)
    }
}

impl<'r> Texts<'r> {
    #[inline]
    fn parties(&self, row: usize) -> (Option<&'r str>, Option<&'r str>) {
        (party(self.senders, row), party(self.receivers, row))
    }

    /// Whether each row has a sender or a receiver that is a holder.
    fn have_parties(&self) -> bool {
        (0..self.senders.len()).all(|row| {
            let (from_id, to_id) = self.parties(row);
            is_holder(from_id) || is_holder(to_id)
        })
    }
}

#[inline]
fn party(ids: &StringViewArray, row: usize) -> Option<&str> {
    ids.is_valid(row).then(|| ids.value(row))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array};

    use super::super::batch_rows::RowBuffers;
    use super::*;
    use crate::core::{Claim, Event, NULL_ADDRESS, Standing};

    #[derive(Default, PartialEq, Debug)]
    struct Standings(Vec<(String, String, String, Standing)>);

    impl EventSink for Standings {
        fn accept(&mut self, event: &Event<'_>) {
            let Claim::Named { event_id, standing } = event.claim else {
                panic!("every change has a name");
            };
            let ids = [event.token_id, event.holder_id, event_id];
            let [token_id, holder_id, event_id] = ids.map(str::to_owned);
            self.0.push((token_id, holder_id, event_id, standing));
        }
    }

    fn texts(texts: [Option<&str>; 4]) -> ArrayRef {
        Arc::new(StringViewArray::from(texts.to_vec()))
    }

    fn columns() -> Vec<(&'static str, ArrayRef)> {
        const LONG: &str = "an id that is longer than twelve bytes";
        vec![
            (
                "token_id",
                texts([Some("s"), Some(LONG), Some("s"), Some(LONG)]),
            ),
            (
                "from_id",
                texts([Some("a"), None, Some(LONG), Some(NULL_ADDRESS)]),
            ),
            ("to_id", texts([Some("b"), Some("a"), Some(""), Some("b")])),
            ("at_us", Arc::new(Int64Array::from(vec![-1, 5, 7, 7]))),
            (
                "amount",
                texts([Some("1.5"), Some("0"), Some("3e2"), Some("1e-18")]),
            ),
            (
                "event_id",
                texts([Some("1"), Some("2"), Some("3"), Some(LONG)]),
            ),
        ]
    }

    /// The changes of the batch; `None` if it was left to the rows.
    fn fed(columns: Vec<(&'static str, ArrayRef)>) -> Option<Standings> {
        let rows = BatchRows::of_columns(columns);
        let mut standings = Standings::default();
        if !TransferColumns::default().feed(&rows, &mut standings) {
            assert_eq!(standings, Standings::default());
            return None;
        }
        let mut one_by_one = Standings::default();
        for row in 0..rows.len() {
            let mut buffers = RowBuffers::default();
            let draft = rows.draft(row, &mut buffers).unwrap();
            for event in &draft.events().unwrap() {
                one_by_one.accept(event);
            }
        }
        assert_eq!(standings, one_by_one);
        Some(standings)
    }

    fn with(name: &'static str, column: ArrayRef) -> Option<Standings> {
        let mut columns = columns();
        columns.retain(|(known, _)| *known != name);
        columns.push((name, column));
        fed(columns)
    }

    #[test]
    fn common_batches_give_the_changes_of_their_rows() {
        assert_eq!(fed(columns()).unwrap().0.len(), 5);
        let amounts = Float64Array::from(vec![0.1, 0.0, 1e20, 7.0]);
        assert!(with("amount", Arc::new(amounts)).is_some());
    }

    #[test]
    fn anything_else_is_left_to_the_rows() {
        let some = Some("x");
        for (name, column) in [
            ("token_id", texts([some, Some(""), some, some])),
            ("token_id", texts([some, None, some, some])),
            // The receiver of the third row does not count as a holder, so that it needs a sender.
            ("from_id", texts([some, some, None, some])),
            // The second row has no sender, so that it needs a receiver.
            ("to_id", texts([some, Some(""), some, some])),
            ("event_id", texts([some, Some(""), some, some])),
            ("event_id", texts([some, None, some, some])),
            (
                "amount",
                texts([Some("1"), Some("-1"), Some("1"), Some("1")]),
            ),
            ("amount", texts([Some("1"), None, Some("1"), Some("1")])),
            ("holder_id", texts([None; 4])),
            ("delta", texts([None; 4])),
            ("weight", texts([None; 4])),
        ] {
            assert_eq!(with(name, column), None, "{name}");
        }
        for (name, integers) in [
            ("at_us", vec![Some(1), None, Some(1), Some(1)]),
            ("at_us", vec![Some(1), Some(i64::MAX), Some(1), Some(1)]),
            ("seq", vec![None; 4]),
            ("revision", vec![None; 4]),
            ("start", vec![None; 4]),
            ("end", vec![None; 4]),
        ] {
            assert_eq!(
                with(name, Arc::new(Int64Array::from(integers))),
                None,
                "{name}"
            );
        }
    }
}

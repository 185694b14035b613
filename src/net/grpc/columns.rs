//! Converts the rows of a batch in columns into drafts of events or transfers.
//!
//! A batch whose columns do not match is refused as a whole; an invalid row is refused by itself. A batch
//! with too many rows, or too wide ones, is refused before any row is converted: one value may stand for all rows, so a
//! short message can state many long events.

use super::event::{Sent, decimal, text_name};
use crate::core::columns::ABSENT;
use crate::core::{Delta, Draft, EVENT_BYTES_MAX, Field, Micros, Refusal, Wad};
use crate::net::pb::{HoldBatch, TransferBatch};

/// Why a batch is refused as a whole; the text begins with the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::net) enum BatchRefusal {
    /// The length of a column does not match the others.
    #[error("{column}: {values} values in a batch of {rows} rows; send none, one, or one per row")]
    Length {
        /// The name of the column.
        column: &'static str,
        /// The number of its values.
        values: usize,
        /// The length of the longest column.
        rows: usize,
    },
    /// More rows than a batch may have.
    #[error("token_id: {rows} rows in a batch, the maximum is {rows_max}; send several batches")]
    TooLong {
        /// The length of the longest column.
        rows: usize,
        /// The maximum.
        rows_max: usize,
    },
    /// More bytes as events than a batch may have.
    #[error(
        "token_id: the {rows} rows of a batch are up to {bytes} bytes as events, the maximum is {bytes_max}; send \
         several batches"
    )]
    TooWide {
        /// The length of the longest column.
        rows: usize,
        /// What the events take at most.
        bytes: usize,
        /// The maximum.
        bytes_max: usize,
    },
    /// A column of doubles and one of texts for the same decimal.
    #[error("{field}_text: {field} is given too; send one of the two")]
    TwoDecimals {
        /// The decimal.
        field: Field,
        /// The length of the longest column.
        rows: usize,
    },
}

impl BatchRefusal {
    /// The column to blame.
    pub(in crate::net) const fn field(&self) -> &'static str {
        match self {
            Self::Length { column, .. } => column,
            Self::TooLong { .. } | Self::TooWide { .. } => "token_id",
            Self::TwoDecimals { field, .. } => text_name(*field),
        }
    }

    /// How many events it refuses.
    pub(in crate::net) const fn rows(&self) -> usize {
        match self {
            Self::Length { rows, .. }
            | Self::TooLong { rows, .. }
            | Self::TooWide { rows, .. }
            | Self::TwoDecimals { rows, .. } => *rows,
        }
    }
}

/// How large a batch may be.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct BatchBounds {
    /// Its rows.
    pub(in crate::net) rows_max: usize,
    /// The bytes of its events, as they are encoded.
    pub(in crate::net) bytes_max: usize,
}

/// A message with one event or transfer per row.
pub(in crate::net) trait Columns {
    /// The name and the length of each column.
    fn lengths(&self) -> impl Iterator<Item = (&'static str, usize)>;

    /// The decimal that has two columns, if there is one.
    fn decimal_given_twice(&self) -> Option<Field>;

    /// The bytes of the events of so many rows, at most.
    fn event_bytes_max(&self, rows: usize) -> usize;

    /// The fields of one row; a missing id is reported before an invalid time.
    fn draft(&self, row: usize) -> Result<Draft<'_>, Refusal>;
}

/// A batch whose columns match.
pub(in crate::net) struct Rows<'a, B> {
    batch: &'a B,
    count: usize,
    event_bytes_max: usize,
}

impl<'a, B: Columns> Rows<'a, B> {
    /// The rows of `batch`, within `bounds`.
    pub(in crate::net) fn new(batch: &'a B, bounds: BatchBounds) -> Result<Self, BatchRefusal> {
        let BatchBounds {
            rows_max,
            bytes_max,
        } = bounds;
        let rows = batch.lengths().map(|(_, values)| values).max().unwrap_or(0);
        if rows > rows_max {
            return Err(BatchRefusal::TooLong { rows, rows_max });
        }
        if let Some(field) = batch.decimal_given_twice() {
            return Err(BatchRefusal::TwoDecimals { field, rows });
        }
        if let Some((column, values)) = batch
            .lengths()
            .find(|(_, values)| !matches!(values, 0 | 1) && *values != rows)
        {
            return Err(BatchRefusal::Length {
                column,
                values,
                rows,
            });
        }
        let bytes = batch.event_bytes_max(rows);
        if bytes > bytes_max {
            return Err(BatchRefusal::TooWide {
                rows,
                bytes,
                bytes_max,
            });
        }
        Ok(Self {
            batch,
            count: rows,
            event_bytes_max: bytes,
        })
    }

    /// The bytes of all events, at most.
    pub(in crate::net) const fn event_bytes_max(&self) -> usize {
        self.event_bytes_max
    }

    pub(in crate::net) const fn count(&self) -> usize {
        self.count
    }

    #[inline]
    pub(in crate::net) fn draft(&self, row: usize) -> Result<Draft<'a>, Refusal> {
        self.batch.draft(row)
    }
}

impl Columns for HoldBatch {
    fn lengths(&self) -> impl Iterator<Item = (&'static str, usize)> {
        [
            ("token_id", self.token_id.len()),
            ("holder_id", self.holder_id.len()),
            ("start_us", self.start_us.len()),
            ("end_us", self.end_us.len()),
            ("weight", self.weight.len()),
            ("weight_text", self.weight_text.len()),
            ("event_id", self.event_id.len()),
            ("revision", self.revision.len()),
            ("retract", self.retract.len()),
            ("at_us", self.at_us.len()),
            ("delta", self.delta.len()),
            ("delta_text", self.delta_text.len()),
            ("seq", self.seq.len()),
        ]
        .into_iter()
    }

    fn decimal_given_twice(&self) -> Option<Field> {
        let is_twice = |double: &[f64], text: &[String]| !double.is_empty() && !text.is_empty();
        if is_twice(&self.weight, &self.weight_text) {
            return Some(Field::Weight);
        }
        is_twice(&self.delta, &self.delta_text).then_some(Field::Delta)
    }

    fn event_bytes_max(&self, rows: usize) -> usize {
        let columns = [&self.token_id, &self.holder_id, &self.event_id];
        bytes_of(columns, rows).saturating_add(rows.saturating_mul(EVENT_BYTES_MAX))
    }

    #[inline]
    fn draft(&self, row: usize) -> Result<Draft<'_>, Refusal> {
        let (token_id, holder_id) = (text(&self.token_id, row), text(&self.holder_id, row));
        for (field, id) in [(Field::TokenId, token_id), (Field::HolderId, holder_id)] {
            if id.is_empty() {
                return Err(Refusal::MissingId(field));
            }
        }
        let weight = sent(&self.weight, &self.weight_text, row);
        let delta = sent(&self.delta, &self.delta_text, row);
        Ok(Draft {
            token_id,
            holder_id,
            start: instant(Field::Start, &self.start_us, row)?,
            end: instant(Field::End, &self.end_us, row)?,
            weight: decimal(Field::Weight, weight, Wad::from_double, Wad::parse)?,
            event_id: filled(&self.event_id, row),
            revision: copied(&self.revision, row),
            retract: copied(&self.retract, row),
            at: instant(Field::At, &self.at_us, row)?,
            delta: decimal(Field::Delta, delta, Delta::from_double, Delta::parse)?,
            seq: copied(&self.seq, row),
            ..Draft::default()
        })
    }
}

impl Columns for TransferBatch {
    fn lengths(&self) -> impl Iterator<Item = (&'static str, usize)> {
        [
            ("token_id", self.token_id.len()),
            ("from_id", self.from_id.len()),
            ("to_id", self.to_id.len()),
            ("at_us", self.at_us.len()),
            ("amount", self.amount.len()),
            ("amount_text", self.amount_text.len()),
            ("event_id", self.event_id.len()),
            ("revision", self.revision.len()),
            ("retract", self.retract.len()),
            ("seq", self.seq.len()),
        ]
        .into_iter()
    }

    fn decimal_given_twice(&self) -> Option<Field> {
        (!self.amount.is_empty() && !self.amount_text.is_empty()).then_some(Field::Amount)
    }

    /// A transfer is two events, and both have its token and its id.
    fn event_bytes_max(&self, rows: usize) -> usize {
        let shared = bytes_of([&self.token_id, &self.event_id], rows)
            .saturating_add(rows.saturating_mul(EVENT_BYTES_MAX));
        bytes_of([&self.from_id, &self.to_id], rows).saturating_add(shared.saturating_mul(2))
    }

    fn draft(&self, row: usize) -> Result<Draft<'_>, Refusal> {
        let token_id = text(&self.token_id, row);
        if token_id.is_empty() {
            return Err(Refusal::MissingId(Field::TokenId));
        }
        let amount = sent(&self.amount, &self.amount_text, row);
        Ok(Draft {
            token_id,
            // Given even if it is empty, or the draft would not be that of a transfer.
            from_id: Some(text(&self.from_id, row)),
            to_id: Some(text(&self.to_id, row)),
            at: instant(Field::At, &self.at_us, row)?,
            amount: decimal(Field::Amount, amount, Wad::from_double, Wad::parse)?,
            event_id: filled(&self.event_id, row),
            revision: copied(&self.revision, row),
            retract: copied(&self.retract, row),
            seq: copied(&self.seq, row),
            ..Draft::default()
        })
    }
}

/// The bytes of the texts of these columns in all rows.
fn bytes_of<const N: usize>(columns: [&Vec<String>; N], rows: usize) -> usize {
    let bytes = columns.map(|column| match &**column {
        [all] => all.len().saturating_mul(rows),
        texts => texts.iter().map(String::len).sum(),
    });
    bytes.into_iter().fold(0, usize::saturating_add)
}

/// The value of a row; the only value of a column holds for every row.
#[inline]
fn value<T>(column: &[T], row: usize) -> Option<&T> {
    match column {
        [all] => Some(all),
        _ => column.get(row),
    }
}

#[inline]
fn text(column: &[String], row: usize) -> &str {
    value(column, row).map_or("", String::as_str)
}

/// The text of a row; `None` if it is empty.
#[inline]
fn filled(column: &[String], row: usize) -> Option<&str> {
    Some(text(column, row)).filter(|text| !text.is_empty())
}

#[inline]
fn copied<T: Copy + Default>(column: &[T], row: usize) -> T {
    value(column, row).copied().unwrap_or_default()
}

#[inline]
fn sent<'a>(doubles: &[f64], texts: &'a [String], row: usize) -> Sent<'a> {
    (value(doubles, row).copied(), filled(texts, row))
}

#[inline]
fn instant(field: Field, column: &[i64], row: usize) -> Result<Option<Micros>, Refusal> {
    value(column, row)
        .filter(|micros| **micros != ABSENT)
        .map(|micros| Micros::new(*micros).map_err(|error| Refusal::Time(field, error)))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Claim, EventBatch, Fact, encoding};

    /// At most so many rows, of any width.
    fn bounds(rows_max: usize) -> BatchBounds {
        BatchBounds {
            rows_max,
            bytes_max: usize::MAX,
        }
    }

    fn batch() -> HoldBatch {
        HoldBatch {
            token_id: vec!["T".to_owned()],
            holder_id: vec!["a".to_owned(), "b".to_owned()],
            start_us: vec![5, ABSENT],
            end_us: vec![9],
            weight: vec![0.1],
            ..HoldBatch::default()
        }
    }

    #[test]
    fn one_value_holds_for_all_rows_and_the_smallest_time_means_absent() {
        let batch = batch();
        let rows = Rows::new(&batch, bounds(2)).unwrap();
        assert_eq!(rows.count(), 2);
        let (first, second) = (rows.draft(0).unwrap(), rows.draft(1).unwrap());
        assert_eq!((first.token_id, second.token_id), ("T", "T"));
        assert_eq!((first.holder_id, second.holder_id), ("a", "b"));
        assert_eq!(first.start.map(Micros::get), Some(5));
        assert_eq!(second.start, None);
        assert_eq!(second.end.map(Micros::get), Some(9));
        assert_eq!(second.weight.unwrap().to_string(), "0.1");
        assert_eq!((second.event_id, second.retract), (None, false));
    }

    #[test]
    fn columns_that_do_not_match_refuse_the_batch() {
        let cases: [(HoldBatch, usize, &str); 4] = [
            (
                HoldBatch {
                    end_us: vec![1, 2, 3],
                    ..batch()
                },
                9,
                "holder_id: 2 values in a batch of 3 rows",
            ),
            (batch(), 1, "token_id: 2 rows in a batch, the maximum is 1"),
            (
                HoldBatch {
                    weight_text: vec!["1".to_owned()],
                    ..batch()
                },
                9,
                "weight_text: weight is given too",
            ),
            (
                HoldBatch {
                    delta: vec![1.0],
                    delta_text: vec!["1".to_owned()],
                    ..batch()
                },
                9,
                "delta_text: delta is given too",
            ),
        ];
        for (batch, rows_max, reason) in cases {
            let refusal = Rows::new(&batch, bounds(rows_max)).err().expect("refused");
            assert_eq!(
                refusal.rows(),
                batch.end_us.len().max(batch.holder_id.len())
            );
            assert!(refusal.to_string().starts_with(reason), "{refusal}");
            assert!(reason.starts_with(refusal.field()));
        }
    }

    #[test]
    fn the_bytes_of_the_events_are_known_before_a_row_is_converted() {
        let holds = HoldBatch {
            token_id: vec!["T".repeat(200)],
            holder_id: vec!["a".to_owned(), "bb".to_owned()],
            event_id: vec!["e".repeat(200)],
            revision: vec![u32::MAX.into()],
            start_us: vec![5],
            end_us: vec![9],
            weight_text: vec!["170141183460469231731".to_owned()],
            ..HoldBatch::default()
        };
        let transfers = TransferBatch {
            token_id: vec!["T".repeat(200)],
            from_id: vec!["a".to_owned()],
            to_id: vec!["b".to_owned(), "c".to_owned()],
            event_id: vec!["e".repeat(200)],
            at_us: vec![7],
            amount_text: vec!["2.5".to_owned()],
            ..TransferBatch::default()
        };
        assert_bytes_are_bounded(&holds);
        assert_bytes_are_bounded(&transfers);
    }

    /// The events take no more than was said before, and a batch that may take more than the maximum is refused.
    fn assert_bytes_are_bounded(batch: &impl Columns) {
        let both = Rows::new(batch, bounds(2)).unwrap();
        let mut events = EventBatch::default();
        for row in 0..both.count() {
            for event in &both.draft(row).unwrap().events().unwrap() {
                events.push(event);
            }
        }
        let (taken, bytes) = (events.bytes().len(), both.event_bytes_max());
        assert!((bytes / 2..=bytes).contains(&taken), "{taken} of {bytes}");
        assert_eq!(
            encoding::events(events.bytes()).count(),
            events.count() as usize
        );
        let bounds = BatchBounds {
            rows_max: 2,
            bytes_max: bytes - 1,
        };
        let refusal = Rows::new(batch, bounds).err().expect("refused");
        assert_eq!((refusal.field(), refusal.rows()), ("token_id", 2));
    }

    #[test]
    fn holds_and_changes_share_a_batch() {
        let batch = HoldBatch {
            token_id: vec!["T".to_owned()],
            holder_id: vec!["a".to_owned()],
            start_us: vec![5, ABSENT],
            weight_text: vec!["2.5".to_owned(), String::new()],
            event_id: vec![String::new(), "e".to_owned()],
            at_us: vec![ABSENT, 7],
            delta_text: vec![String::new(), "-0.5".to_owned()],
            seq: vec![3, 0],
            ..HoldBatch::default()
        };
        let rows = Rows::new(&batch, bounds(2)).unwrap();
        let facts: Vec<_> = (0..2)
            .map(|row| rows.draft(row).unwrap().check().unwrap().claim)
            .map(|claim| match claim {
                Claim::Plain(fact) => fact,
                Claim::Named { standing, .. } => standing.fact.unwrap(),
            })
            .collect();
        let at = |micros| Micros::new(micros).unwrap();
        let expected = [
            Fact::Start {
                at: at(5),
                weight: Wad::parse("2.5").unwrap(),
                seq: 3,
            },
            Fact::Change {
                at: at(7),
                delta: Delta::parse("-0.5").unwrap(),
            },
        ];
        assert_eq!(facts, expected);
    }

    #[test]
    fn the_rows_of_transfers_have_parties_and_an_amount() {
        let batch = TransferBatch {
            token_id: vec!["T".to_owned()],
            from_id: vec![String::new(), "a".to_owned()],
            to_id: vec!["a".to_owned(), "b".to_owned()],
            at_us: vec![7],
            amount: vec![0.1],
            event_id: vec!["e".to_owned(), "f".to_owned()],
            ..TransferBatch::default()
        };
        let rows = Rows::new(&batch, bounds(2)).unwrap();
        let holders = |row| {
            let events = rows.draft(row).unwrap().events().unwrap();
            events
                .iter()
                .map(|event| event.holder_id)
                .collect::<Vec<_>>()
        };
        assert_eq!((holders(0), holders(1)), (vec!["a"], vec!["a", "b"]));
        let uneven = TransferBatch {
            seq: vec![0; 3],
            ..batch
        };
        let refusal = Rows::new(&uneven, bounds(9)).err().expect("refused");
        assert_eq!((refusal.field(), refusal.rows()), ("from_id", 3));
    }
}

//! Converts the rows of a batch in columns into drafts of events.
//!
//! A batch whose columns do not match is refused as a whole; an invalid row is refused by itself.

use crate::core::columns::ABSENT;
use crate::core::{Draft, Field, Micros, Refusal, Wad};
use crate::net::pb::HoldBatch;

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
    /// Two columns of weights.
    #[error("weight_text: weight is given too; send one of the two")]
    TwoWeights {
        /// The length of the longest column.
        rows: usize,
    },
}

impl BatchRefusal {
    /// The column to blame.
    pub(in crate::net) const fn field(&self) -> &'static str {
        match self {
            Self::Length { column, .. } => column,
            Self::TooLong { .. } => "token_id",
            Self::TwoWeights { .. } => "weight_text",
        }
    }

    /// How many events it refuses.
    pub(in crate::net) const fn rows(&self) -> usize {
        match self {
            Self::Length { rows, .. } | Self::TooLong { rows, .. } | Self::TwoWeights { rows } => {
                *rows
            }
        }
    }
}

/// A batch whose columns match.
pub(in crate::net) struct Rows<'a> {
    batch: &'a HoldBatch,
    count: usize,
}

impl<'a> Rows<'a> {
    /// The rows of `batch`, at most `rows_max` of them.
    pub(in crate::net) fn new(batch: &'a HoldBatch, rows_max: usize) -> Result<Self, BatchRefusal> {
        let lengths = [
            ("token_id", batch.token_id.len()),
            ("holder_id", batch.holder_id.len()),
            ("start_us", batch.start_us.len()),
            ("end_us", batch.end_us.len()),
            ("weight", batch.weight.len()),
            ("weight_text", batch.weight_text.len()),
            ("event_id", batch.event_id.len()),
            ("revision", batch.revision.len()),
            ("retract", batch.retract.len()),
        ];
        let rows = lengths.iter().map(|(_, values)| *values).max().unwrap_or(0);
        if rows > rows_max {
            return Err(BatchRefusal::TooLong { rows, rows_max });
        }
        if !batch.weight.is_empty() && !batch.weight_text.is_empty() {
            return Err(BatchRefusal::TwoWeights { rows });
        }
        match lengths
            .into_iter()
            .find(|(_, values)| !matches!(values, 0 | 1) && *values != rows)
        {
            Some((column, values)) => Err(BatchRefusal::Length {
                column,
                values,
                rows,
            }),
            None => Ok(Self { batch, count: rows }),
        }
    }

    pub(in crate::net) const fn count(&self) -> usize {
        self.count
    }

    /// The fields of one row; a missing id is reported before an invalid time.
    pub(in crate::net) fn draft(&self, row: usize) -> Result<Draft<'a>, Refusal> {
        let batch = self.batch;
        let (token_id, holder_id) = (text(&batch.token_id, row), text(&batch.holder_id, row));
        for (field, id) in [(Field::TokenId, token_id), (Field::HolderId, holder_id)] {
            if id.is_empty() {
                return Err(Refusal::MissingId(field));
            }
        }
        let event_id = text(&batch.event_id, row);
        Ok(Draft {
            token_id,
            holder_id,
            start: instant(Field::Start, &batch.start_us, row)?,
            end: instant(Field::End, &batch.end_us, row)?,
            weight: match (value(&batch.weight, row), value(&batch.weight_text, row)) {
                (Some(double), _) => Some(Wad::from_double(*double)?),
                (None, Some(text)) => Some(Wad::parse(text)?),
                (None, None) => None,
            },
            event_id: (!event_id.is_empty()).then_some(event_id),
            revision: value(&batch.revision, row).copied().unwrap_or(0),
            retract: value(&batch.retract, row).copied().unwrap_or(false),
            ..Draft::default()
        })
    }
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
        let rows = Rows::new(&batch, 2).unwrap();
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
        let cases: [(HoldBatch, usize, &str); 3] = [
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
        ];
        for (batch, rows_max, reason) in cases {
            let refusal = Rows::new(&batch, rows_max).err().expect("refused");
            assert_eq!(
                refusal.rows(),
                batch.end_us.len().max(batch.holder_id.len())
            );
            assert!(refusal.to_string().starts_with(reason), "{refusal}");
            assert!(reason.starts_with(refusal.field()));
        }
    }
}

//! Record batches from another library into a sink of events.
//!
//! The columns are mapped, checked and read as those of a Parquet file are; no file is read.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::batch_rows::BatchRows;
use super::chunk::visit_batch;
use super::column_feed::{BATCH_ROWS, ColumnFeed};
use super::column_mapping::ColumnMapping;
use super::text_column::with_views_in_dictionaries;
use super::{InputError, InputOptions, RefusalReason};
use crate::core::EventSink;

/// The mapped columns of a table; its batches may come in any order and on any thread.
#[derive(Debug)]
pub(crate) struct ArrowTable {
    mapping: ColumnMapping,
}

/// A batch of a table with its mapped columns alone.
#[derive(Debug)]
pub(crate) struct MappedBatch(RecordBatch);

impl ArrowTable {
    /// Maps the columns of `schema`; messages call the table `name`.
    ///
    /// # Errors
    /// If a required column is absent, a column is there twice, or a column has a type that cannot be read.
    pub(crate) fn new(
        name: &str,
        schema: &Schema,
        options: &Arc<InputOptions>,
    ) -> Result<Self, InputError> {
        let mapping = ColumnMapping::new(&Arc::from(name), schema, options)?;
        Ok(Self { mapping })
    }

    /// The mapped columns of a batch.
    ///
    /// # Panics
    /// If the batch has another schema than the table.
    pub(crate) fn mapped(&self, batch: &RecordBatch) -> MappedBatch {
        let batch = batch
            .project(&self.mapping.projection)
            .expect("the mapping names columns of this table");
        // Once for the whole batch, because a dictionary may be larger than the parts that are read.
        MappedBatch(with_views_in_dictionaries(&batch))
    }

    /// Passes the events of some rows to `sink` in order, up to the first row that is refused.
    ///
    /// # Errors
    /// The index of that row in the batch, from 0, and why it is refused, with the value of its field.
    pub(crate) fn feed(
        &self,
        MappedBatch(batch): &MappedBatch,
        rows: Range<usize>,
        columns: &mut ColumnFeed,
        sink: &mut impl EventSink,
    ) -> Result<(), (usize, RefusalReason)> {
        for first in rows.clone().step_by(BATCH_ROWS) {
            let part = batch.slice(first, BATCH_ROWS.min(rows.end - first));
            let part = BatchRows::new(&self.mapping, &part);
            if columns.feed(&part, sink) {
                continue;
            }
            let read = visit_batch(&part, 0, |row, events| match events {
                Ok(events) => {
                    for event in events {
                        sink.accept(event);
                    }
                    ControlFlow::Continue(())
                }
                Err(reason) => ControlFlow::Break((row, reason)),
            });
            if let ControlFlow::Break((row, reason)) = read {
                let row =
                    usize::try_from(row).expect("rows of a batch are counted in memory sizes");
                return Err((first + row, reason));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::UInt32Type;
    use arrow_array::{
        ArrayRef, DictionaryArray, Int64Array, LargeStringArray, StringArray, UInt32Array,
    };
    use arrow_schema::Schema;

    use super::*;
    use crate::core::{ClosedHold, Event, EventSink};

    /// Counts what comes by columns and what comes alone.
    #[derive(Default, Debug, PartialEq)]
    struct Counts {
        together: usize,
        alone: usize,
        tokens: Vec<String>,
    }

    impl EventSink for Counts {
        fn accept(&mut self, _: &Event<'_>) {
            self.alone += 1;
        }

        fn accept_holds<'a>(
            &mut self,
            token_ids: &[&str],
            holds: impl Iterator<Item = ClosedHold<'a>>,
        ) {
            self.together += holds.count();
            self.tokens = token_ids.iter().map(ToString::to_string).collect();
        }
    }

    const ROWS: usize = 3 * BATCH_ROWS;
    const LONG: &str = "a token whose id is longer than twelve bytes";

    fn fed(columns: Vec<(&'static str, ArrayRef)>) -> (Counts, Result<(), (usize, String)>) {
        let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
        let schema: &Schema = batch.schema_ref();
        let table = ArrowTable::new("table", schema, &Arc::default()).expect("columns of holds");
        let mut counts = Counts::default();
        let read = table.feed(
            &table.mapped(&batch),
            0..ROWS,
            &mut ColumnFeed::default(),
            &mut counts,
        );
        (
            counts,
            read.map_err(|(row, reason)| (row, reason.to_string())),
        )
    }

    fn columns(starts: Vec<i64>) -> Vec<(&'static str, ArrayRef)> {
        let holders: Vec<_> = (0..ROWS).map(|row| format!("holder {row}")).collect();
        let tokens = StringArray::from(vec![LONG; ROWS]);
        vec![
            ("token_id", Arc::new(tokens)),
            ("holder_id", Arc::new(LargeStringArray::from(holders))),
            ("start_us", Arc::new(Int64Array::from(starts))),
            ("end_us", Arc::new(Int64Array::from(vec![9; ROWS]))),
        ]
    }

    #[test]
    fn texts_of_every_layout_are_read_by_columns() {
        let expected = Counts {
            together: ROWS,
            alone: 0,
            tokens: vec![LONG.to_owned()],
        };
        assert_eq!(fed(columns(vec![5; ROWS])).0, expected);
        let mut encoded = columns(vec![5; ROWS]);
        let keys = UInt32Array::from_iter_values(std::iter::repeat_n(0, ROWS));
        let values = Arc::new(LargeStringArray::from(vec![LONG, "never used"]));
        let tokens = DictionaryArray::<UInt32Type>::try_new(keys, values).expect("keys of values");
        encoded[0].1 = Arc::new(tokens);
        assert_eq!(fed(encoded).0, expected);
    }

    #[test]
    fn a_refused_row_is_counted_from_the_start_of_the_batch() {
        let mut starts = vec![5; ROWS];
        starts[BATCH_ROWS + 2] = 10;
        let (counts, read) = fed(columns(starts));
        let reason = "end: before start; found 9 microseconds".to_owned();
        assert_eq!(read, Err((BATCH_ROWS + 2, reason)));
        assert_eq!((counts.together, counts.alone), (BATCH_ROWS, 2));
    }
}

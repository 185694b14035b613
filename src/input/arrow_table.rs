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
                    events.iter().for_each(|event| sink.accept(event));
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

//! Record batches from another library: their rows as events, one at a time.
//!
//! The columns are mapped and checked as those of a Parquet file are; no file is read.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::batch_rows::{BatchRows, RowBuffers};
use super::chunk::with_events;
use super::column_mapping::ColumnMapping;
use super::{InputError, RefusalReason};
use crate::core::Event;

/// The mapped columns of a table; its batches may come in any order and on any thread.
#[derive(Debug)]
pub(crate) struct ArrowTable {
    mapping: ColumnMapping,
}

impl ArrowTable {
    /// Maps the columns of `schema`; messages call the table `name`.
    ///
    /// # Errors
    /// If a required column is absent, a column is there twice, or a column has a type that cannot be read.
    pub(crate) fn new(name: &str, schema: &Schema) -> Result<Self, InputError> {
        let mapping = ColumnMapping::new(&Arc::from(name), schema, &Arc::default())?;
        Ok(Self { mapping })
    }

    /// Visits the rows of a batch of this schema in order, up to the first that is refused.
    ///
    /// # Errors
    /// The index of that row in the batch, from 0, and why it is refused, with the value of its field.
    ///
    /// # Panics
    /// If the batch has another schema.
    pub(crate) fn visit(
        &self,
        batch: &RecordBatch,
        mut visit: impl FnMut(&Event<'_>),
    ) -> Result<(), (usize, RefusalReason)> {
        let batch = batch
            .project(&self.mapping.projection)
            .expect("the mapping names columns of this table");
        let rows = BatchRows::new(&self.mapping, &batch);
        let mut buffers = RowBuffers::default();
        for row in 0..rows.len() {
            let draft = rows.draft(row, &mut buffers);
            let visited = draft.and_then(|draft| {
                with_events(draft, |events| {
                    events?.iter().for_each(&mut visit);
                    Ok(())
                })
            });
            visited.map_err(|refusal| (row, rows.explained(row, refusal)))?;
        }
        Ok(())
    }
}

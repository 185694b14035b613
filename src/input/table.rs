//! Batches of columns that somebody else has read: their rows as events, one at a time.
//!
//! The columns are found and judged as those of a Parquet file are; nothing is read from anywhere.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::InputError;
use super::layout::Layout;
use super::rows::{Rows, Scratch};
use crate::core::{Event, Refusal};

/// The columns of a table, found; its batches still to come, in any order and on any thread.
#[derive(Debug)]
pub struct Table {
    layout: Layout,
}

impl Table {
    /// Finds the columns of `schema`; `name` stands for the table in messages.
    ///
    /// # Errors
    /// Where a needed column is absent, one is there twice, or one has a type that cannot be read.
    pub fn new(name: &str, schema: &Schema) -> Result<Self, InputError> {
        let layout = Layout::new(&Arc::from(name), schema)?;
        Ok(Self { layout })
    }

    /// Visits the rows of a batch of this schema in order, up to the first that is no event.
    ///
    /// # Errors
    /// The number of that row in the batch, from 0, and why it is refused.
    ///
    /// # Panics
    /// Where the batch is of another schema.
    pub fn visit(
        &self,
        batch: &RecordBatch,
        mut visit: impl FnMut(&Event<'_>),
    ) -> Result<(), (usize, Refusal)> {
        let batch = batch
            .project(&self.layout.projection)
            .expect("the layout names columns of this table");
        let rows = Rows::new(&self.layout, &batch);
        let mut scratch = Scratch::default();
        for row in 0..rows.len() {
            let event = rows.event(row, &mut scratch);
            visit(&event.map_err(|refusal| (row, refusal))?);
        }
        Ok(())
    }
}

//! An Arrow table instead of columns: its columns are mapped by name and type as those of a Parquet file.
//!
//! A table with `from_id`, `to_id` and `amount` has transfers. Read in slices,
//! more than there are workers, so that none of them waits long for the others.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rayon::iter::Either;
use rayon::prelude::*;

use super::arrow_in;
use super::owned::OwnedEvents;
use crate::aggregator::{BatchScorer, BatchScores};
use crate::core::{EventSink, Window};
use crate::host::errors::refused;
use crate::input::{self, ColumnFeed, InputOptions, MappedBatch, RefusalReason};

/// Its name in messages.
const NAME: &str = "table";
/// Rows of one slice.
const SLICE_ROWS: usize = 1 << 15;

/// Why a table is refused as a whole.
#[derive(Debug, thiserror::Error)]
#[error("row {row}: {reason}")]
pub(super) struct RowRefusal {
    /// Index of the first refused row, from 0.
    row: usize,
    reason: RefusalReason,
}

/// An imported table with mapped columns.
pub(super) struct Table {
    columns: input::ArrowTable,
    /// In order, each with the number of its first row.
    batches: Vec<(usize, MappedBatch)>,
    /// Parts of the batches, in order.
    slices: Vec<Slice>,
}

/// Some rows of one batch.
struct Slice {
    batch: usize,
    rows: Range<usize>,
}

impl Table {
    /// Imports the table that `value` exports; `ValueError` if it is not a table of hold events.
    pub(super) fn read(value: &Bound<'_, PyAny>, options: &Arc<InputOptions>) -> PyResult<Self> {
        if !arrow_in::is_arrow(value)? {
            return Err(refused(
                "holder_id: missing; pass all columns, or an Arrow table as the only argument",
            ));
        }
        let imported = arrow_in::import(NAME, value)?;
        let DataType::Struct(fields) = imported.kind else {
            return Err(PyValueError::new_err(format!(
                "{NAME}: expected a table with columns, found a column of {}",
                imported.kind
            )));
        };
        let columns =
            input::ArrowTable::new(NAME, &Schema::new(fields), options).map_err(refused)?;
        let mut table = Self {
            columns,
            batches: Vec::with_capacity(imported.chunks.len()),
            slices: Vec::new(),
        };
        let mut first_row = 0;
        for chunk in &imported.chunks {
            if chunk.null_count() > 0 {
                return Err(refused(format!(
                    "{NAME}: a row is null as a whole; remove such rows"
                )));
            }
            let batch = RecordBatch::from(chunk.as_struct());
            let rows = batch.num_rows();
            for first in (0..rows).step_by(SLICE_ROWS) {
                table.slices.push(Slice {
                    batch: table.batches.len(),
                    rows: first..rows.min(first + SLICE_ROWS),
                });
            }
            let mapped = table.columns.mapped(&batch);
            table.batches.push((first_row, mapped));
            first_row += rows;
        }
        Ok(table)
    }

    /// A copy of all events.
    pub(super) fn events(&self) -> Result<OwnedEvents, RowRefusal> {
        let mut owned = OwnedEvents::default();
        self.feed_all(&mut owned)?;
        Ok(owned)
    }

    /// Passes all events to `sink`, in order, up to the first row that is refused.
    pub(super) fn feed_all(&self, sink: &mut impl EventSink) -> Result<(), RowRefusal> {
        let mut columns = ColumnFeed::default();
        let mut slices = self.slices.iter();
        slices.try_for_each(|slice| self.feed(slice, &mut columns, sink))
    }

    /// Scores all rows over `window`; runs on the workers that it is called on.
    pub(super) fn score(&self, window: &Window) -> Result<BatchScores, RowRefusal> {
        let scorer = BatchScorer::new();
        let next = AtomicUsize::new(0);
        let lanes: Vec<Result<_, RowRefusal>> = (0..rayon::current_num_threads())
            .into_par_iter()
            .map(|_| {
                let (mut lane, mut columns) = (scorer.lane(), ColumnFeed::default());
                while let Some(slice) = self.slices.get(next.fetch_add(1, Ordering::Relaxed)) {
                    self.feed(slice, &mut columns, &mut lane)?;
                }
                Ok(lane)
            })
            .collect();
        // Slices are taken in order, and each that is taken is read up to its first refusal.
        let (lanes, refusals): (Vec<_>, Vec<_>) =
            lanes.into_par_iter().partition_map(|lane| match lane {
                Ok(lane) => Either::Left(lane),
                Err(refusal) => Either::Right(refusal),
            });
        match refusals.into_iter().min_by_key(|refusal| refusal.row) {
            Some(first) => Err(first),
            None => Ok(scorer.finish_in_full(lanes, window, None)),
        }
    }

    fn feed(
        &self,
        slice: &Slice,
        columns: &mut ColumnFeed,
        sink: &mut impl EventSink,
    ) -> Result<(), RowRefusal> {
        let (first_row, batch) = &self.batches[slice.batch];
        let fed = self.columns.feed(batch, slice.rows.clone(), columns, sink);
        fed.map_err(|(row, reason)| RowRefusal {
            row: first_row + row,
            reason,
        })
    }
}

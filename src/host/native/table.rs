//! An Arrow table instead of columns: its columns are mapped by name and type as those of a Parquet file.
//!
//! A table with `from_id`, `to_id` and `amount` has transfers. Read in slices, so that one large chunk keeps all workers busy.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rayon::prelude::*;

use super::arrow_in;
use super::owned::OwnedEvents;
use crate::aggregator::BatchScorer;
use crate::core::{EventSink, Snapshot, Window};
use crate::host::errors::refused;
use crate::input::{self, RefusalReason};

/// Its name in messages.
const NAME: &str = "table";
/// Rows of one slice.
const SLICE_ROWS: usize = 1 << 16;

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
    slices: Vec<(usize, RecordBatch)>,
}

impl Table {
    /// Imports the table that `value` exports; `ValueError` if it is not a table of hold events.
    pub(super) fn read(value: &Bound<'_, PyAny>) -> PyResult<Self> {
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
        let columns = input::ArrowTable::new(NAME, &Schema::new(fields)).map_err(refused)?;
        let mut slices = Vec::new();
        let mut rows = 0;
        for chunk in &imported.chunks {
            if chunk.null_count() > 0 {
                return Err(refused(format!(
                    "{NAME}: a row is null as a whole; remove such rows"
                )));
            }
            let batch = RecordBatch::from(chunk.as_struct());
            for first in (0..batch.num_rows()).step_by(SLICE_ROWS) {
                let length = SLICE_ROWS.min(batch.num_rows() - first);
                slices.push((rows + first, batch.slice(first, length)));
            }
            rows += batch.num_rows();
        }
        Ok(Self { columns, slices })
    }

    /// A copy of all events.
    pub(super) fn events(&self) -> Result<OwnedEvents, RowRefusal> {
        let mut owned = OwnedEvents::default();
        self.fill(&self.slices, &mut owned)?;
        Ok(owned)
    }

    /// Scores all rows over `window`; runs on the workers that it is called on.
    pub(super) fn score(&self, window: &Window) -> Result<Snapshot, RowRefusal> {
        let scorer = BatchScorer::new();
        let share = self
            .slices
            .len()
            .div_ceil(rayon::current_num_threads())
            .max(1);
        let lanes: Vec<Result<_, RowRefusal>> = self
            .slices
            .par_chunks(share)
            .map(|slices| {
                let mut lane = scorer.lane();
                self.fill(slices, &mut lane)?;
                Ok(lane)
            })
            .collect();
        // Shares are in order, so the first refusal is that of the first refused row.
        let lanes = lanes.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(scorer.finish(lanes, window, None))
    }

    fn fill(
        &self,
        slices: &[(usize, RecordBatch)],
        sink: &mut impl EventSink,
    ) -> Result<(), RowRefusal> {
        for (first, slice) in slices {
            let read = self.columns.visit(slice, |event| sink.accept(event));
            read.map_err(|(row, reason)| RowRefusal {
                row: first + row,
                reason,
            })?;
        }
        Ok(())
    }
}

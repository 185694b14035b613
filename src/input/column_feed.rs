//! The fast paths for batches of columns, tried one after the other.
//!
//! Shared by the readers of files and of tables of other libraries. A batch that none of them knows is read
//! row by row, by [`super::chunk::visit_batch`].

use super::batch_rows::BatchRows;
use super::hold_columns::HoldColumns;
use super::transfer_columns::TransferColumns;
use crate::core::EventSink;

/// Rows of a batch, few enough that its values stay in a core's cache while they are read.
pub(super) const BATCH_ROWS: usize = 8_192;

/// Buffers for the columns of one batch, reused by the next.
#[derive(Default)]
pub(crate) struct ColumnFeed {
    holds: HoldColumns,
    transfers: TransferColumns,
}

impl ColumnFeed {
    /// Passes all `rows` to `sink` and returns `true`, or none of them and returns `false`.
    pub(super) fn feed(&mut self, rows: &BatchRows, sink: &mut impl EventSink) -> bool {
        self.holds.feed(rows, sink) || self.transfers.feed(rows, sink)
    }
}

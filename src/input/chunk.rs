//! A part of one source, as it is passed to the thread that reads it.
//!
//! Text arrives in blocks of whole lines, columns in batches or slices of row groups. [`super::chunks`] makes
//! them; the functions below turn their rows into events, one at a time.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::RefusalReason;
use super::batch_rows::{BatchRows, RowBuffers};
use super::blocks::Block;
use super::csv::{CsvHeader, RowSplitter};
use super::feed_rows::{FeedText, visit_feed_batch};
use super::feeds;
use super::feeds::batch_row::FeedColumns;
use super::file_columns::FileColumns;
use super::json_records::JsonRecords;
use super::parquet::ParquetSlice;
use crate::core::{Draft, Event, Refusal};

/// A part of one source.
pub(super) struct Chunk {
    /// The file's name.
    pub(super) file: Arc<str>,
    /// The file's index in the set.
    pub(super) file_index: usize,
    pub(super) content: ChunkContent,
}

/// What a chunk holds.
pub(super) enum ChunkContent {
    Json(Arc<JsonRecords>, Block),
    Csv(Arc<CsvHeader>, Block),
    /// Text of a known feed; columns of one are told by their columns.
    Feed(FeedText),
    Parquet(ParquetSlice),
    Batch {
        columns: Arc<FileColumns>,
        /// The number of the first row, from 1.
        first_row: u64,
        batch: RecordBatch,
    },
}

impl Chunk {
    /// Sorts by file, as the files were given, then by line or row.
    pub(super) fn position(&self) -> (usize, u64) {
        let first = match &self.content {
            ChunkContent::Json(_, block) | ChunkContent::Csv(_, block) => block.first_line,
            ChunkContent::Feed(text) => text.first_line(),
            ChunkContent::Parquet(slice) => slice.first_row,
            ChunkContent::Batch { first_row, .. } => *first_row,
        };
        (self.file_index, first)
    }
}

/// Passes the events of one row to `take`: two of a transfer between two holders, one of any other row.
#[inline]
pub(super) fn with_events<T>(
    draft: Draft<'_>,
    take: impl FnOnce(Result<&[Event<'_>], Refusal>) -> T,
) -> T {
    if draft.is_transfer() {
        match draft.events() {
            Ok(events) => take(Ok(&events)),
            Err(refusal) => take(Err(refusal)),
        }
    } else {
        match draft.check() {
            Ok(event) => take(Ok(std::slice::from_ref(&event))),
            Err(refusal) => take(Err(refusal)),
        }
    }
}

/// Visits each row of a block of CSV with the number of its first line; empty lines are skipped.
pub(super) fn visit_csv<B>(
    header: &CsvHeader,
    block: &Block,
    splitter: &mut RowSplitter,
    mut visit: impl FnMut(u64, Result<&[Event<'_>], RefusalReason>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    splitter.rows(block, header.delimiter, |row| {
        let parsed = row
            .cells
            .and_then(|cells| Ok((cells, header.event(cells)?)));
        match parsed {
            Ok((cells, parsed)) => parsed.with_events(|events| {
                let events = events.map_err(|refusal| header.explained(cells, refusal));
                visit(row.line, events)
            }),
            Err(reason) => visit(row.line, Err(reason)),
        }
    })
}

/// Visits each row of a batch with its number. A row costs no allocation, and nothing is looked up twice.
#[inline]
pub(super) fn visit_batch<B>(
    rows: &BatchRows,
    first_row: u64,
    mut visit: impl FnMut(u64, Result<&[Event<'_>], RefusalReason>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut buffers = RowBuffers::default();
    for row in 0..rows.len() {
        let row_number = first_row + row as u64;
        match rows.draft(row, &mut buffers) {
            Ok(draft) => with_events(draft, |events| {
                visit(
                    row_number,
                    events.map_err(|refusal| rows.explained(row, refusal)),
                )
            })?,
            Err(refusal) => visit(row_number, Err(rows.explained(row, refusal)))?,
        }
    }
    ControlFlow::Continue(())
}

/// Visits the events of text of a known feed.
pub(super) fn visit_feed<B>(
    text: &FeedText,
    mut visit: impl FnMut(u64, Result<&[Event<'_>], RefusalReason>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    text.visit(&mut |line, layout, row| match row {
        Ok(row) => feeds::visit_row(layout, row, &mut |events| visit(line, events)),
        Err(reason) => visit(line, Err(reason)),
    })
}

/// Visits the events of a batch of columns of a known feed.
pub(super) fn visit_feed_columns<B>(
    columns: &FeedColumns,
    first_row: u64,
    batch: &RecordBatch,
    mut visit: impl FnMut(u64, Result<&[Event<'_>], RefusalReason>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    visit_feed_batch(
        columns,
        first_row,
        batch,
        &mut |line, layout, row| match row {
            Ok(row) => feeds::visit_row(layout, row, &mut |events| visit(line, events)),
            Err(reason) => visit(line, Err(reason)),
        },
    )
}

/// Visits the events of a batch, one row after the other.
pub(super) fn visit_columns<B>(
    columns: &FileColumns,
    first_row: u64,
    batch: &RecordBatch,
    visit: impl FnMut(u64, Result<&[Event<'_>], RefusalReason>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    match columns {
        FileColumns::Fields(mapping) => {
            visit_batch(&BatchRows::new(mapping, batch), first_row, visit)
        }
        FileColumns::Feed(columns) => visit_feed_columns(columns, first_row, batch, visit),
    }
}

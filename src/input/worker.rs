//! What one thread makes of the chunks that it takes: events for its sink, refusals, counts.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::batch_rows::BatchRows;
use super::chunk::{Chunk, ChunkContent, visit_batch, visit_csv, visit_feed, visit_feed_columns};
use super::column_feed::ColumnFeed;
use super::csv::RowSplitter;
use super::file_columns::FileColumns;
use super::{InputError, LineRefusal, OnError, RefusalReason};
use crate::core::{Event, EventSink};

/// Why a chunk was not read to its end.
#[derive(Debug)]
pub(super) struct WorkerError {
    /// The file's index in the set, and the line.
    pub(super) position: (usize, u64),
    pub(super) error: InputError,
}

/// One thread's sink, counts and refusals.
pub(super) struct Worker<S> {
    pub(super) sink: S,
    pub(super) read: u64,
    pub(super) refused: Vec<LineRefusal>,
    on_error: OnError,
    splitter: RowSplitter,
    columns: ColumnFeed,
}

/// The file whose rows are being read.
struct Origin {
    file: Arc<str>,
    file_index: usize,
}

impl<S: EventSink> Worker<S> {
    pub(super) fn new(sink: S, on_error: OnError) -> Self {
        Self {
            sink,
            read: 0,
            refused: Vec::new(),
            on_error,
            splitter: RowSplitter::default(),
            columns: ColumnFeed::default(),
        }
    }

    /// Reads one chunk; `Err` at its first refusal if refusals end the run.
    pub(super) fn read(&mut self, chunk: Chunk) -> Result<(), WorkerError> {
        let position = chunk.position();
        let origin = Origin {
            file: chunk.file,
            file_index: chunk.file_index,
        };
        let outcome = match chunk.content {
            ChunkContent::Json(records, block) => {
                records.visit(&block, |line, events| self.take(&origin, line, events))
            }
            ChunkContent::Csv(header, block) => {
                let mut splitter = std::mem::take(&mut self.splitter);
                let outcome = visit_csv(&header, &block, &mut splitter, |line, events| {
                    self.take(&origin, line, events)
                });
                self.splitter = splitter;
                outcome
            }
            ChunkContent::Parquet(slice) => {
                let outcome = slice.read(|columns, first_row, batch| {
                    self.read_batch(&origin, columns, batch, first_row)
                });
                outcome.map_err(|error| WorkerError { position, error })?
            }
            ChunkContent::Batch {
                columns,
                first_row,
                batch,
            } => self.read_batch(&origin, &columns, &batch, first_row),
            ChunkContent::Feed(text) => {
                visit_feed(&text, |line, events| self.take(&origin, line, events))
            }
        };
        match outcome {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }

    fn read_batch(
        &mut self,
        origin: &Origin,
        columns: &FileColumns,
        batch: &RecordBatch,
        first_row: u64,
    ) -> ControlFlow<WorkerError> {
        let mapping = match columns {
            FileColumns::Fields(mapping) => mapping,
            FileColumns::Feed(columns) => {
                return visit_feed_columns(columns, first_row, batch, |row, events| {
                    self.take(origin, row, events)
                });
            }
        };
        let rows = &BatchRows::new(mapping, batch);
        if self.columns.feed(rows, &mut self.sink) {
            self.read += rows.len() as u64;
            return ControlFlow::Continue(());
        }
        visit_batch(rows, first_row, |row, events| {
            self.take(origin, row, events)
        })
    }

    #[inline]
    fn take(
        &mut self,
        origin: &Origin,
        line: u64,
        events: Result<&[Event<'_>], RefusalReason>,
    ) -> ControlFlow<WorkerError> {
        self.read += 1;
        let reason = match events {
            Ok(events) => {
                for event in events {
                    self.sink.accept(event);
                }
                return ControlFlow::Continue(());
            }
            Err(reason) => reason,
        };
        let refusal = LineRefusal {
            file: Arc::clone(&origin.file),
            line,
            reason,
            file_index: origin.file_index,
        };
        match self.on_error {
            OnError::Skip => {
                self.refused.push(refusal);
                ControlFlow::Continue(())
            }
            OnError::Fail => ControlFlow::Break(WorkerError {
                position: refusal.position(),
                error: InputError::Refused(refusal),
            }),
        }
    }
}

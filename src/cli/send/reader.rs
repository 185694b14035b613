//! Files into batches, in order, each row with its line.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::mpsc::Sender;

use crate::client::Batch;
use crate::input::{InputError, InputFormat, Progress, Source, SourceRow, read_in_order};
use crate::output::RefusedLine;

/// A batch is closed at this size, however few events it has.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Rows of one file in order: their events to be sent, two of a transfer, and lines that are refused before
/// that.
pub(super) struct RowBatch {
    pub(super) file: Arc<str>,
    file_index: usize,
    pub(super) events: Batch,
    /// The line of each event.
    pub(super) lines: Vec<u64>,
    pub(super) refused: Vec<RefusedLine>,
    /// Rows of this batch.
    pub(super) rows: u64,
    /// Rows of the file up to the last one of this batch.
    pub(super) rows_done: u64,
}

/// What is read, and how.
pub(super) struct Reader {
    pub(super) sources: Vec<Source>,
    pub(super) format: InputFormat,
    pub(super) progress: Arc<Progress>,
    /// Events of a batch, unless the first row has more.
    pub(super) events_max: usize,
    /// Rows at the beginning of each source that are done already.
    pub(super) skipped: Vec<u64>,
}

impl Reader {
    /// Reads to the end, or until the receiver of the batches is gone.
    pub(super) fn run(self, batches: &Sender<RowBatch>) -> Result<(), InputError> {
        let mut open = self.empty_batch(0);
        let mut rows = 0;
        // The receiver ends early only after an error, which it reports itself.
        let send = |batch: RowBatch| match batches.blocking_send(batch) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        read_in_order(&self.sources, self.format, &self.progress, |row| {
            if row.file_index != open.file_index {
                let full = std::mem::replace(&mut open, self.empty_batch(row.file_index));
                rows = 0;
                if full.rows > 0 {
                    send(full)?;
                }
            }
            rows += 1;
            if rows <= self.skipped[row.file_index] {
                return ControlFlow::Continue(());
            }
            // Never more, because a server lists the refusals of only so many.
            let events = row.events.as_ref().map_or(0, |events| events.len());
            if open.events.len() + events > self.events_max && open.rows > 0 {
                let next = self.empty_batch(open.file_index);
                send(std::mem::replace(&mut open, next))?;
            }
            open.push(row, rows);
            if open.len() < self.events_max && open.events.bytes() < BATCH_BYTES_MAX {
                return ControlFlow::Continue(());
            }
            let next = self.empty_batch(open.file_index);
            send(std::mem::replace(&mut open, next))
        })?;
        if open.rows > 0 {
            let _ = send(open);
        }
        Ok(())
    }

    fn empty_batch(&self, file_index: usize) -> RowBatch {
        RowBatch {
            file: self.sources[file_index].name(),
            file_index,
            events: Batch::default(),
            lines: Vec::new(),
            refused: Vec::new(),
            rows: 0,
            rows_done: 0,
        }
    }
}

impl RowBatch {
    /// Adds row `rows` of the file.
    fn push(&mut self, row: SourceRow<'_>, rows: u64) {
        self.rows += 1;
        self.rows_done = rows;
        match row.events {
            Ok(events) => {
                for event in events {
                    self.events.push(event);
                    self.lines.push(row.line);
                }
            }
            Err(reason) => self.refused.push(RefusedLine {
                file: Arc::clone(&self.file),
                line: row.line,
                reason: reason.to_string(),
            }),
        }
    }

    /// Events and refused lines.
    fn len(&self) -> usize {
        self.events.len() + self.refused.len()
    }
}

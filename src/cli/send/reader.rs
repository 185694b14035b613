//! Files into batches, in order, each row with its line.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::mpsc::Sender;

use super::calls::{Kind, Message};
use crate::client::{Ack, Batch, Transfers};
use crate::input::{
    FileNote, InputError, InputOptions, Progress, Source, SourceRow, read_in_order,
};
use crate::output::RefusedLine;

/// A batch is closed at this size, however few events it has.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Rows of one file in order: events and transfers to be sent, and lines that are refused before that.
pub(super) struct RowBatch {
    pub(super) file: Arc<str>,
    file_index: usize,
    events: Batch,
    /// The line of each event.
    event_lines: Vec<u64>,
    /// Transfers between two holders: as two events, one could be stored without the other.
    transfers: Transfers,
    /// The line of each transfer.
    transfer_lines: Vec<u64>,
    pub(super) refused: Vec<RefusedLine>,
    /// The acknowledgements of its first parts.
    pub(super) acks: Vec<Ack>,
    /// Rows of the file up to the last one of this batch.
    pub(super) rows_done: u64,
}

/// What one message takes of a batch.
pub(super) enum Part<'a> {
    Events(&'a Batch, &'a [u64]),
    Transfers(&'a Transfers, &'a [u64]),
}

impl Part<'_> {
    /// The line of each row.
    pub(super) const fn lines(&self) -> &[u64] {
        match self {
            Self::Events(_, lines) | Self::Transfers(_, lines) => lines,
        }
    }

    /// The call that takes it.
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Events(..) => Kind::Events,
            Self::Transfers(..) => Kind::Transfers,
        }
    }

    /// A copy to be sent.
    pub(super) fn message(&self) -> Message {
        match self {
            Self::Events(batch, _) => Message::Events((*batch).clone()),
            Self::Transfers(transfers, _) => Message::Transfers((*transfers).clone()),
        }
    }
}

/// What is read, and how.
pub(super) struct Reader {
    pub(super) sources: Vec<Source>,
    pub(super) input: Arc<InputOptions>,
    pub(super) progress: Arc<Progress>,
    /// Rows of a batch.
    pub(super) rows_max: usize,
    /// Rows at the beginning of each source that are done already.
    pub(super) skipped: Vec<u64>,
}

impl Reader {
    /// Reads to the end, or until the receiver of the batches is gone.
    pub(super) fn run(self, batches: &Sender<RowBatch>) -> Result<Vec<FileNote>, InputError> {
        let mut open = self.empty_batch(0);
        let mut rows = 0;
        // The receiver ends early only after an error, which it reports itself.
        let send = |batch: RowBatch| match batches.blocking_send(batch) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        let notes = read_in_order(&self.sources, &self.input, &self.progress, |row| {
            if row.file_index != open.file_index {
                let full = std::mem::replace(&mut open, self.empty_batch(row.file_index));
                rows = 0;
                if full.rows() > 0 {
                    send(full)?;
                }
            }
            rows += 1;
            if rows <= self.skipped[row.file_index] {
                return ControlFlow::Continue(());
            }
            open.push(row, rows);
            if open.rows() < self.rows_max && open.bytes() < BATCH_BYTES_MAX {
                return ControlFlow::Continue(());
            }
            let next = self.empty_batch(open.file_index);
            send(std::mem::replace(&mut open, next))
        })?;
        if open.rows() > 0 {
            let _ = send(open);
        }
        Ok(notes)
    }

    fn empty_batch(&self, file_index: usize) -> RowBatch {
        RowBatch {
            file: self.sources[file_index].name(),
            file_index,
            events: Batch::default(),
            event_lines: Vec::new(),
            transfers: Transfers::default(),
            transfer_lines: Vec::new(),
            refused: Vec::new(),
            acks: Vec::new(),
            rows_done: 0,
        }
    }
}

impl RowBatch {
    /// Adds row `rows` of the file.
    fn push(&mut self, row: SourceRow<'_>, rows: u64) {
        self.rows_done = rows;
        match row.events {
            Ok([event]) => {
                self.events.push(event);
                self.event_lines.push(row.line);
            }
            Ok(events) => {
                let both = events.try_into().expect("a transfer states two events");
                self.transfers.push(both);
                self.transfer_lines.push(row.line);
            }
            Err(reason) => self.refused.push(RefusedLine {
                file: Arc::clone(&self.file),
                line: row.line,
                reason: reason.to_string(),
            }),
        }
    }

    /// Rows of this batch.
    pub(super) fn rows(&self) -> usize {
        self.events.len() + self.transfers.len() + self.refused.len()
    }

    fn bytes(&self) -> usize {
        self.events.bytes() + self.transfers.bytes()
    }

    /// What is to be sent, in the order in which it is acknowledged.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let events = Part::Events(&self.events, &self.event_lines);
        let transfers = Part::Transfers(&self.transfers, &self.transfer_lines);
        let parts = [events, transfers].into_iter();
        parts.filter(|part| !part.lines().is_empty())
    }

    /// Whether nothing of it waits for an acknowledgement.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.acks.len() == self.parts().count()
    }
}

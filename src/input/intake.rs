//! What one thread makes of the pieces that it takes: events for its sink, refusals, counts.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::csv::RowSplitter;
use super::deal::{Job, Work};
use super::holds::HoldColumns;
use super::rows::{Rows, Scratch};
use super::{InputError, OnError, Reason, Rejected, jsonl, text};
use crate::core::{Event, EventSink};

/// Why a piece was not read to its end.
#[derive(Debug)]
pub(super) struct Failure {
    /// The file's place in the set, and the line.
    pub(super) position: (usize, u64),
    pub(super) error: InputError,
}

/// One thread's sink, counts and refusals.
pub(super) struct Intake<S> {
    pub(super) sink: S,
    pub(super) read: u64,
    pub(super) rejected: Vec<Rejected>,
    on_error: OnError,
    splitter: RowSplitter,
    holds: HoldColumns,
}

/// The piece that is being read.
struct Piece {
    file: Arc<str>,
    place: usize,
}

impl<S: EventSink> Intake<S> {
    pub(super) fn new(sink: S, on_error: OnError) -> Self {
        Self {
            sink,
            read: 0,
            rejected: Vec::new(),
            on_error,
            splitter: RowSplitter::default(),
            holds: HoldColumns::default(),
        }
    }

    /// Reads one piece; `Err` at its first refusal where refusals end the run.
    pub(super) fn read(&mut self, job: Job) -> Result<(), Failure> {
        let piece = Piece {
            file: job.file,
            place: job.place,
        };
        let outcome = match job.work {
            Work::Jsonl(block) => self.read_jsonl(&piece, &block),
            Work::Csv(header, block) => {
                let mut splitter = std::mem::take(&mut self.splitter);
                let outcome = splitter.rows(&block, |row| {
                    let event = row.cells.and_then(|cells| header.event(cells));
                    match event {
                        Ok(event) => {
                            self.take(&piece, row.line, event.check().map_err(Reason::from))
                        }
                        Err(reason) => self.take(&piece, row.line, Err(reason)),
                    }
                });
                self.splitter = splitter;
                outcome
            }
            Work::Parquet(slice) => {
                let outcome = slice.read(|layout, first_row, batch| {
                    self.read_rows(&piece, &Rows::new(layout, batch), first_row)
                });
                outcome.map_err(|error| Failure {
                    position: (piece.place, slice.first_row),
                    error,
                })?
            }
            Work::Batch {
                layout,
                first_row,
                batch,
            } => self.read_rows(&piece, &Rows::new(&layout, &batch), first_row),
        };
        match outcome {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(failure) => Err(failure),
        }
    }

    fn read_jsonl(&mut self, piece: &Piece, block: &text::Block) -> ControlFlow<Failure> {
        for (line, bytes) in text::lines(block) {
            if jsonl::is_blank(bytes) {
                continue;
            }
            match jsonl::event_from_line(bytes) {
                Ok(event) => self.take(piece, line, event.check().map_err(Reason::from))?,
                Err(reason) => self.take(piece, line, Err(reason))?,
            }
        }
        ControlFlow::Continue(())
    }

    /// The hot loop: a row costs no allocation, and nothing of it is looked up twice.
    fn read_rows(&mut self, piece: &Piece, rows: &Rows, first_row: u64) -> ControlFlow<Failure> {
        if self.holds.feed(rows, &mut self.sink) {
            self.read += rows.len() as u64;
            return ControlFlow::Continue(());
        }
        let mut scratch = Scratch::default();
        for row in 0..rows.len() {
            match rows.event(row, &mut scratch) {
                Ok(event) => {
                    self.read += 1;
                    self.sink.accept(&event);
                }
                Err(refusal) => {
                    self.take(piece, first_row + row as u64, Err(refusal.into()))?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn take(
        &mut self,
        piece: &Piece,
        line: u64,
        event: Result<Event<'_>, Reason>,
    ) -> ControlFlow<Failure> {
        self.read += 1;
        let reason = match event {
            Ok(event) => {
                self.sink.accept(&event);
                return ControlFlow::Continue(());
            }
            Err(reason) => reason,
        };
        let rejected = Rejected {
            file: Arc::clone(&piece.file),
            line,
            reason,
            place: piece.place,
        };
        match self.on_error {
            OnError::Skip => {
                self.rejected.push(rejected);
                ControlFlow::Continue(())
            }
            OnError::Fail => ControlFlow::Break(Failure {
                position: rejected.position(),
                error: InputError::Refused(rejected),
            }),
        }
    }
}

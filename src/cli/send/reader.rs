//! Files into batches, in order, each row with its place.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::mpsc::Sender;

use crate::input::{InputError, InputFormat, Progress, Source, read_in_order};
use crate::net::client::Batch;
use crate::output::RefusedLine;

/// A batch is closed at this size, however few events it has.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Some rows in order: events to be sent, and lines that are refused here already.
#[derive(Default)]
pub(super) struct Parcel {
    /// The events.
    pub(super) batch: Batch,
    /// Where each of them stands.
    pub(super) places: Vec<(Arc<str>, u64)>,
    /// Lines that are no events.
    pub(super) refused: Vec<RefusedLine>,
}

/// What is read, and how.
pub(super) struct Reader {
    pub(super) sources: Vec<Source>,
    pub(super) format: InputFormat,
    pub(super) progress: Arc<Progress>,
    /// Events of a parcel.
    pub(super) events_max: usize,
    /// Rows that an earlier run has done with.
    pub(super) skipped: u64,
}

impl Reader {
    /// Reads until the end, or until nobody takes parcels any more.
    pub(super) fn run(self, parcels: &Sender<Parcel>) -> Result<(), InputError> {
        let mut parcel = Parcel::default();
        let mut row_number = 0;
        read_in_order(&self.sources, self.format, &self.progress, |row| {
            row_number += 1;
            if row_number <= self.skipped {
                return ControlFlow::Continue(());
            }
            match row.event {
                Ok(event) => {
                    parcel.batch.push(&event);
                    parcel.places.push((Arc::clone(row.file), row.line));
                }
                Err(reason) => parcel.refused.push(RefusedLine {
                    file: Arc::clone(row.file),
                    line: row.line,
                    reason: reason.to_string(),
                }),
            }
            if parcel.rows() < self.events_max && parcel.batch.bytes() < BATCH_BYTES_MAX {
                return ControlFlow::Continue(());
            }
            match parcels.blocking_send(std::mem::take(&mut parcel)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        if parcel.rows() > 0 {
            // Where nobody takes it any more, somebody has said why.
            let _ = parcels.blocking_send(parcel);
        }
        Ok(())
    }
}

impl Parcel {
    /// Rows of the files that are done with once this is.
    pub(super) fn rows(&self) -> usize {
        self.places.len() + self.refused.len()
    }
}

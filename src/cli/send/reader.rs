//! Files into batches, in order, each row with its place.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::Sender;

use super::fingerprint::Fingerprint;
use crate::cli::exit::Exit;
use crate::client::Batch;
use crate::input::{InputFormat, Progress, Source, read_in_order};
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
    /// Of all rows up to the last one of these; stays at its default where nobody keeps a place.
    pub(super) fingerprint: Fingerprint,
}

/// What is read, and how.
pub(super) struct Reader {
    pub(super) sources: Vec<Source>,
    pub(super) format: InputFormat,
    pub(super) progress: Arc<Progress>,
    /// Events of a parcel.
    pub(super) events_max: usize,
    /// What an earlier run has done with, where a place is kept.
    pub(super) begun: Option<Begun>,
}

/// Rows that are done with, and how they are known again.
pub(super) struct Begun {
    /// The file that says so.
    pub(super) place: PathBuf,
    pub(super) rows: u64,
    pub(super) fingerprint: Fingerprint,
}

impl Reader {
    /// Reads until the end, or until nobody takes parcels any more.
    pub(super) fn run(self, parcels: &Sender<Parcel>) -> anyhow::Result<()> {
        let skipped = self.begun.as_ref().map_or(0, |begun| begun.rows);
        let mut parcel = Parcel::default();
        let mut row_number = 0;
        let mut fingerprint = Fingerprint::default();
        let mut is_known = true;
        read_in_order(&self.sources, self.format, &self.progress, |row| {
            row_number += 1;
            if self.begun.is_some() {
                fingerprint.add(row.event.as_ref().ok());
            }
            if row_number <= skipped {
                let begun = self.begun.as_ref().expect("something is skipped");
                if row_number == skipped && begun.fingerprint != fingerprint {
                    is_known = false;
                    return ControlFlow::Break(());
                }
                return ControlFlow::Continue(());
            }
            parcel.fingerprint = fingerprint;
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
        if let Some(begun) = self.begun.as_ref()
            && (!is_known || row_number < skipped)
        {
            return Err(begun.replaced(&self.sources));
        }
        if parcel.rows() > 0 {
            // Where nobody takes it any more, somebody has said why.
            let _ = parcels.blocking_send(parcel);
        }
        Ok(())
    }
}

impl Begun {
    /// Other files have taken the place of `sources`: what to skip of them nobody knows.
    fn replaced(&self, sources: &[Source]) -> anyhow::Error {
        let names: Vec<_> = sources.iter().map(Source::name).collect();
        let place = self.place.display();
        Exit::usage(format!(
            "--resume {place}: {} no longer begins with the {} rows that were done before; remove \
             {place} to send all of it",
            names.join(", "),
            self.rows
        ))
    }
}

impl Parcel {
    /// Rows of the files that are done with once this is.
    pub(super) fn rows(&self) -> usize {
        self.places.len() + self.refused.len()
    }
}

//! The way in: waits for room, then puts a batch on the road to the journal, or straight to the
//! applier where nothing is kept.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::applier::{self, Numbered};
use super::progress::Progress;
use super::receipt::{Pending, Ticket};
use super::submit_error::SubmitError;
use crate::core::EventBatch;
use crate::journal::{Submission, Writer};

/// What a batch takes in the queue beside its events.
const BATCH_BYTES: usize = 64;
/// Bounds of the queue.
const QUEUE_BYTES: std::ops::RangeInclusive<usize> = 4 << 10..=1 << 30;

/// Where admitted batches go.
pub(super) enum Road {
    /// To disk first.
    Journal(Writer<Ticket>),
    /// To the applier at once, which is all there is; `None` once closed.
    Memory(Mutex<Option<Memory>>),
}

/// The road of an engine that keeps nothing.
pub(super) struct Memory {
    pub(super) next: u64,
    pub(super) batches: Sender<Numbered>,
}

/// Admits batches, in order.
pub(super) struct Admission {
    progress: Arc<Progress>,
    road: Road,
    room: Arc<Semaphore>,
    bytes_max: usize,
    retry_after: Duration,
}

impl Admission {
    /// At most `queue_bytes_max` bytes wait; after a full disk, callers are told to come back after `retry_after`.
    pub(super) fn new(
        progress: Arc<Progress>,
        road: Road,
        queue_bytes_max: usize,
        retry_after: Duration,
    ) -> Self {
        let bytes_max = queue_bytes_max.clamp(*QUEUE_BYTES.start(), *QUEUE_BYTES.end());
        Self {
            progress,
            road,
            room: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
            retry_after,
        }
    }

    /// Waits for room and sends a batch on its way.
    pub(super) async fn admit(&self, batch: EventBatch) -> Result<Pending, SubmitError> {
        let bytes = batch.bytes().len().saturating_add(BATCH_BYTES);
        if bytes > self.bytes_max {
            return Err(SubmitError::TooLarge {
                bytes,
                bytes_max: self.bytes_max,
            });
        }
        if self.progress.is_closing() || self.progress.poisoned().is_some() {
            return Err(self.progress.refusal());
        }
        let permits = u32::try_from(bytes).expect("at most 1 GiB");
        let room = Arc::clone(&self.room).acquire_many_owned(permits).await;
        let room = room.map_err(|_closed| self.progress.refusal())?;
        // No wait from here on: batches are numbered in the order in which they got room.
        let (ticket, pending) = Ticket::new(room, Arc::clone(&self.progress));
        match &self.road {
            Road::Journal(writer) => {
                writer.submit(batch, ticket).map_err(|(reason, _)| {
                    applier::refusal(&self.progress, &reason, self.retry_after)
                })?;
            }
            Road::Memory(memory) => {
                let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
                let memory = memory.as_mut().ok_or_else(|| self.progress.refusal())?;
                let count = u64::from(batch.count());
                let sent = memory.batches.send(Numbered {
                    first: memory.next,
                    submissions: vec![Submission { batch, tag: ticket }],
                    journal_bytes: 0,
                });
                sent.map_err(|_| self.progress.refusal())?;
                memory.next += count;
            }
        }
        Ok(pending)
    }

    /// Takes nothing more; returns once all that was admitted is on its way to the applier, which
    /// then ends. Blocks.
    pub(super) fn close(&self) {
        self.room.close();
        match &self.road {
            Road::Journal(writer) => writer.close(),
            Road::Memory(memory) => {
                drop(memory.lock().unwrap_or_else(PoisonError::into_inner).take());
            }
        }
    }

    /// Where batches go.
    pub(super) fn road(&self) -> &Road {
        &self.road
    }

    /// Bytes that wait for their acknowledgement, and how many may.
    pub(super) fn queue_bytes(&self) -> (usize, usize) {
        (
            self.bytes_max - self.room.available_permits().min(self.bytes_max),
            self.bytes_max,
        )
    }
}

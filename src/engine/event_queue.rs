//! Backpressure: a batch waits for permits for its bytes, and is then sent to the journal, or to the
//! applier if the engine is in memory only.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::applier::{self, SequencedBatches};
use super::progress::Progress;
use super::receipt::{AckSender, Pending};
use super::submit_error::SubmitError;
use crate::core::EventBatch;
use crate::journal::{Submission, Writer};

/// Bytes of the queue that a batch takes in addition to its events.
const BATCH_BYTES: usize = 64;
/// An upload may have this part of the queue in flight.
const UPLOAD_PART: usize = 4;
/// Smallest and largest size of the queue.
const QUEUE_BYTES: std::ops::RangeInclusive<usize> = 4 << 10..=1 << 30;

/// Where batches are sent.
pub(super) enum BatchSink {
    /// To the journal, and from there to the applier.
    Journal(Writer<AckSender>),
    /// To the applier; `None` once closed.
    Memory(Mutex<Option<MemorySink>>),
}

/// The sink of an engine without a journal.
pub(super) struct MemorySink {
    /// Number of the next event.
    pub(super) next: u64,
    pub(super) batches: Sender<SequencedBatches>,
}

/// Bytes of the queue that are kept for a batch while it is filled; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room(OwnedSemaphorePermit);

impl Room {
    /// Whether it is enough for so many bytes of events.
    pub(super) fn holds(&self, bytes: usize, bytes_max: usize) -> bool {
        let needed = bytes.saturating_add(BATCH_BYTES).min(bytes_max);
        self.0.num_permits() >= needed
    }
}

/// The queue of batches, bounded in bytes. A permit for a byte is held until the batch is
/// acknowledged.
pub(super) struct EventQueue {
    progress: Arc<Progress>,
    sink: BatchSink,
    permits: Arc<Semaphore>,
    bytes_max: usize,
    retry_after: Duration,
}

impl EventQueue {
    /// A queue of at most `queue_bytes_max` bytes. If the disk is full, errors tell the caller to try
    /// again after `retry_after`.
    pub(super) fn new(
        progress: Arc<Progress>,
        sink: BatchSink,
        queue_bytes_max: usize,
        retry_after: Duration,
    ) -> Self {
        let bytes_max = queue_bytes_max.clamp(*QUEUE_BYTES.start(), *QUEUE_BYTES.end());
        Self {
            progress,
            sink,
            permits: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
            retry_after,
        }
    }

    /// Room for `bytes` bytes of events, at most the whole queue; `None` if it is not free now.
    pub(super) fn try_reserve(&self, bytes: usize) -> Option<Room> {
        let permits = Arc::clone(&self.permits);
        permits
            .try_acquire_many_owned(self.permits_of(bytes))
            .ok()
            .map(Room)
    }

    /// Waits for room for `bytes` bytes of events, at most the whole queue. The caller must hold no other room:
    /// two that did could wait for each other.
    pub(super) async fn reserve(&self, bytes: usize) -> Result<Room, SubmitError> {
        let permits = Arc::clone(&self.permits);
        let room = permits.acquire_many_owned(self.permits_of(bytes)).await;
        room.map(Room).map_err(|_closed| self.progress.refusal())
    }

    fn permits_of(&self, bytes: usize) -> u32 {
        let bytes = bytes.saturating_add(BATCH_BYTES).min(self.bytes_max);
        u32::try_from(bytes).expect("at most 1 GiB")
    }

    /// Sends a batch, in the room that is kept for it or once there are permits. If the future is dropped before it
    /// is ready, nothing is sent.
    pub(super) async fn submit(
        &self,
        batch: EventBatch,
        room: Option<Room>,
    ) -> Result<Pending, SubmitError> {
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
        let permit = match room.and_then(|Room(mut kept)| kept.split(bytes)) {
            Some(permit) => permit,
            None => self.reserve(batch.bytes().len()).await?.0,
        };
        // No await from here on: batches get their numbers in the order in which they got permits.
        let (ack, pending) = AckSender::new(permit, Arc::clone(&self.progress));
        match &self.sink {
            BatchSink::Journal(writer) => {
                writer.submit(batch, ack).map_err(|(reason, _)| {
                    applier::refusal(&self.progress, &reason, self.retry_after)
                })?;
            }
            BatchSink::Memory(memory) => {
                let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
                let memory = memory.as_mut().ok_or_else(|| self.progress.refusal())?;
                let count = u64::from(batch.count());
                self.progress.applying.begin();
                let sent = memory.batches.send(SequencedBatches {
                    first: memory.next,
                    submissions: vec![Submission { batch, tag: ack }],
                    journal_bytes: 0,
                });
                sent.map_err(|_| self.progress.refusal())?;
                memory.next += count;
            }
        }
        Ok(pending)
    }

    /// Accepts nothing more; returns once everything submitted was sent to the applier, which then
    /// ends. Blocks.
    pub(super) fn close(&self) {
        self.permits.close();
        match &self.sink {
            BatchSink::Journal(writer) => writer.close(),
            BatchSink::Memory(memory) => {
                drop(memory.lock().unwrap_or_else(PoisonError::into_inner).take());
            }
        }
    }

    /// Where batches are sent.
    pub(super) fn sink(&self) -> &BatchSink {
        &self.sink
    }

    /// Bytes that one upload may have in flight before it waits.
    pub(super) const fn upload_bytes_max(&self) -> usize {
        self.bytes_max / UPLOAD_PART
    }

    /// Bytes that are not acknowledged yet or kept for batches that are filled, and the maximum.
    pub(super) fn bytes(&self) -> (usize, usize) {
        (
            self.bytes_max - self.permits.available_permits().min(self.bytes_max),
            self.bytes_max,
        )
    }
}

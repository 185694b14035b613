//! The engine: accepts events, acknowledges them once they are durable and applied, and answers queries
//! at any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::answer::{Cursor, HolderAnswer, Page, Question};
use super::applier;
use super::clock::Clock;
use super::event_limits::EventLimits;
use super::event_queue::{BatchSink, EventQueue, Room};
use super::feed::Feed;
use super::gate::{Gates, RowBatch, SubmittedRows};
use super::listings::Listings;
use super::options::Durability;
use super::policies::{Policies, PublishError};
use super::progress::Progress;
use super::receipt::Pending;
use super::rounds::Rounds;
use super::stall::Stall;
use super::store_watch::StoreWatch;
use super::submit_error::{Condition, SubmitError};
use super::validator::Validator;
use crate::aggregator::HoldAggregator;
use crate::core::{EventBatch, Micros, StoreId};
use crate::journal::{Journal, WriteError, WriterCondition};
use crate::telemetry::metrics::{ConsumerGauges, EngineGauges};

/// The service without a network protocol, shared by reference. Closed when it is dropped.
pub struct Engine {
    pub(super) limits: EventLimits,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) progress: Arc<Progress>,
    pub(super) queue: EventQueue,
    pub(super) gates: Gates,
    pub(super) feed: Arc<Feed>,
    /// `None` once closed.
    pub(super) threads: Mutex<Option<Threads>>,
    /// Random for each process if there is no data folder.
    pub(super) store: StoreId,
    pub(super) stored: Option<Stored>,
    pub(super) policies: Policies,
    pub(super) rounds: Rounds,
    pub(super) retry_after: Duration,
    /// See [`crate::config::Store::stall_max`].
    pub(super) stall_max: Duration,
    pub(super) listings: Listings,
}

pub(super) struct Threads {
    pub(super) applier: JoinHandle<()>,
    pub(super) flusher: Option<JoinHandle<()>>,
    /// Holds the lock of the folder until the others have ended.
    pub(super) _watch: Option<StoreWatch>,
}

/// What only an engine with a data folder has.
pub(super) struct Stored {
    pub(super) journal: Arc<Journal>,
    /// Number of the last event that the state covers.
    pub(super) covered: Arc<AtomicU64>,
}

impl Engine {
    /// Which store it is.
    #[must_use]
    pub const fn store(&self) -> StoreId {
        self.store
    }

    /// The current time of the clock that limits starts in the future.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    /// Validates events by the bounds of this engine and its clock as it is now.
    #[must_use]
    pub fn validator(&self) -> Validator<'_> {
        Validator::new(&self.limits, self.now(), &self.progress.metrics)
    }

    /// The durability that acknowledgements will have.
    #[must_use]
    pub fn durability(&self) -> Durability {
        match self.stored {
            Some(_) => Durability::Durable,
            None => Durability::Buffered,
        }
    }

    /// The gates, which check the batches of every upload.
    #[must_use]
    pub const fn gates(&self) -> &Gates {
        &self.gates
    }

    /// A batch for [`Self::submit_rows`] with a capacity of `bytes` bytes.
    #[must_use]
    pub fn row_batch(&self, bytes: usize) -> RowBatch {
        RowBatch::new(bytes, self.gates.has_any())
    }

    /// Lets the gates check a batch and submits what they accept. Its events are those of a sender, or `emitted_by`
    /// the pipeline of this name, whose own gates are left out.
    pub async fn submit_rows(
        &self,
        mut batch: RowBatch,
        emitted_by: Option<&str>,
    ) -> Result<SubmittedRows, SubmitError> {
        let room = batch.room.take();
        let (events, refused) = if self.gates.has_any() {
            let now = || self.now();
            self.gates.check(batch, emitted_by, &self.limits, now).await
        } else {
            (batch.into_events(), Vec::new())
        };
        let pending = if events.is_empty() {
            None
        } else {
            Some(self.queue.submit(events, room).await?)
        };
        Ok(SubmittedRows { pending, refused })
    }

    /// Puts a batch, which must not be empty and passes no gate, in the queue; waits while the queue is full. Batches
    /// get their numbers in the order in which they enter the queue. If the future is dropped before it is
    /// ready, nothing is sent.
    pub async fn submit(&self, batch: EventBatch) -> Result<Pending, SubmitError> {
        self.queue.submit(batch, None).await
    }

    /// Bytes of events that the queue holds at most.
    #[must_use]
    pub fn queue_bytes_max(&self) -> usize {
        self.queue.bytes().1
    }

    /// Bytes of events that one upload may have in flight before it waits.
    pub(super) const fn upload_bytes_max(&self) -> usize {
        self.queue.upload_bytes_max()
    }

    /// Room in the queue for events that are not decoded yet; `None` if it is not free now.
    pub(super) fn try_reserve(&self, bytes: usize) -> Option<Room> {
        self.queue.try_reserve(bytes)
    }

    /// Waits for room in the queue.
    pub(super) async fn reserve(&self, bytes: usize) -> Result<Room, SubmitError> {
        self.queue.reserve(bytes).await
    }

    /// What was acknowledged, for consumers.
    #[must_use]
    pub fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Whether events are accepted.
    #[must_use]
    pub fn condition(&self) -> Condition {
        if let Some(reason) = self.progress.poisoned() {
            return Condition::Poisoned(reason);
        }
        if self.progress.is_closing() {
            return Condition::Closing;
        }
        let condition = match self.queue.sink() {
            BatchSink::Journal(writer) => match writer.condition() {
                WriterCondition::Writing => Condition::Ready,
                WriterCondition::DiskFull => Condition::DiskFull,
                WriterCondition::Poisoned(reason) => return Condition::Poisoned(reason),
            },
            BatchSink::Memory(_) => Condition::Ready,
        };
        let (disk, applier) = self.standstill();
        Stall::of(disk, applier, self.stall_max).map_or(condition, Condition::Stalled)
    }

    /// For how long the disk has not answered, and for how long nothing was applied that could be.
    fn standstill(&self) -> (Duration, Duration) {
        let writing = match self.queue.sink() {
            BatchSink::Journal(writer) => writer.stands_for(),
            BatchSink::Memory(_) => Duration::ZERO,
        };
        let disk = writing.max(self.progress.looking.stands_for());
        (disk, self.progress.applying.stands_for())
    }

    /// Resolves with the reason once the engine has failed; never otherwise.
    pub async fn poisoned(&self) -> Arc<str> {
        let mut poisoning = self.progress.poisoning();
        loop {
            if let Some(reason) = &*poisoning.borrow_and_update() {
                return Arc::clone(reason);
            }
            if poisoning.changed().await.is_err() {
                // Does not happen, because the engine owns the sender.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Number of the last applied event; all answers from now on include it.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.progress.sequence()
    }

    /// `size` holders in leaderboard order, from the first or after a cursor. Blocks and computes on
    /// several threads; neither this nor another question may be asked on a worker of rayon.
    #[must_use]
    pub fn page(&self, question: &Question, after: Option<&Cursor>, size: usize) -> Page {
        self.progress.answer(|aggregator, sequence| {
            let last = after.map(|cursor| &cursor.last.holder);
            let ranking = aggregator.ranking(question, last, size);
            Page::of(ranking, after, sequence, None)
        })
    }

    /// An answer of one state; see [`Progress::answer`].
    pub(super) fn answer<T>(&self, compute: impl FnOnce(&HoldAggregator, u64) -> T) -> T {
        self.progress.answer(compute)
    }

    /// Drops listings of which no page was asked for too long.
    pub fn release_pages(&self) {
        self.listings.release();
    }

    /// The same under a registered policy. Only holders that changed since the last such question are scored again,
    /// and those of which another end of the window changes what they held.
    pub fn published(
        &self,
        policy: &str,
        question: &Question,
        after: Option<&Cursor>,
        size: usize,
    ) -> Result<Page, PublishError> {
        self.policies
            .page(policy, &self.progress, question, (after, size))
    }

    /// The policies under which [`Self::published`] answers.
    #[must_use]
    pub const fn policies(&self) -> &Policies {
        &self.policies
    }

    /// The sealed rounds.
    #[must_use]
    pub const fn rounds(&self) -> &Rounds {
        &self.rounds
    }

    /// The journal of events, if they are stored.
    pub(super) fn journal(&self) -> Option<&Arc<Journal>> {
        self.stored.as_ref().map(|stored| &stored.journal)
    }

    /// Whether the engine is being closed.
    pub(super) fn is_closing(&self) -> bool {
        self.progress.is_closing()
    }

    /// The error for a caller whose record a journal did not write.
    pub(super) fn write_refusal(&self, reason: &WriteError) -> SubmitError {
        applier::refusal(&self.progress, reason, self.retry_after)
    }

    /// One holder with the segments that make up its score, and at most `changes_max` changes behind its balances;
    /// `None` if it is unknown. Blocks.
    #[must_use]
    pub fn holder(
        &self,
        holder_id: &str,
        question: &Question,
        changes_max: usize,
    ) -> Option<HolderAnswer> {
        self.progress.answer(|aggregator, sequence| {
            let view = aggregator.explain(holder_id, question, changes_max)?;
            Some(HolderAnswer {
                holder: view.row,
                keys: view.keys,
                deficits: view.deficits,
                sequence,
            })
        })
    }

    /// The gauges that are read at each scrape of the metrics.
    #[must_use]
    pub fn gauges(&self) -> EngineGauges {
        let known = self.progress.aggregator.figures();
        let (queue_bytes, queue_bytes_max) = self.queue.bytes();
        let (disk, applier) = self.standstill();
        let mut gauges = EngineGauges {
            sequence: self.sequence(),
            holders: known.holders as u64,
            keys: known.keys as u64,
            open_holds: u64::try_from(known.open_holds).unwrap_or(u64::MAX),
            deficits: known.deficits as u64,
            queue_bytes: queue_bytes as u64,
            queue_bytes_max: queue_bytes_max as u64,
            condition: self.condition().name(),
            disk_stalled_seconds: disk.as_secs_f64(),
            applier_stalled_seconds: applier.as_secs_f64(),
            feed_lag_bytes_max: self.feed.lag_bytes_max(),
            consumers: self.consumer_gauges(),
            ..EngineGauges::default()
        };
        if let Some(stored) = &self.stored {
            let journal = stored.journal.size();
            gauges.segments = journal.segments;
            gauges.journal_bytes = journal.bytes;
            let covered = stored.covered.load(Ordering::Acquire);
            gauges.state_lag_events = gauges.sequence.saturating_sub(covered);
            gauges.state_lag_seconds = self.progress.backlog.lag().age().as_secs_f64();
        }
        gauges
    }

    fn consumer_gauges(&self) -> Vec<ConsumerGauges> {
        let reports = self.feed.consumers().into_iter();
        let gauges = reports.map(|report| ConsumerGauges {
            name: report.name,
            lag_events: report.lag_events,
            lag_bytes: report.lag_bytes,
            lag_seconds: report.lag_seconds,
            is_detached: report.is_detached,
        });
        gauges.collect()
    }

    /// Stops accepting events, waits until everything in the queue is acknowledged, flushes the state
    /// and releases the lock of the folder. Blocks; a second call waits for the first.
    pub fn close(&self) {
        self.progress.begin_closing();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(threads) = threads.take() else {
            return;
        };
        self.queue.close();
        self.rounds.close();
        if let BatchSink::Journal(writer) = self.queue.sink()
            && let WriterCondition::Poisoned(reason) = writer.condition()
        {
            self.progress.poison(&reason);
        }
        // If a thread has panicked, the engine is poisoned.
        let _ = threads.applier.join();
        self.progress.backlog.finish();
        if let Some(flusher) = threads.flusher {
            let _ = flusher.join();
        }
        self.feed.close();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

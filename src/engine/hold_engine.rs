//! Events in, acknowledged once they are durable and applied; answers out at any moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::admission::{Admission, Memory, Road};
use super::answer::{Cursor, HolderAnswer, Page, Question};
use super::applier::{Applier, Outcomes, Terms};
use super::clock::Clock;
use super::error::OpenError;
use super::flusher::Flusher;
use super::gate::Gate;
use super::options::{Durability, Options};
use super::progress::Progress;
use super::receipt::Pending;
use super::recovery::recover;
use super::submit_error::{Condition, SubmitError};
use super::validator::Validator;
use crate::aggregator::HoldAggregator;
use crate::core::{EventBatch, Micros};
use crate::journal::{self, FolderLock, Journal, Writer};
use crate::telemetry::metrics::Figures;

/// The service without a wire: shared by reference among all who serve it. Dropped, it is closed.
pub struct Engine {
    gate: Gate,
    clock: Arc<dyn Clock>,
    progress: Arc<Progress>,
    admission: Admission,
    /// Applier, and writer of the state where there is one.
    threads: Mutex<Option<Threads>>,
    stored: Option<Stored>,
}

struct Threads {
    applier: JoinHandle<()>,
    flusher: Option<JoinHandle<()>>,
    /// Given back when all others are gone.
    _lock: Option<FolderLock>,
}

/// What an engine with a folder has more.
struct Stored {
    journal: Arc<Journal>,
    /// Number of the last event that the state covers.
    covered: Arc<AtomicU64>,
}

impl Engine {
    /// Opens what is stored, or an empty store. Blocks until all of it is loaded.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        if options.store.ephemeral {
            return Self::in_memory(options, clock);
        }
        let recovered = recover(&options, &*clock)?;
        Self::over_journal(options, clock, recovered)
    }

    fn in_memory(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let Options {
            store,
            intake,
            retry_after,
            metrics,
            ..
        } = options;
        let progress = Arc::new(Progress::new(HoldAggregator::new(), 0, metrics));
        let terms = Terms {
            durability: Durability::Buffered,
            state_lag_bytes_max: u64::MAX,
        };
        let applier = Applier::start(Arc::clone(&progress), terms).map_err(OpenError::Thread)?;
        let road = Road::Memory(Mutex::new(Some(Memory {
            next: 1,
            batches: applier.batches,
        })));
        Ok(Self {
            admission: Admission::new(
                Arc::clone(&progress),
                road,
                store.queue_bytes_max,
                retry_after,
            ),
            gate: Gate::new(&intake),
            clock,
            progress,
            threads: Mutex::new(Some(Threads {
                applier: applier.thread,
                flusher: None,
                _lock: None,
            })),
            stored: None,
        })
    }

    fn over_journal(
        options: Options,
        clock: Arc<dyn Clock>,
        recovered: super::recovery::Recovered,
    ) -> Result<Self, OpenError> {
        let Options {
            store,
            intake,
            retry_after,
            metrics,
            ..
        } = options;
        let progress = Arc::new(Progress::new(
            recovered.aggregator,
            recovered.journal.last_sequence(),
            metrics,
        ));
        if recovered.replayed_bytes > 0 {
            let many = store.state_lag_bytes_max;
            progress.backlog.add(recovered.replayed_bytes, many);
        }
        let terms = Terms {
            durability: Durability::Durable,
            state_lag_bytes_max: store.state_lag_bytes_max,
        };
        let covered = Arc::new(AtomicU64::new(recovered.covered));
        let applier = Applier::start(Arc::clone(&progress), terms).map_err(OpenError::Thread)?;
        let outcomes = Outcomes {
            is_disk_full: false,
            progress: Arc::clone(&progress),
            batches: applier.batches,
            retry_after,
        };
        let writer = Writer::start(recovered.appender, outcomes);
        let road = Road::Journal(writer.map_err(OpenError::Thread)?);
        let flusher = Flusher {
            progress: Arc::clone(&progress),
            journal: Arc::clone(&recovered.journal),
            keeper: recovered.keeper,
            covered: Arc::clone(&covered),
            lag_bytes_max: store.state_lag_bytes_max,
            lag_max: store.state_lag_max,
        };
        let flusher = flusher.start().map_err(OpenError::Thread)?;
        Ok(Self {
            admission: Admission::new(
                Arc::clone(&progress),
                road,
                store.queue_bytes_max,
                retry_after,
            ),
            gate: Gate::new(&intake),
            clock,
            progress,
            threads: Mutex::new(Some(Threads {
                applier: applier.thread,
                flusher: Some(flusher),
                _lock: Some(recovered.lock),
            })),
            stored: Some(Stored {
                journal: recovered.journal,
                covered,
            }),
        })
    }

    /// Now, by the clock that bounds the future.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    /// Validates events by the bounds of this engine and its clock as it is now.
    #[must_use]
    pub fn validator(&self) -> Validator<'_> {
        Validator::new(&self.gate, self.now(), &self.progress.metrics)
    }

    /// What an acknowledgement will say.
    #[must_use]
    pub fn durability(&self) -> Durability {
        match self.stored {
            Some(_) => Durability::Durable,
            None => Durability::Buffered,
        }
    }

    /// Puts a batch, which must not be empty, in the queue; waits while that is full. Batches are
    /// numbered in the order in which they are admitted. Dropped before it is ready, it has sent
    /// nothing.
    pub async fn admit(&self, batch: EventBatch) -> Result<Pending, SubmitError> {
        self.admission.admit(batch).await
    }

    /// Whether events are taken.
    #[must_use]
    pub fn condition(&self) -> Condition {
        if let Some(reason) = self.progress.poisoned() {
            return Condition::Poisoned(reason);
        }
        if self.progress.is_closing() {
            return Condition::Closing;
        }
        match self.admission.road() {
            Road::Journal(writer) => match writer.condition() {
                journal::WriterCondition::Writing => Condition::Ready,
                journal::WriterCondition::DiskFull => Condition::DiskFull,
                journal::WriterCondition::Poisoned(reason) => Condition::Poisoned(reason),
            },
            Road::Memory(_) => Condition::Ready,
        }
    }

    /// Resolves with the reason once the journal has failed for good; never where it does not.
    pub async fn poisoned(&self) -> Arc<str> {
        let mut poisoning = self.progress.poisoning();
        loop {
            if let Some(reason) = &*poisoning.borrow_and_update() {
                return Arc::clone(reason);
            }
            if poisoning.changed().await.is_err() {
                // The engine itself holds the other end.
                std::future::pending::<()>().await;
            }
        }
    }

    /// All events up to this number are counted in every answer from now on.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.progress.sequence()
    }

    /// `size` holders in leaderboard order, the first ones or those behind `after`. Computes on
    /// several threads and blocks while it does.
    #[must_use]
    pub fn page(&self, question: &Question, after: Option<&Cursor>, size: usize) -> Page {
        let sequence = self.sequence();
        let ranking = self.progress.aggregator.ranking(
            question,
            after.map(|cursor| &cursor.last.holder),
            size,
        );
        let listed = after.map_or(0, |cursor| cursor.listed) + ranking.rows.len() as u64;
        let next = ranking
            .rows
            .last()
            .filter(|_| ranking.behind > 0)
            .map(|last| Cursor {
                last: last.clone(),
                listed,
            });
        Page {
            next,
            known: ranking.known,
            holders: ranking.rows,
            sequence,
        }
    }

    /// One holder with all that makes up its score; `None` where it was never seen. Blocks.
    #[must_use]
    pub fn holder(&self, holder_id: &str, question: &Question) -> Option<HolderAnswer> {
        let sequence = self.sequence();
        let view = self.progress.aggregator.explain(holder_id, question)?;
        Some(HolderAnswer {
            holder: view.row,
            keys: view.keys,
            sequence,
        })
    }

    /// What is looked up at each scrape of the metrics.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let known = self.progress.aggregator.figures();
        let (queue_bytes, queue_bytes_max) = self.admission.queue_bytes();
        let mut figures = Figures {
            sequence: self.sequence(),
            holders: known.holders as u64,
            keys: known.keys as u64,
            open_holds: u64::try_from(known.open_holds).unwrap_or(u64::MAX),
            queue_bytes: queue_bytes as u64,
            queue_bytes_max: queue_bytes_max as u64,
            condition: self.condition().name(),
            ..Figures::default()
        };
        if let Some(stored) = &self.stored {
            let journal = stored.journal.size();
            figures.segments = journal.segments;
            figures.journal_bytes = journal.bytes;
            let covered = stored.covered.load(Ordering::Acquire);
            figures.state_lag_events = figures.sequence.saturating_sub(covered);
            figures.state_lag_seconds = self.progress.backlog.lag().age().as_secs_f64();
        }
        figures
    }

    /// Takes nothing more, waits until all that was admitted is acknowledged, writes the state and
    /// gives the folder free. Blocks; a second call waits for the first.
    pub fn close(&self) {
        self.progress.begin_closing();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(threads) = threads.take() else {
            return;
        };
        self.admission.close();
        if let Road::Journal(writer) = self.admission.road()
            && let journal::WriterCondition::Poisoned(reason) = writer.condition()
        {
            self.progress.poison(&reason);
        }
        // A panic in one of them has poisoned, which is how it is told.
        let _ = threads.applier.join();
        self.progress.backlog.finish();
        if let Some(flusher) = threads.flusher {
            let _ = flusher.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

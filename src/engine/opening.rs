//! How an engine starts: empty in memory, or over the data folder that `recovery` has loaded.
//!
//! Starts its threads, in an order in which each has what it needs. What it answers later is in `hold_engine`.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use super::applier::{Applier, ApplierOptions, JournalResults};
use super::clock::Clock;
use super::error::OpenError;
use super::event_limits::EventLimits;
use super::event_queue::{BatchSink, EventQueue, MemorySink};
use super::feed::{Feed, StoredFeed};
use super::flusher::Flusher;
use super::gate::Gates;
use super::hold_engine::{Engine, Stored, Threads};
use super::listings::Listings;
use super::options::{Durability, Options};
use super::policies::Policies;
use super::progress::Progress;
use super::recovery::{Recovered, recover};
use super::rounds::Rounds;
use super::store_watch::{StoreWatch, Watched};
use crate::aggregator::HoldAggregator;
use crate::journal::{self, Writer};

impl Engine {
    /// Opens the store, or creates an empty one. Blocks until everything is loaded.
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
            rounds,
            questions,
            retry_after,
            recent_bytes_max,
            metrics,
            ..
        } = options;
        let progress = Progress::new(HoldAggregator::new(), 0, recent_bytes_max, metrics);
        let progress = Arc::new(progress);
        let applier_options = ApplierOptions {
            durability: Durability::Buffered,
            state_lag_bytes_max: u64::MAX,
        };
        let applier =
            Applier::start(Arc::clone(&progress), applier_options).map_err(OpenError::Thread)?;
        let sink = BatchSink::Memory(Mutex::new(Some(MemorySink {
            next: 1,
            batches: applier.batches,
        })));
        Ok(Self {
            queue: EventQueue::new(
                Arc::clone(&progress),
                sink,
                store.queue_bytes_max,
                retry_after,
            ),
            limits: EventLimits::new(&intake),
            gates: Gates::new(Arc::clone(&progress.metrics)),
            feed: Arc::new(Feed::new(Arc::clone(&progress), Arc::clone(&clock), None)),
            clock,
            progress,
            threads: Mutex::new(Some(Threads {
                applier: applier.thread,
                flusher: None,
                _watch: None,
            })),
            store: journal::random_store(&store.data_dir)?,
            stored: None,
            policies: Policies::default(),
            rounds: Rounds::in_memory(rounds.leaves_max),
            retry_after,
            stall_max: store.stall_max,
            listings: Listings::new(&questions),
        })
    }

    fn over_journal(
        options: Options,
        clock: Arc<dyn Clock>,
        recovered: Recovered,
    ) -> Result<Self, OpenError> {
        let Options {
            store,
            intake,
            questions,
            retry_after,
            recent_bytes_max,
            lag_bytes_max,
            metrics,
            ..
        } = options;
        let progress = Arc::new(Progress::new(
            recovered.aggregator,
            recovered.journal.last_sequence(),
            recent_bytes_max,
            metrics,
        ));
        if recovered.replayed_bytes > 0 {
            let bytes_max = store.state_lag_bytes_max;
            progress.backlog.add(recovered.replayed_bytes, bytes_max);
        }
        let applier_options = ApplierOptions {
            durability: Durability::Durable,
            state_lag_bytes_max: store.state_lag_bytes_max,
        };
        let covered = Arc::new(AtomicU64::new(recovered.covered));
        let applier =
            Applier::start(Arc::clone(&progress), applier_options).map_err(OpenError::Thread)?;
        let results = JournalResults {
            is_disk_full: false,
            progress: Arc::clone(&progress),
            batches: applier.batches,
            retry_after,
        };
        let writer = Writer::start(recovered.appender, results);
        let writer = writer.map_err(OpenError::Thread)?;
        let watched = Watched {
            progress: Arc::clone(&progress),
            journal: Arc::clone(&recovered.journal),
            lock: recovered.lock,
            files: vec![
                Arc::clone(recovered.state.open_files()),
                Arc::clone(recovered.cursor_file.open_files()),
            ],
            rounds: recovered.rounds.disk(),
            stop_writing: writer.poisoner(),
        };
        let watch = StoreWatch::start(watched).map_err(OpenError::Thread)?;
        let sink = BatchSink::Journal(writer);
        let stored = StoredFeed {
            journal: Arc::clone(&recovered.journal),
            file: recovered.cursor_file,
            contents: recovered.cursors,
            lag_bytes_max,
        };
        let feed = Feed::new(Arc::clone(&progress), Arc::clone(&clock), Some(stored));
        let feed = Arc::new(feed);
        let flusher = Flusher {
            progress: Arc::clone(&progress),
            feed: Arc::clone(&feed),
            journal: Arc::clone(&recovered.journal),
            state: recovered.state,
            covered: Arc::clone(&covered),
            lag_bytes_max: store.state_lag_bytes_max,
            lag_max: store.state_lag_max,
        };
        let flusher = flusher.start().map_err(OpenError::Thread)?;
        Ok(Self {
            queue: EventQueue::new(
                Arc::clone(&progress),
                sink,
                store.queue_bytes_max,
                retry_after,
            ),
            limits: EventLimits::new(&intake),
            gates: Gates::new(Arc::clone(&progress.metrics)),
            clock,
            feed,
            progress,
            threads: Mutex::new(Some(Threads {
                applier: applier.thread,
                flusher: Some(flusher),
                _watch: Some(watch),
            })),
            policies: Policies::default(),
            rounds: recovered.rounds,
            retry_after,
            stall_max: store.stall_max,
            store: recovered.journal.store(),
            listings: Listings::new(&questions),
            stored: Some(Stored {
                journal: recovered.journal,
                covered,
            }),
        })
    }
}

//! What the threads of an engine share: the aggregator, the number of the last applied event, whether
//! the engine failed, and how far the state lags behind.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use tokio::sync::watch;
use tracing::error;

use super::feed::Recent;
use super::submit_error::SubmitError;
use crate::aggregator::HoldAggregator;
use crate::journal::InHand;
use crate::telemetry::metrics::Metrics;

/// An answer is expected for so long after the last one.
const ASKED_MS: u64 = 1_000;

/// Shared by all threads of one engine.
pub(super) struct Progress {
    pub(super) aggregator: HoldAggregator,
    pub(super) metrics: Arc<Metrics>,
    pub(super) backlog: Backlog,
    /// Frames that are on disk and not applied yet.
    pub(super) applying: InHand,
    /// Looks at the files of the store.
    pub(super) looking: InHand,
    /// The last acknowledged frames.
    pub(super) recent: Recent,
    sequence: AtomicU64,
    /// Locked for writing while events are applied, and for reading while an answer is computed.
    state: RwLock<()>,
    began: Instant,
    /// When an answer was asked for last, in milliseconds after the beginning; 0 before the first one.
    asked_at_ms: AtomicU64,
    poison: watch::Sender<Option<Arc<str>>>,
    is_closing: AtomicBool,
}

impl Progress {
    /// `aggregator` contains all events up to `sequence`. Consumers find up to `recent_bytes_max` in memory.
    pub(super) fn new(
        aggregator: HoldAggregator,
        sequence: u64,
        recent_bytes_max: usize,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            aggregator,
            metrics,
            backlog: Backlog::default(),
            applying: InHand::default(),
            looking: InHand::default(),
            recent: Recent::new(recent_bytes_max, sequence),
            sequence: AtomicU64::new(sequence),
            state: RwLock::new(()),
            began: Instant::now(),
            asked_at_ms: AtomicU64::new(0),
            poison: watch::Sender::new(None),
            is_closing: AtomicBool::new(false),
        }
    }

    /// Number of the last applied event.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    /// Applies the events up to the number `last` as one: no answer contains only some of them.
    pub(super) fn apply<T>(&self, last: u64, record: impl FnOnce(&HoldAggregator) -> T) -> T {
        let _applying = self.state.write();
        let recorded = record(&self.aggregator);
        self.sequence.store(last, Ordering::Release);
        recorded
    }

    /// Computes an answer from the state in which exactly the events up to the number that `compute` gets are
    /// applied. Nothing is applied meanwhile, so `compute` must not wait for events, nor ask for another answer. A
    /// worker of rayon would do that: while it waits for parts of its answer, it takes up other work.
    pub(super) fn answer<T>(&self, compute: impl FnOnce(&HoldAggregator, u64) -> T) -> T {
        debug_assert!(
            rayon::current_thread_index().is_none(),
            "an answer on a worker of rayon"
        );
        self.asked_at_ms
            .store(self.age_ms().max(1), Ordering::Relaxed);
        let _reading = self.state.read();
        compute(&self.aggregator, self.sequence())
    }

    /// Whether an answer was asked for a short while ago, so that another one may be soon.
    pub(super) fn is_asked(&self) -> bool {
        let asked_at = self.asked_at_ms.load(Ordering::Relaxed);
        asked_at > 0 && self.age_ms().saturating_sub(asked_at) < ASKED_MS
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Stops all acknowledgements, for this reason unless there is an earlier one.
    pub(super) fn poison(&self, reason: &Arc<str>) {
        let is_first = self.poison.send_if_modified(|known| {
            let is_first = known.is_none();
            if is_first {
                *known = Some(Arc::clone(reason));
            }
            is_first
        });
        if is_first {
            error!(%reason, "The journal failed; no more events are accepted until a restart.");
        }
    }

    /// Why the engine failed, if it did.
    pub(super) fn poisoned(&self) -> Option<Arc<str>> {
        self.poison.borrow().clone()
    }

    /// Changes once the engine fails.
    pub(super) fn poisoning(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.poison.subscribe()
    }

    /// Stops accepting events.
    pub(super) fn begin_closing(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        self.recent.wake();
    }

    /// Whether [`Self::begin_closing`] was called.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::SeqCst)
    }

    /// The error for events that arrive after a failure or while the engine is closed.
    pub(super) fn refusal(&self) -> SubmitError {
        self.poisoned()
            .map_or(SubmitError::Closing, |reason| SubmitError::Poisoned {
                reason,
            })
    }
}

/// Poisons the engine if the thread that owns it panics, so that nobody waits for that thread.
pub(super) struct PoisonOnPanic {
    pub(super) progress: Arc<Progress>,
    /// The thread, as in "the applier".
    pub(super) name: &'static str,
}

impl Drop for PoisonOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.progress
                .poison(&format!("{} has panicked", self.name).into());
        }
    }
}

/// How far the state lags behind, with a condition variable that wakes the flusher.
#[derive(Default)]
pub(super) struct Backlog {
    lag: Mutex<Lag>,
    changed: Condvar,
}

/// The applied events that the state does not cover yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lag {
    /// Their bytes in the journal.
    pub(super) bytes: u64,
    /// When the oldest one was applied.
    pub(super) since: Option<Instant>,
    /// Whether the engine is being closed, so that no more will come.
    pub(super) is_over: bool,
}

impl Lag {
    /// Time since the oldest one was applied.
    pub(super) fn age(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Backlog {
    /// Adds applied bytes; wakes the flusher once there are `bytes_max`.
    pub(super) fn add(&self, bytes: u64, bytes_max: u64) {
        let mut lag = self.lock();
        lag.bytes += bytes;
        lag.since.get_or_insert_with(Instant::now);
        if lag.bytes >= bytes_max {
            self.changed.notify_all();
        }
    }

    /// The current lag.
    pub(super) fn lag(&self) -> Lag {
        *self.lock()
    }

    /// Resets the lag, because the flusher begins to cover everything applied so far; returns what it was.
    pub(super) fn take(&self) -> Lag {
        let mut lag = self.lock();
        let taken = *lag;
        (lag.bytes, lag.since) = (0, None);
        taken
    }

    /// Restores a lag that was taken, after the flusher failed to cover it.
    pub(super) fn put_back(&self, taken: Lag) {
        let mut lag = self.lock();
        lag.bytes += taken.bytes;
        lag.since = taken.since.or(lag.since);
    }

    /// Ends the waiting of the flusher for good.
    pub(super) fn finish(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Blocks until there may be something to do, unless `is_due` already: until the lag is large, until
    /// [`Self::finish`], or for as long as `wait`.
    pub(super) fn wait(&self, wait: Duration, is_due: impl Fn(&Lag) -> bool) -> Lag {
        let lag = self.lock();
        if lag.is_over || is_due(&lag) {
            return *lag;
        }
        let waited = self.changed.wait_timeout(lag, wait);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, Lag> {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

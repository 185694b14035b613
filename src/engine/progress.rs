//! What the threads of an engine share: the aggregator, how far it is, and whether anything failed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::error;

use super::submit_error::SubmitError;
use crate::aggregator::HoldAggregator;
use crate::telemetry::metrics::Metrics;

/// Shared by all threads of one engine.
pub(super) struct Progress {
    pub(super) aggregator: HoldAggregator,
    pub(super) metrics: Arc<Metrics>,
    pub(super) backlog: Backlog,
    sequence: AtomicU64,
    poison: watch::Sender<Option<Arc<str>>>,
    is_closing: AtomicBool,
}

impl Progress {
    /// `aggregator` knows all events up to `sequence`; nothing is wrong.
    pub(super) fn new(aggregator: HoldAggregator, sequence: u64, metrics: Arc<Metrics>) -> Self {
        Self {
            aggregator,
            metrics,
            backlog: Backlog::default(),
            sequence: AtomicU64::new(sequence),
            poison: watch::Sender::new(None),
            is_closing: AtomicBool::new(false),
        }
    }

    /// Number of the last event that is applied.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    /// All events up to this number are applied.
    pub(super) fn advance(&self, sequence: u64) {
        self.sequence.store(sequence, Ordering::Release);
    }

    /// Nothing is acknowledged any more. The first reason stays.
    pub(super) fn poison(&self, reason: &Arc<str>) {
        let is_first = self.poison.send_if_modified(|known| {
            let is_first = known.is_none();
            if is_first {
                *known = Some(Arc::clone(reason));
            }
            is_first
        });
        if is_first {
            error!(%reason, "The journal failed; nothing more is taken until a new start.");
        }
    }

    /// Why nothing is acknowledged any more.
    pub(super) fn poisoned(&self) -> Option<Arc<str>> {
        self.poison.borrow().clone()
    }

    /// Changes once something fails for good.
    pub(super) fn poisoning(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.poison.subscribe()
    }

    /// Takes nothing more.
    pub(super) fn begin_closing(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
    }

    /// Whether nothing more is taken.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::SeqCst)
    }

    /// Why events are refused by an engine that works no longer.
    pub(super) fn refusal(&self) -> SubmitError {
        self.poisoned()
            .map_or(SubmitError::Closing, |reason| SubmitError::Poisoned {
                reason,
            })
    }
}

/// Poisons the engine where the thread that holds it panics, so that nobody waits for that thread.
pub(super) struct Alarm {
    pub(super) progress: Arc<Progress>,
    /// Which thread, as in "the applier".
    pub(super) name: &'static str,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.progress
                .poison(&format!("{} has panicked", self.name).into());
        }
    }
}

/// What the state does not cover yet, and the bell that wakes who writes it.
#[derive(Default)]
pub(super) struct Backlog {
    lag: Mutex<Lag>,
    bell: Condvar,
}

/// What the state does not cover yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lag {
    /// Bytes of the journal.
    pub(super) bytes: u64,
    /// When the oldest of it was applied.
    pub(super) since: Option<Instant>,
    /// No more will come.
    pub(super) is_over: bool,
}

impl Lag {
    /// How old the oldest of it is.
    pub(super) fn age(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Backlog {
    /// Adds applied bytes; wakes the writer of the state where they are many.
    pub(super) fn add(&self, bytes: u64, many: u64) {
        let mut lag = self.lock();
        lag.bytes += bytes;
        lag.since.get_or_insert_with(Instant::now);
        if lag.bytes >= many {
            self.bell.notify_all();
        }
    }

    /// What is not covered now.
    pub(super) fn lag(&self) -> Lag {
        *self.lock()
    }

    /// Begins to cover all that is applied so far; gives back what that was.
    pub(super) fn take(&self) -> Lag {
        let mut lag = self.lock();
        let taken = *lag;
        (lag.bytes, lag.since) = (0, None);
        taken
    }

    /// Puts back what was taken and could not be covered.
    pub(super) fn put_back(&self, taken: Lag) {
        let mut lag = self.lock();
        lag.bytes += taken.bytes;
        lag.since = taken.since.or(lag.since);
    }

    /// Says that no more will come.
    pub(super) fn finish(&self) {
        self.lock().is_over = true;
        self.bell.notify_all();
    }

    /// Waits until `is_due` or the end, looking again after `wait` at the latest.
    pub(super) fn wait(&self, wait: Duration, is_due: impl Fn(&Lag) -> bool) -> Lag {
        let mut lag = self.lock();
        while !lag.is_over && !is_due(&lag) {
            let waited = self.bell.wait_timeout(lag, wait);
            lag = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *lag
    }

    fn lock(&self) -> MutexGuard<'_, Lag> {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

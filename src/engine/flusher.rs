//! The thread that writes the state behind, and then removes the segments that it covers.
//!
//! A failure only lets the state lag: the journal keeps what it does not cover, and the next attempt
//! begins with the same keys.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{debug, error, warn};

use super::error::OpenError;
use super::progress::{Alarm, Lag, Progress};
use super::round::Round;
use super::state_keeper::StateKeeper;
use crate::core::key::PARTS;
use crate::error_line::error_line;
use crate::journal::Journal;

/// Bytes of entries that go into one transaction.
const ROUND_BYTES: usize = 32 << 20;
/// Holders that are copied under one lock.
const HOLDERS_AT_ONCE: usize = 64;
/// At the end a larger backlog stays in the journal: a new start replays it sooner than this thread
/// could write it before the process must be gone.
const LAST_BYTES_MAX: u64 = 16 << 20;

/// Writes the state of one engine.
pub(super) struct Flusher {
    pub(super) progress: Arc<Progress>,
    pub(super) journal: Arc<Journal>,
    pub(super) keeper: StateKeeper,
    /// Number of the last event that the state covers.
    pub(super) covered: Arc<AtomicU64>,
    /// See [`crate::config::Store::state_lag_bytes_max`].
    pub(super) lag_bytes_max: u64,
    /// See [`crate::config::Store::state_lag_max`].
    pub(super) lag_max: Duration,
}

/// Why the state was not written.
enum Unwritten {
    /// The engine is being closed.
    Closing,
    Failed(OpenError),
}

impl Flusher {
    /// Starts the thread; it ends once the backlog is finished.
    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        thread::Builder::new()
            .name("state-flusher".into())
            .spawn(move || self.run())
    }

    fn run(mut self) {
        let _alarm = Alarm {
            progress: Arc::clone(&self.progress),
            name: "the writer of the state",
        };
        let look_again = (self.lag_max / 4).clamp(Duration::from_millis(5), Duration::from_secs(1));
        let mut not_before = Instant::now();
        loop {
            let is_due = |lag: &Lag| {
                Instant::now() >= not_before
                    && (lag.bytes >= self.lag_bytes_max || lag.age() >= self.lag_max)
            };
            let lag = self
                .progress
                .backlog
                .wait(look_again, |lag| lag.since.is_some() && is_due(lag));
            if lag.is_over {
                break;
            }
            if self.flush(false).is_err() {
                not_before = Instant::now() + self.lag_max;
            }
        }
        let lag = self.progress.backlog.lag();
        let is_small = lag.since.is_some() && lag.bytes <= LAST_BYTES_MAX;
        if is_small && self.progress.poisoned().is_none() {
            let _ = self.flush(true);
        }
    }

    /// Covers all that is applied by now.
    fn flush(&mut self, is_last: bool) -> Result<(), ()> {
        let started = Instant::now();
        let taken = self.progress.backlog.take();
        // Before any key is looked at: what the entries know beyond it does no harm.
        let sequence = self.progress.sequence();
        let metrics = Arc::clone(&self.progress.metrics);
        match self.write(sequence, is_last) {
            Ok(entries) => {
                self.covered.store(sequence, Ordering::Release);
                metrics.state_flush.observe(started.elapsed().as_secs_f64());
                debug!(sequence, entries, "Wrote the state.");
            }
            Err(Unwritten::Closing) => {
                self.progress.backlog.put_back(taken);
                return Err(());
            }
            Err(Unwritten::Failed(error)) => {
                self.progress.backlog.put_back(taken);
                metrics.state_flush_failures.inc();
                error!(error = %error_line(&error), "The state was not written; the journal keeps what it lacks.");
                return Err(());
            }
        }
        if let Err(error) = self.journal.delete_covered(sequence) {
            warn!(error = %error_line(&error), "Segments that the state covers were not removed.");
        }
        Ok(())
    }

    fn write(&mut self, sequence: u64, is_last: bool) -> Result<u64, Unwritten> {
        let mut round = Round::default();
        let mut entries = 0;
        for part in 0..PARTS {
            let mut is_all = false;
            while !is_all {
                let aggregator = &self.progress.aggregator;
                is_all =
                    aggregator.take_changed(part, HOLDERS_AT_ONCE, |holder| round.push(holder));
                if round.bytes() >= ROUND_BYTES {
                    entries += self.write_round(&mut round, None)?;
                    if !is_last && self.progress.backlog.lag().is_over {
                        return Err(Unwritten::Closing);
                    }
                }
            }
        }
        Ok(entries + self.write_round(&mut round, Some(sequence))?)
    }

    fn write_round(&mut self, round: &mut Round, applied: Option<u64>) -> Result<u64, Unwritten> {
        let written = self.keeper.write(round.entries(), applied);
        if let Err(error) = written {
            let aggregator = &self.progress.aggregator;
            for entry in round.entries() {
                for (token_id, _) in entry.keys() {
                    aggregator.mark_changed(entry.holder_id, token_id);
                }
            }
            return Err(Unwritten::Failed(error));
        }
        let entries = round.len();
        round.clear();
        Ok(entries)
    }
}

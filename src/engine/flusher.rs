//! The thread that writes the state in the background, and then removes the journal segments that it
//! covers and that no consumer of the feed needs.
//!
//! After a failure the state only lags behind: the journal keeps the events that it does not cover, and
//! the next attempt writes the same keys.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{debug, error, warn};

use super::entry_batch::EntryBatch;
use super::error::OpenError;
use super::feed::Feed;
use super::progress::{Lag, PoisonOnPanic, Progress};
use super::state_file::StateFile;
use crate::core::key::PARTS;
use crate::error_line::error_line;
use crate::journal::Journal;

/// Bytes of entries in one transaction.
const TRANSACTION_BYTES: usize = 32 << 20;
/// Holders that are copied while a lock is held.
const HOLDERS_AT_ONCE: usize = 64;
/// When the engine is closed, a larger lag stays in the journal: a restart replays it faster than this
/// thread could write it before the process must end.
const LAST_BYTES_MAX: u64 = 16 << 20;

/// Writes the state of an engine.
pub(super) struct Flusher {
    pub(super) progress: Arc<Progress>,
    pub(super) journal: Arc<Journal>,
    pub(super) state: StateFile,
    /// Its consumers keep the journal, too.
    pub(super) feed: Arc<Feed>,
    /// Number of the last event that the state covers.
    pub(super) covered: Arc<AtomicU64>,
    /// See [`crate::config::Store::state_lag_bytes_max`].
    pub(super) lag_bytes_max: u64,
    /// See [`crate::config::Store::state_lag_max`].
    pub(super) lag_max: Duration,
}

/// Why the state was not written.
enum FlushError {
    /// The engine is being closed.
    Closing,
    /// The write failed.
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
        let _guard = PoisonOnPanic {
            progress: Arc::clone(&self.progress),
            name: "the flusher",
        };
        let check_again_after =
            (self.lag_max / 4).clamp(Duration::from_millis(5), Duration::from_secs(1));
        let mut not_before = Instant::now();
        loop {
            let is_due = |lag: &Lag| {
                Instant::now() >= not_before
                    && lag.since.is_some()
                    && (lag.bytes >= self.lag_bytes_max || lag.age() >= self.lag_max)
            };
            let lag = self.progress.backlog.wait(check_again_after, is_due);
            if lag.is_over {
                break;
            }
            let is_done = if is_due(&lag) {
                self.flush(false)
            } else if Instant::now() >= not_before && self.has_passed_segments() {
                self.remove_segments(self.covered.load(Ordering::Acquire))
            } else {
                continue;
            };
            if is_done.is_err() {
                not_before = Instant::now() + self.lag_max;
            }
        }
        let lag = self.progress.backlog.lag();
        let is_small = lag.since.is_some() && lag.bytes <= LAST_BYTES_MAX;
        if is_small && self.progress.poisoned().is_none() {
            let _ = self.flush(true);
        }
    }

    /// Writes everything that is applied so far.
    fn flush(&mut self, is_last: bool) -> Result<(), ()> {
        let started = Instant::now();
        let taken = self.progress.backlog.take();
        // Read before any key is copied. The entries may contain later events, which does no harm.
        let sequence = self.progress.sequence();
        let metrics = Arc::clone(&self.progress.metrics);
        match self.write(sequence, is_last) {
            Ok(entries) => {
                self.covered.store(sequence, Ordering::Release);
                metrics.state_flush.observe(started.elapsed().as_secs_f64());
                debug!(sequence, entries, "Wrote the state.");
            }
            Err(FlushError::Closing) => {
                self.progress.backlog.put_back(taken);
                return Err(());
            }
            Err(FlushError::Failed(error)) => {
                self.progress.backlog.put_back(taken);
                metrics.state_flush_failures.inc();
                error!(error = %error_line(&error), "The state was not written; the journal keeps the events that it does not cover.");
                return Err(());
            }
        }
        // A failure is logged; the state is written all the same.
        let _ = self.remove_segments(sequence);
        Ok(())
    }

    /// Whether there are segments that state and consumers have passed. A consumer that has caught up frees some
    /// although nothing is to be written.
    fn has_passed_segments(&self) -> bool {
        let passed = self.feed.passed(self.covered.load(Ordering::Acquire));
        self.journal.covered_bytes(passed) > 0
    }

    /// Removes the segments that a state of the events up to `covered` and the consumers have passed. The files of
    /// the store must be those that a start will find: a state that nobody finds covers nothing.
    fn remove_segments(&self, covered: u64) -> Result<(), ()> {
        let is_in_place =
            self.progress.poisoned().is_none() && self.state.open_files().check_place().is_ok();
        if !is_in_place {
            return Err(());
        }
        let passed = self.feed.keep_after(covered);
        self.journal.delete_covered(passed).map(drop).map_err(|error| {
            warn!(error = %error_line(&error), "Journal segments that the state covers were not removed.");
        })
    }

    fn write(&mut self, sequence: u64, is_last: bool) -> Result<u64, FlushError> {
        let mut batch = EntryBatch::default();
        let mut entries = 0;
        for part in 0..PARTS {
            let mut is_all = false;
            while !is_all {
                let aggregator = &self.progress.aggregator;
                is_all =
                    aggregator.take_changed(part, HOLDERS_AT_ONCE, |holder| batch.push(holder));
                batch.copy_large(aggregator);
                if batch.bytes() >= TRANSACTION_BYTES {
                    entries += self.write_batch(&mut batch, None)?;
                    if !is_last && self.progress.backlog.lag().is_over {
                        return Err(FlushError::Closing);
                    }
                }
            }
        }
        Ok(entries + self.write_batch(&mut batch, Some(sequence))?)
    }

    fn write_batch(
        &mut self,
        batch: &mut EntryBatch,
        applied: Option<u64>,
    ) -> Result<u64, FlushError> {
        let written = self.state.write(batch.entries(), applied);
        if let Err(error) = written {
            let aggregator = &self.progress.aggregator;
            for entry in batch.entries() {
                for (token_id, _) in entry.keys() {
                    aggregator.mark_changed(entry.holder_id, token_id);
                }
            }
            return Err(FlushError::Failed(error));
        }
        let entries = batch.len();
        batch.clear();
        Ok(entries)
    }
}

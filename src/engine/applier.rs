//! The thread that applies what is durable, in the order of its numbers, and acknowledges it.
//!
//! It decodes the very bytes that were written, as a new start would. Applying never fails: what
//! does not decode is a broken promise of ours, and poisons.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use tracing::{info, warn};

use super::options::Durability;
use super::progress::{Alarm, Progress};
use super::receipt::{Receipt, Ticket};
use super::submit_error::SubmitError;
use crate::core::{Event, encoding};
use crate::journal::{CommitHandler, CommittedFrame, Submission, WriteError};

/// Batches whose numbers are given and whose bytes are as durable as they will be.
pub(super) struct Numbered {
    pub(super) first: u64,
    pub(super) submissions: Vec<Submission<Ticket>>,
    /// Bytes of the journal that hold them.
    pub(super) journal_bytes: u64,
}

/// The applier as its owner sees it.
pub(super) struct Applier {
    /// Ends once all senders of batches are gone.
    pub(super) thread: JoinHandle<()>,
    /// The way in. What waits there is bounded by the permits that its tickets hold.
    pub(super) batches: Sender<Numbered>,
}

/// What every acknowledgement of an engine has in common.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) durability: Durability,
    /// See [`crate::config::Store::state_lag_bytes_max`].
    pub(super) state_lag_bytes_max: u64,
}

impl Applier {
    /// Starts the thread.
    pub(super) fn start(progress: Arc<Progress>, terms: Terms) -> io::Result<Self> {
        let (batches, waiting) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("applier".into())
            .spawn(move || run(&progress, terms, &waiting))?;
        Ok(Self { thread, batches })
    }
}

fn run(progress: &Arc<Progress>, terms: Terms, waiting: &Receiver<Numbered>) {
    let _alarm = Alarm {
        progress: Arc::clone(progress),
        name: "the applier",
    };
    for Numbered {
        first,
        submissions,
        journal_bytes,
    } in waiting
    {
        let counts = submissions
            .iter()
            .map(|submission| submission.batch.count());
        let count: u64 = counts.map(u64::from).sum();
        // Growing would copy most events once, into fresh memory.
        let mut events = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        for submission in &submissions {
            decode(submission.batch.bytes(), &mut events);
        }
        let repeated = progress.aggregator.record_events(&events);
        drop(events);
        progress
            .backlog
            .add(journal_bytes, terms.state_lag_bytes_max);
        progress.advance(first + count - 1);
        progress.metrics.events_accepted.inc_by(count);
        progress.metrics.events_duplicate.inc_by(repeated);
        let mut next = first;
        for Submission { batch, tag } in submissions {
            let receipt = Receipt {
                first: next,
                last: next + u64::from(batch.count()) - 1,
                durability: terms.durability,
            };
            next = receipt.last + 1;
            let ack_latency = &progress.metrics.ack_latency;
            ack_latency.observe(tag.age().as_secs_f64());
            tag.complete(Ok(receipt));
        }
    }
}

/// Adds the events in `bytes` to `events`.
///
/// # Panics
/// Where they are none: their checksum was right, so we have written them so.
pub(super) fn decode<'a>(bytes: &'a [u8], events: &mut Vec<Event<'a>>) {
    events.extend(
        encoding::events(bytes).map(|event| event.expect("what was written decodes to events")),
    );
}

/// What the journal's writer hands its outcomes to.
pub(super) struct Outcomes {
    pub(super) progress: Arc<Progress>,
    pub(super) batches: Sender<Numbered>,
    pub(super) retry_after: std::time::Duration,
    /// The last write met a full disk. It is logged when that changes, not for each batch.
    pub(super) is_disk_full: bool,
}

impl CommitHandler<Ticket> for Outcomes {
    fn committed(&mut self, frame: CommittedFrame<Ticket>) {
        if std::mem::take(&mut self.is_disk_full) {
            info!("There is room on the disk again: events are taken.");
        }
        let metrics = &self.progress.metrics;
        metrics.journal_fsync.observe(frame.sync.as_secs_f64());
        metrics.journal_appended_bytes.inc_by(frame.bytes);
        // Fails only where the applier has panicked, which has poisoned; the tickets say so.
        let _ = self.batches.send(Numbered {
            first: frame.first,
            submissions: frame.submissions,
            journal_bytes: frame.bytes,
        });
    }

    fn failed(&mut self, submissions: Vec<Submission<Ticket>>, reason: &WriteError) {
        if let WriteError::Poisoned(reason) = reason {
            self.progress.poison(reason);
        }
        if *reason == WriteError::DiskFull && !std::mem::replace(&mut self.is_disk_full, true) {
            warn!("The disk is full: events are refused until there is room for a segment.");
        }
        for submission in submissions {
            let error = refusal(&self.progress, reason, self.retry_after);
            submission.tag.complete(Err(error));
        }
    }
}

impl Drop for Outcomes {
    fn drop(&mut self) {
        if thread::panicking() {
            self.progress
                .poison(&"the journal's writer has panicked".into());
        }
    }
}

/// The error for the sender of a batch that the journal did not write.
pub(super) fn refusal(
    progress: &Progress,
    reason: &WriteError,
    retry_after: std::time::Duration,
) -> SubmitError {
    match reason {
        WriteError::DiskFull => SubmitError::DiskFull { retry_after },
        WriteError::NoDescriptors => SubmitError::NoDescriptors { retry_after },
        WriteError::Poisoned(reason) => SubmitError::Poisoned {
            reason: Arc::clone(reason),
        },
        WriteError::Closed => progress.refusal(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;
    use crate::aggregator::HoldAggregator;
    use crate::telemetry::metrics::Metrics;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_logged_once_when_it_begins_and_once_when_it_ends() {
        let metrics = Arc::new(Metrics::new("", ""));
        let (batches, _waiting) = mpsc::channel();
        let mut outcomes = Outcomes {
            progress: Arc::new(Progress::new(HoldAggregator::new(), 0, metrics)),
            batches,
            retry_after: Duration::ZERO,
            is_disk_full: false,
        };
        let committed = || CommittedFrame {
            first: 1,
            submissions: Vec::new(),
            bytes: 0,
            sync: Duration::ZERO,
        };
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
        tracing::subscriber::with_default(subscriber.finish(), || {
            for _ in 0..2 {
                outcomes.committed(committed());
                outcomes.failed(Vec::new(), &WriteError::DiskFull);
                outcomes.failed(Vec::new(), &WriteError::DiskFull);
                outcomes.committed(committed());
            }
        });
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let count = |words| log.matches(words).count();
        assert_eq!((count("WARN"), count("INFO")), (2, 2), "{log}");
    }
}

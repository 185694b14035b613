//! The thread that applies durable events in the order of their numbers and acknowledges them.
//!
//! It decodes the bytes that were written, as a restart would. Applying never fails; bytes that cannot
//! be decoded are a bug, and poison the engine.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use tracing::{info, warn};

use super::feed::Frame;
use super::options::Durability;
use super::progress::{PoisonOnPanic, Progress};
use super::receipt::{AckSender, Receipt};
use super::submit_error::SubmitError;
use crate::core::{Event, encoding};
use crate::journal::{CommitHandler, CommittedFrame, Submission, WriteError};

/// How many events are taken in hand together, unless a single batch has more.
struct Portion {
    /// They are decoded together.
    decoded: u64,
    /// Of those, they are applied as one: a question waits until they are.
    applied: u64,
    /// Whether their holders are looked for before questions have to wait.
    finds_holders_first: bool,
}

impl Portion {
    const LARGE: Self = Self {
        decoded: 16_384,
        applied: 16_384,
        finds_holders_first: false,
    };
    /// What is read of so many keys beforehand stays in the cache of a core until they are changed.
    const WHILE_ASKED: Self = Self {
        decoded: 2_048,
        applied: 256,
        finds_holders_first: true,
    };

    fn of(progress: &Progress) -> Self {
        if progress.is_asked() {
            Self::WHILE_ASKED
        } else {
            Self::LARGE
        }
    }
}

/// Batches that have numbers and, if the engine has a journal, are durable.
pub(super) struct SequencedBatches {
    /// Number of the first event.
    pub(super) first: u64,
    pub(super) submissions: Vec<Submission<AckSender>>,
    /// Their bytes in the journal.
    pub(super) journal_bytes: u64,
}

/// The handle of the thread.
pub(super) struct Applier {
    /// Ends once all clones of `batches` are dropped.
    pub(super) thread: JoinHandle<()>,
    /// What is waiting in this channel is bounded by the permits in the submissions.
    pub(super) batches: Sender<SequencedBatches>,
}

/// What the applier needs to know of the options.
#[derive(Clone, Copy)]
pub(super) struct ApplierOptions {
    /// Part of every acknowledgement.
    pub(super) durability: Durability,
    /// See [`crate::config::Store::state_lag_bytes_max`].
    pub(super) state_lag_bytes_max: u64,
}

impl Applier {
    /// Starts the thread.
    pub(super) fn start(progress: Arc<Progress>, options: ApplierOptions) -> io::Result<Self> {
        let (batches, waiting) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("applier".into())
            .spawn(move || run(&progress, options, &waiting))?;
        Ok(Self { thread, batches })
    }
}

fn run(progress: &Arc<Progress>, options: ApplierOptions, waiting: &Receiver<SequencedBatches>) {
    let _guard = PoisonOnPanic {
        progress: Arc::clone(progress),
        name: "the applier",
    };
    for SequencedBatches {
        first,
        submissions,
        journal_bytes,
    } in waiting
    {
        let count: u64 = submissions.iter().map(events_of).sum();
        let mut repeated = 0;
        let mut last = first - 1;
        let mut rest = &submissions[..];
        while !rest.is_empty() {
            let portion = Portion::of(progress);
            let (together, after) = rest.split_at(batches_within(rest, portion.decoded));
            rest = after;
            repeated += apply(progress, together, &portion, &mut last);
        }
        progress
            .backlog
            .add(journal_bytes, options.state_lag_bytes_max);
        progress.metrics.events_accepted.inc_by(count);
        progress.metrics.events_duplicate.inc_by(repeated);
        let mut next = first;
        let mut batches = Vec::with_capacity(submissions.len());
        for Submission { batch, tag } in submissions {
            let receipt = Receipt {
                first: next,
                last: next + u64::from(batch.count()) - 1,
                durability: options.durability,
            };
            next = receipt.last + 1;
            let ack_latency = &progress.metrics.ack_latency;
            ack_latency.observe(tag.age().as_secs_f64());
            tag.complete(Ok(receipt));
            batches.push(batch);
        }
        progress.recent.push(Frame::new(first, batches));
        progress.applying.finish();
    }
}

/// Applies some batches behind the event of the number `last`; returns how many events changed nothing.
fn apply(
    progress: &Progress,
    batches: &[Submission<AckSender>],
    portion: &Portion,
    last: &mut u64,
) -> u64 {
    let count: u64 = batches.iter().map(events_of).sum();
    // Allocated once, because growing would copy most events into fresh memory.
    let mut events = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    for submission in batches {
        decode(submission.batch.bytes(), &mut events);
    }
    let mut placed = progress.aggregator.place(&events);
    if portion.finds_holders_first {
        progress.aggregator.find_holders(&mut placed);
    }
    let (mut repeated, mut begin) = (0, 0);
    let mut rest = batches;
    while !rest.is_empty() {
        let (together, after) = rest.split_at(batches_within(rest, portion.applied));
        rest = after;
        let count: u64 = together.iter().map(events_of).sum();
        *last += count;
        let end = begin + usize::try_from(count).unwrap_or(usize::MAX);
        let range = std::mem::replace(&mut begin, end)..end;
        repeated += progress.apply(*last, |aggregator| aggregator.record_placed(&placed, range));
    }
    repeated
}

fn events_of(submission: &Submission<AckSender>) -> u64 {
    submission.batch.count().into()
}

/// The number of batches at the beginning that have so many events together, and at least the first one.
fn batches_within(submissions: &[Submission<AckSender>], events_max: u64) -> usize {
    let mut events = 0;
    let fits = |submission: &&Submission<AckSender>| {
        events += events_of(submission);
        events <= events_max
    };
    submissions.iter().take_while(fits).count().max(1)
}

/// Decodes the events in `bytes` and appends them to `events`.
///
/// # Panics
/// If `bytes` are not encoded events: their checksum was right, so this program wrote them.
pub(super) fn decode<'a>(bytes: &'a [u8], events: &mut Vec<Event<'a>>) {
    events.extend(
        encoding::events(bytes)
            .map(|event| event.expect("bytes with the right checksum are events")),
    );
}

/// Passes the results of the journal's writer on: to the applier or to the sender of the batch.
pub(super) struct JournalResults {
    pub(super) progress: Arc<Progress>,
    pub(super) batches: Sender<SequencedBatches>,
    pub(super) retry_after: std::time::Duration,
    /// Whether the last write failed because the disk is full. Logged when it changes, not for each batch.
    pub(super) is_disk_full: bool,
}

impl CommitHandler<AckSender> for JournalResults {
    fn committed(&mut self, frame: CommittedFrame<AckSender>) {
        if std::mem::take(&mut self.is_disk_full) {
            info!("The disk has space again; events are accepted.");
        }
        let metrics = &self.progress.metrics;
        metrics.journal_fsync.observe(frame.sync.as_secs_f64());
        metrics.journal_appended_bytes.inc_by(frame.bytes);
        self.progress.applying.begin();
        // Fails only if the applier has panicked, which poisons the engine and fails the submissions.
        let _ = self.batches.send(SequencedBatches {
            first: frame.first,
            submissions: frame.submissions,
            journal_bytes: frame.bytes,
        });
    }

    fn failed(&mut self, submissions: Vec<Submission<AckSender>>, reason: &WriteError) {
        if let WriteError::Poisoned(reason) = reason {
            self.progress.poison(reason);
        }
        if *reason == WriteError::DiskFull && !std::mem::replace(&mut self.is_disk_full, true) {
            warn!("The disk is full; events are refused until there is space for a segment.");
        }
        for submission in submissions {
            let error = refusal(&self.progress, reason, self.retry_after);
            submission.tag.complete(Err(error));
        }
    }
}

impl Drop for JournalResults {
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
    use crate::core::{Draft, EventBatch, Micros};
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

    fn of_one_event() -> EventBatch {
        let draft = Draft {
            token_id: "T",
            holder_id: "h",
            start: Micros::new(0).ok(),
            ..Draft::default()
        };
        let mut batch = EventBatch::default();
        batch.push(&draft.check().unwrap());
        batch
    }

    #[test]
    fn frames_that_are_not_applied_are_seen_to_stand_until_they_are() {
        let metrics = Arc::new(Metrics::new("", ""));
        let progress = Arc::new(Progress::new(HoldAggregator::new(), 0, 0, metrics));
        let options = ApplierOptions {
            durability: Durability::Durable,
            state_lag_bytes_max: u64::MAX,
        };
        let applier = Applier::start(Arc::clone(&progress), options).unwrap();
        let mut results = JournalResults {
            progress: Arc::clone(&progress),
            batches: applier.batches,
            retry_after: Duration::ZERO,
            is_disk_full: false,
        };
        let stands = || progress.applying.stands_for() > Duration::from_millis(20);
        let permits = Arc::new(tokio::sync::Semaphore::new(1));
        // An answer that is being computed holds the events up.
        progress.answer(|_, _| {
            let permit = Arc::clone(&permits).try_acquire_owned().unwrap();
            let (tag, _pending) = AckSender::new(permit, Arc::clone(&progress));
            results.committed(CommittedFrame {
                first: 1,
                submissions: vec![Submission {
                    batch: of_one_event(),
                    tag,
                }],
                bytes: 512,
                sync: Duration::ZERO,
            });
            while !stands() {
                thread::yield_now();
            }
        });
        drop(results);
        applier.thread.join().unwrap();
        assert_eq!(progress.applying.stands_for(), Duration::ZERO);
        assert_eq!(progress.sequence(), 1);
    }

    /// A question beside full load once waited until 16,384 events were applied.
    #[test]
    fn fewer_events_are_applied_as_one_while_questions_are_asked() {
        let metrics = Arc::new(Metrics::new("", ""));
        let progress = Progress::new(HoldAggregator::new(), 0, 0, metrics);
        assert_eq!(Portion::of(&progress).applied, 16_384);
        progress.answer(|_, _| {});
        assert_eq!(Portion::of(&progress).applied, 256);
        let progress = Arc::new(progress);
        let permits = Arc::new(tokio::sync::Semaphore::new(4));
        let one = || {
            let permit = Arc::clone(&permits).try_acquire_owned().unwrap();
            let (tag, _pending) = AckSender::new(permit, Arc::clone(&progress));
            Submission {
                batch: of_one_event(),
                tag,
            }
        };
        let four = [one(), one(), one(), one()];
        assert_eq!(batches_within(&four, 3), 3);
        assert_eq!(batches_within(&four, 0), 1, "a batch is never parted");
    }

    #[test]
    fn a_full_disk_is_logged_once_when_it_begins_and_once_when_it_ends() {
        let metrics = Arc::new(Metrics::new("", ""));
        let (batches, _waiting) = mpsc::channel();
        let mut results = JournalResults {
            progress: Arc::new(Progress::new(HoldAggregator::new(), 0, 0, metrics)),
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
                results.committed(committed());
                results.failed(Vec::new(), &WriteError::DiskFull);
                results.failed(Vec::new(), &WriteError::DiskFull);
                results.committed(committed());
            }
        });
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let count = |words| log.matches(words).count();
        assert_eq!((count("WARN"), count("INFO")), (2, 2), "{log}");
    }
}

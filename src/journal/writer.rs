//! The thread that writes the journal: it takes all batches that are waiting, writes them as one frame
//! with one sync (group commit), and passes the result on.
//!
//! It uses no timer: batches that arrive during a sync form the next frame. The channel is unbounded; the
//! caller limits the bytes in flight, as the engine does with permits.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::appender::{AppendError, Appender};
use super::error::WriteError;
use super::in_hand::InHand;
use crate::core::EventBatch;
use crate::error_line::error_line;

/// Bytes of events in one frame at most; a larger batch is a frame of its own.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// Events in one frame at most; a larger batch is a frame of its own.
const FRAME_EVENTS_MAX: u64 = 8_192;

/// A batch to be written, with a value that is returned with the result.
#[derive(Debug)]
pub struct Submission<T> {
    /// The events; at least one, and less than 4 GiB.
    pub batch: EventBatch,
    /// Returned with the result.
    pub tag: T,
}

/// A frame that is on disk.
#[derive(Debug)]
pub struct CommittedFrame<T> {
    /// Number of the first event of the first submission; the others follow without gaps.
    pub first: u64,
    /// In the order of submission. Their batches, concatenated, are the payload of the frame.
    pub submissions: Vec<Submission<T>>,
    /// Size of the frame.
    pub bytes: u64,
    /// Duration of the sync.
    pub sync: Duration,
}

/// Receives the results. Its methods run on the writer's thread, which waits for them.
pub trait CommitHandler<T>: Send {
    /// The submissions of this frame are durable.
    fn committed(&mut self, frame: CommittedFrame<T>);

    /// These submissions were not written, and their events have no numbers.
    fn failed(&mut self, submissions: Vec<Submission<T>>, reason: &WriteError);
}

/// Whether a writer accepts batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriterCondition {
    /// The last write succeeded.
    Writing,
    /// The last write failed because the disk is full; the next one may succeed.
    DiskFull,
    /// A write failed, and what is on disk is unknown. Nothing more is written.
    Poisoned(Arc<str>),
}

/// Stops a writer for good, for the reason that it is given.
pub type Poisoner = Box<dyn Fn(&Arc<str>) + Send>;

/// The handle of the thread that writes.
pub struct Writer<T> {
    shared: Arc<Shared<T>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared<T> {
    /// `None` once no more batches are accepted.
    sender: Mutex<Option<Sender<Submission<T>>>>,
    condition: Mutex<WriterCondition>,
    /// The frame that is being written.
    in_hand: InHand,
}

impl<T: Send + 'static> Writer<T> {
    /// Starts the thread.
    pub fn start(appender: Appender, handler: impl CommitHandler<T> + 'static) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let shared = Arc::new(Shared {
            sender: Mutex::new(Some(sender)),
            condition: Mutex::new(WriterCondition::Writing),
            in_hand: InHand::default(),
        });
        let worker = Worker {
            shared: Arc::clone(&shared),
            appender,
            handler,
            groups: Groups::new(receiver),
        };
        let thread = thread::Builder::new()
            .name("journal-writer".into())
            .spawn(move || worker.run())?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Submits a batch, or returns it with the reason. Does not block. Batches get their numbers in
    /// the order of submission.
    pub fn submit(&self, batch: EventBatch, tag: T) -> Result<(), (WriteError, Submission<T>)> {
        let submission = Submission { batch, tag };
        let sent = match &*lock(&self.shared.sender) {
            Some(sender) => sender.send(submission).map_err(|unsent| unsent.0),
            None => Err(submission),
        };
        sent.map_err(|submission| {
            let reason = match self.condition() {
                WriterCondition::Poisoned(reason) => WriteError::Poisoned(reason),
                WriterCondition::Writing | WriterCondition::DiskFull => WriteError::Closed,
            };
            (reason, submission)
        })
    }

    /// What stops the writer for good, for the reason that it is given: nothing is written or reported as durable from
    /// then on.
    #[must_use]
    pub fn poisoner(&self) -> Poisoner {
        let shared = Arc::clone(&self.shared);
        Box::new(move |reason| shared.poison(Arc::clone(reason)))
    }

    /// For how long the frame that is being written has not been finished.
    #[must_use]
    pub fn stands_for(&self) -> Duration {
        self.shared.in_hand.stands_for()
    }

    /// Whether batches are accepted.
    #[must_use]
    pub fn condition(&self) -> WriterCondition {
        lock(&self.shared.condition).clone()
    }
}

impl<T> Writer<T> {
    /// Accepts nothing more, writes what is waiting, seals the journal, and drops the handler. Blocks
    /// until that is done; a second call returns at once.
    pub fn close(&self) {
        self.shared.close();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            // If the thread panicked, the condition says so.
            let _ = thread.join();
        }
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T> Shared<T> {
    /// Records how a write ended, unless the writer was stopped meanwhile; then returns the reason.
    fn ended(&self, how: WriterCondition) -> Result<(), Arc<str>> {
        let mut condition = lock(&self.condition);
        if let WriterCondition::Poisoned(reason) = &*condition {
            return Err(Arc::clone(reason));
        }
        *condition = how;
        Ok(())
    }

    /// The channel ends once its only sender is dropped and what is waiting has been received.
    fn close(&self) {
        drop(lock(&self.sender).take());
    }

    fn poison(&self, reason: Arc<str>) {
        *lock(&self.condition) = WriterCondition::Poisoned(reason);
        // After the condition: a caller that finds the channel closed must find the reason too.
        self.close();
    }
}

/// Locks a mutex whose value is valid even if a thread panicked while it held the lock.
fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker<T, H> {
    shared: Arc<Shared<T>>,
    appender: Appender,
    handler: H,
    groups: Groups<T>,
}

impl<T, H: CommitHandler<T>> Worker<T, H> {
    fn run(mut self) {
        let _guard = PoisonOnPanic(Arc::clone(&self.shared));
        while let Some(submissions) = self.groups.next() {
            self.shared.in_hand.begin();
            self.write(submissions);
            self.shared.in_hand.finish();
        }
        let is_poisoned = matches!(*lock(&self.shared.condition), WriterCondition::Poisoned(_));
        if is_poisoned {
            return;
        }
        let closed = self.appender.seal_unless_full();
        if let Err(error) = closed.and_then(|()| self.appender.record_reach()) {
            self.shared.poison(error_line(&error).into());
        }
    }

    /// Writes one frame.
    fn write(&mut self, submissions: Vec<Submission<T>>) {
        let condition = lock(&self.shared.condition).clone();
        if let WriterCondition::Poisoned(reason) = condition {
            return self
                .handler
                .failed(submissions, &WriteError::Poisoned(reason));
        }
        let pieces = submissions
            .iter()
            .map(|one| (one.batch.bytes(), one.batch.count()));
        let appended = self.appender.append(pieces);
        let ended = match &appended {
            Ok(_) => self.shared.ended(WriterCondition::Writing),
            Err(AppendError::DiskFull) => self.shared.ended(WriterCondition::DiskFull),
            Err(AppendError::NoDescriptors | AppendError::Failed(_)) => Ok(()),
        };
        if let Err(reason) = ended {
            // What was written may be where no start finds it.
            return self
                .handler
                .failed(submissions, &WriteError::Poisoned(reason));
        }
        match appended {
            Ok(written) => self.handler.committed(CommittedFrame {
                first: written.first,
                submissions,
                bytes: written.bytes,
                sync: written.sync,
            }),
            Err(AppendError::DiskFull) => self.handler.failed(submissions, &WriteError::DiskFull),
            Err(AppendError::NoDescriptors) => {
                self.handler.failed(submissions, &WriteError::NoDescriptors);
            }
            Err(AppendError::Failed(error)) => {
                let reason: Arc<str> = error_line(&error).into();
                self.shared.poison(Arc::clone(&reason));
                self.handler
                    .failed(submissions, &WriteError::Poisoned(reason));
            }
        }
    }
}

/// Divides the submissions into frames.
struct Groups<T> {
    receiver: Receiver<Submission<T>>,
    /// Received, but too large for the frame before.
    held_back: Option<Submission<T>>,
}

impl<T> Groups<T> {
    fn new(receiver: Receiver<Submission<T>>) -> Self {
        Self {
            receiver,
            held_back: None,
        }
    }

    /// What is waiting, up to the size of a frame; waits for the first submission. `None` after the
    /// last one.
    fn next(&mut self) -> Option<Vec<Submission<T>>> {
        let first = self.held_back.take();
        let first = first.or_else(|| self.receiver.recv().ok())?;
        let mut bytes = first.batch.bytes().len();
        let mut events = u64::from(first.batch.count());
        let mut group = vec![first];
        while let Ok(next) = self.receiver.try_recv() {
            bytes += next.batch.bytes().len();
            events += u64::from(next.batch.count());
            if bytes > FRAME_BYTES_MAX || events > FRAME_EVENTS_MAX {
                self.held_back = Some(next);
                break;
            }
            group.push(next);
        }
        Some(group)
    }
}

/// Poisons the writer if its thread panics. The channel is dropped with the thread, and with it what
/// is waiting, so that nobody waits in vain.
struct PoisonOnPanic<T>(Arc<Shared<T>>);

impl<T> Drop for PoisonOnPanic<T> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.poison("the journal's writer has panicked".into());
        }
    }
}

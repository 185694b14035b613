//! The one thread that writes: takes what waits, makes one frame of it, one write, one sync, and
//! hands it on. There is no timer: what comes in during a sync is the next frame.
//!
//! It knows nothing of what an acknowledgement is; the [`Sink`] does.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::appender::{AppendError, Appender};
use super::error::Refused;
use super::queue::{Full, Load, Queue};
use crate::core::EventBatch;
use crate::error_line::error_line;

/// What one frame takes at most; a single larger batch goes alone.
const FRAME_MAX: Load = Load {
    bytes: 1 << 20,
    events: 8_192,
};

/// A batch on its way, with whatever its sender wants back.
#[derive(Debug)]
pub struct Submission<T> {
    /// The events; at least one.
    pub batch: EventBatch,
    /// Handed back with the outcome.
    pub tag: T,
}

/// A frame that is on disk.
#[derive(Debug)]
pub struct Committed<T> {
    /// Number of the first event of the first submission; the others follow without gaps.
    pub first: u64,
    /// In the order in which they were submitted. Their batches, one after the other, are the
    /// payload of the frame.
    pub submissions: Vec<Submission<T>>,
    /// Of the frame.
    pub bytes: u64,
    /// How long the sync took.
    pub sync: Duration,
}

/// What follows a write; called on the writer's thread, which does nothing else meanwhile.
pub trait Sink<T>: Send {
    /// These are durable.
    fn committed(&mut self, frame: Committed<T>);

    /// These are not, and have no numbers.
    fn refused(&mut self, submissions: Vec<Submission<T>>, reason: &Refused);
}

/// Whether a writer writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The last write went well.
    Writing,
    /// It met a full disk; the next one may not.
    DiskFull,
    /// It failed, and there will be no other.
    Poisoned(Arc<str>),
}

/// The door to the thread that writes.
pub struct Writer<T> {
    shared: Arc<Shared<T>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared<T> {
    queue: Queue<Submission<T>>,
    condition: Mutex<Condition>,
}

impl<T: Send + 'static> Writer<T> {
    /// Starts the thread. At most `queue_bytes_max` bytes of events wait, under 4 GiB.
    pub fn start(
        appender: Appender,
        sink: impl Sink<T> + 'static,
        queue_bytes_max: usize,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Queue::new(queue_bytes_max.min(u32::MAX as usize / 2)),
            condition: Mutex::new(Condition::Writing),
        });
        let work = Work {
            shared: Arc::clone(&shared),
            appender,
            sink,
            taken: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name("journal-writer".into())
            .spawn(move || work.run())?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Puts a batch, which must not be empty, in the queue, or gives it back with the reason. Waits
    /// for nothing. Batches are numbered in the order in which they are submitted.
    pub fn submit(&self, batch: EventBatch, tag: T) -> Result<(), (Refused, Submission<T>)> {
        let load = Load {
            bytes: batch.bytes().len(),
            events: batch.count() as usize,
        };
        let pushed = self.shared.queue.push(load, Submission { batch, tag });
        pushed.map_err(|(full, submission)| {
            let reason = match (full, self.condition()) {
                (Full::Bytes, _) => Refused::QueueFull,
                (Full::Closed, Condition::Poisoned(reason)) => Refused::Poisoned(reason),
                (Full::Closed, Condition::Writing | Condition::DiskFull) => Refused::Closed,
            };
            (reason, submission)
        })
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn queue_bytes(&self) -> usize {
        self.shared.queue.bytes()
    }

    /// Whether it writes.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.shared.condition().clone()
    }
}

impl<T> Writer<T> {
    /// Takes nothing more, writes what waits, seals the journal, and drops the sink. Blocks until
    /// that is done; a second call finds nothing to do.
    pub fn close(&self) {
        self.shared.queue.close();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // A panic there has poisoned the condition, which is how it is reported.
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
    fn condition(&self) -> MutexGuard<'_, Condition> {
        self.condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn poison(&self, reason: Arc<str>) {
        *self.condition() = Condition::Poisoned(reason);
        // After the condition, so that who finds the queue closed also finds the reason.
        self.queue.close();
    }
}

struct Work<T, S> {
    shared: Arc<Shared<T>>,
    appender: Appender,
    sink: S,
    taken: Vec<Submission<T>>,
}

impl<T, S: Sink<T>> Work<T, S> {
    fn run(mut self) {
        let _alarm = Alarm(Arc::clone(&self.shared));
        while self.shared.queue.take(FRAME_MAX, &mut self.taken) {
            self.write();
        }
        let is_poisoned = matches!(*self.shared.condition(), Condition::Poisoned(_));
        if !is_poisoned && let Err(AppendError::Failed(error)) = self.appender.seal() {
            self.shared.poison(error_line(&error).into());
        }
    }

    /// One frame of what was taken.
    fn write(&mut self) {
        let submissions = mem::take(&mut self.taken);
        let condition = self.shared.condition().clone();
        if let Condition::Poisoned(reason) = condition {
            return self.sink.refused(submissions, &Refused::Poisoned(reason));
        }
        let pieces = submissions
            .iter()
            .map(|one| (one.batch.bytes(), one.batch.count()));
        match self.appender.append(pieces) {
            Ok(written) => {
                *self.shared.condition() = Condition::Writing;
                self.sink.committed(Committed {
                    first: written.first,
                    submissions,
                    bytes: written.bytes,
                    sync: written.sync,
                });
            }
            Err(AppendError::DiskFull) => {
                *self.shared.condition() = Condition::DiskFull;
                self.sink.refused(submissions, &Refused::DiskFull);
            }
            Err(AppendError::NoDescriptors) => {
                self.sink.refused(submissions, &Refused::NoDescriptors);
            }
            Err(AppendError::Failed(error)) => {
                let reason: Arc<str> = error_line(&error).into();
                self.shared.poison(Arc::clone(&reason));
                self.sink.refused(submissions, &Refused::Poisoned(reason));
            }
        }
    }
}

/// Poisons where the writer's thread panics, so that nobody waits for it; drops what waits.
struct Alarm<T>(Arc<Shared<T>>);

impl<T> Drop for Alarm<T> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.poison("the journal's writer has panicked".into());
            let mut waiting = Vec::new();
            while self.0.queue.take(FRAME_MAX, &mut waiting) {
                waiting.clear();
            }
        }
    }
}

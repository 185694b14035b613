//! The thread that reads the journal and copies facts for consumers that are not current, one piece after
//! the other.
//!
//! It starts with the first consumer. A piece is about as large as a batch, so consumers take turns.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The handle of the thread.
#[derive(Default)]
pub(super) struct Reader {
    work: Mutex<Work>,
}

#[derive(Default)]
enum Work {
    #[default]
    Idle,
    Running {
        jobs: Sender<Job>,
        thread: JoinHandle<()>,
    },
    Closed,
}

impl Reader {
    /// Starts the thread, unless it runs.
    pub(super) fn start(&self) -> io::Result<()> {
        let mut work = self.work.lock();
        if matches!(*work, Work::Idle) {
            let (jobs, waiting) = mpsc::channel::<Job>();
            let thread = thread::Builder::new()
                .name("feed-reader".into())
                .spawn(move || waiting.into_iter().for_each(|job| job()))?;
            *work = Work::Running { jobs, thread };
        }
        Ok(())
    }

    /// Runs `read` on the thread. The result never comes if the thread is not running.
    pub(super) fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        if let Work::Running { jobs, .. } = &*self.work.lock() {
            // Fails if the thread has panicked; the result then never comes.
            let _ = jobs.send(Box::new(move || drop(sender.send(read()))));
        }
        receiver
    }

    /// Ends the thread after the pieces that it was asked for. Blocks.
    pub(super) fn close(&self) {
        let work = std::mem::replace(&mut *self.work.lock(), Work::Closed);
        if let Work::Running { jobs, thread } = work {
            drop(jobs);
            let _ = thread.join();
        }
    }
}

//! The thread that looks, several times a second, whether the files of the store are still those that this
//! process writes to, and that records how far the journal reached.
//!
//! A file that was removed or replaced is noticed here; the writer of the journal notices it with each frame, too.
//! Either way the engine stops: what it would acknowledge is not where a start looks for it. If it is a file of
//! rounds, only sealing stops.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::data_folder::OpenFiles;
use super::progress::{PoisonOnPanic, Progress};
use super::rounds::Disk;
use crate::error_line::error_line;
use crate::journal::{FolderLock, Journal, JournalError, Poisoner};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Between two records of how far the journal reached.
const RECORD_EVERY: Duration = Duration::from_secs(1);

/// What is watched.
pub(super) struct Watched {
    pub(super) progress: Arc<Progress>,
    pub(super) journal: Arc<Journal>,
    pub(super) lock: FolderLock,
    /// State and cursors.
    pub(super) files: Vec<Arc<OpenFiles>>,
    /// A change of these stops sealing alone.
    pub(super) rounds: Option<Arc<Disk>>,
    /// Stops the writer of the journal.
    pub(super) stop_writing: Poisoner,
}

/// The handle of the thread; it ends when this is dropped.
pub(super) struct StoreWatch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StoreWatch {
    /// Starts the thread, which holds the lock of the folder until its end.
    pub(super) fn start(watched: Watched) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("store-watch".into())
            .spawn(move || watched.run(&stopped))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for StoreWatch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic has poisoned the engine.
            let _ = thread.join();
        }
    }
}

impl Watched {
    fn run(self, stopped: &mpsc::Receiver<()>) {
        let _guard = PoisonOnPanic {
            progress: Arc::clone(&self.progress),
            name: "the watch over the files of the store",
        };
        let mut recorded = Instant::now();
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK_EVERY) {
            if self.progress.poisoned().is_some() {
                continue;
            }
            self.progress.looking.begin();
            let mut looked = self.look();
            if looked.is_ok() && recorded.elapsed() >= RECORD_EVERY {
                looked = self.journal.record_reach();
                recorded = Instant::now();
            }
            self.progress.looking.finish();
            if let Err(error) = looked {
                let reason = error_line(&error).into();
                // The writer first, so that nothing is acknowledged after the engine says that it has failed.
                (self.stop_writing)(&reason);
                self.progress.poison(&reason);
            }
        }
    }

    fn look(&self) -> Result<(), JournalError> {
        if let Some(rounds) = &self.rounds {
            rounds.look();
        }
        self.lock.check_place()?;
        self.journal.check_place()?;
        self.files.iter().try_for_each(|files| files.check_place())
    }
}

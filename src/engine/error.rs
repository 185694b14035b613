//! Why an engine cannot be opened; each text names the place, and the cause is its source.

use std::io;
use std::path::PathBuf;

use crate::journal::JournalError;
use crate::state::StateError;

/// Why an engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal, or the lock of the folder.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file beside them.
    #[error("{}: cannot be {action}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Events are in neither of them.
    #[error(
        "{}: the journal begins with event {first}, and the state covers the events up to {applied} \
         alone: put back the missing files, or start once with `serve --salvage`, which goes on without \
         these events; nothing was changed",
        folder.display()
    )]
    Gap {
        /// Of journal and state.
        folder: PathBuf,
        /// Number of the first event of the journal.
        first: u64,
        /// Number of the last event that the state covers.
        applied: u64,
    },
    /// A store has always a segment that it writes to, so one without was not left by a crash.
    #[error(
        "{}: the state covers the events up to {applied}, and there is no journal: put back the \
         journal that belongs to the state, or start once with `serve --salvage`, which goes on \
         with the state alone; nothing was changed",
        folder.display()
    )]
    Missing {
        /// Of the state.
        folder: PathBuf,
        /// Number of the last event that the state covers.
        applied: u64,
    },
    /// The journal is older than the state.
    #[error(
        "{}: the state covers the events up to {applied}, and the journal ends with event {last}: \
         put back the journal that belongs to the state, or start once with `serve --salvage`, which goes \
         on from the state; nothing was changed",
        folder.display()
    )]
    Behind {
        /// Of journal and state.
        folder: PathBuf,
        /// Number of the last event of the journal.
        last: u64,
        /// Number of the last event that the state covers.
        applied: u64,
    },
    /// The system gives no thread.
    #[error("a thread of the engine cannot be started")]
    Thread(#[source] io::Error),
}

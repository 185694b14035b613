//! Why an engine cannot be opened.
//!
//! Each text names the folder or file. The cause is the `source` and not part of the text.

use std::io;
use std::path::PathBuf;

use crate::journal::{Damage, JournalError};
use crate::state::{CursorError, StateError};

/// Why an engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal, or the lock of the folder.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file of cursors.
    #[error(transparent)]
    Cursors(#[from] CursorError),
    /// A file of the data folder.
    #[error("{}: cannot be {action}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The failed operation, as a past participle.
        action: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Events are in neither journal nor state.
    #[error(
        "{}: the journal begins with event {first}, but the state only covers the events up to \
         {applied}: restore the missing files, or start once with `serve --salvage`, which continues \
         without these events; nothing was changed",
        folder.display()
    )]
    Gap {
        /// The data folder.
        folder: PathBuf,
        /// Number of the first event of the journal.
        first: u64,
        /// Number of the last event that the state covers.
        applied: u64,
    },
    /// There is a state but no segment. A crash never leaves this, because the last segment is kept.
    #[error(
        "{}: the state covers the events up to {applied}, but there is no journal: restore the \
         journal that belongs to the state, or start once with `serve --salvage`, which continues \
         with the state alone; nothing was changed",
        folder.display()
    )]
    Missing {
        /// The data folder.
        folder: PathBuf,
        /// Number of the last event that the state covers.
        applied: u64,
    },
    /// The journal is older than the state.
    #[error(
        "{}: the state covers the events up to {applied}, but the journal ends with event {last}: \
         restore the journal that belongs to the state, or start once with `serve --salvage`, which \
         continues from the state; nothing was changed",
        folder.display()
    )]
    Behind {
        /// The data folder.
        folder: PathBuf,
        /// Number of the last event of the journal.
        last: u64,
        /// Number of the last event that the state covers.
        applied: u64,
    },
    /// The journal of rounds is damaged; `journal salvage` reads that of events alone.
    #[error(
        "{}: the journal of rounds is damaged ({damage}): a start with `serve --salvage` keeps what is readable and \
         reports what is lost; nothing was changed",
        damage.path_in(folder).display()
    )]
    RoundsDamaged {
        /// The folder of the journal of rounds.
        folder: PathBuf,
        /// The first damage.
        damage: Damage,
    },
    /// A record of a round cannot be read.
    #[error("{}: {reason}; nothing was changed", folder.display())]
    Rounds {
        /// The folder of the journal of rounds.
        folder: PathBuf,
        /// What is wrong with a record.
        reason: String,
    },
    /// A thread cannot be started.
    #[error("a thread of the engine cannot be started")]
    Thread(#[source] io::Error),
}

//! Why an engine does not accept events, for one batch and as a condition of the whole engine.

use std::sync::Arc;
use std::time::Duration;

/// Why events were not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// No room on the disk; it may come back.
    #[error(
        "the disk of the journal is full: free some space; nothing was taken, send again later"
    )]
    DiskFull {
        /// When to try again.
        retry_after: Duration,
    },
    /// The journal needs a new file and the system opens none; it may again.
    #[error(
        "too many files are open for the journal to go on: raise the limit of open files (ulimit -n) or lower limits.connections_max; nothing was taken, send again later"
    )]
    NoDescriptors {
        /// When to try again.
        retry_after: Duration,
    },
    /// The journal failed in a way that leaves open what is on disk; the process must start anew.
    #[error("the journal failed and takes nothing more ({reason}): restart the server")]
    Poisoned {
        /// What failed.
        reason: Arc<str>,
    },
    /// The engine is being closed.
    #[error("the server is shutting down")]
    Closing,
    /// More bytes than the queue can ever hold.
    #[error(
        "{bytes} bytes of events at once, and at most {bytes_max} may wait: send fewer at a time"
    )]
    TooLarge {
        /// Of the batch.
        bytes: usize,
        /// Of the queue.
        bytes_max: usize,
    },
}

/// Whether an engine takes events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Reads and writes.
    Ready,
    /// Reads alone until there is space.
    DiskFull,
    /// Reads alone; only a new start helps.
    Poisoned(Arc<str>),
    /// Takes nothing more.
    Closing,
}

impl Condition {
    /// One word, as metrics and readiness checks show it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::DiskFull => "disk_full",
            Self::Poisoned(_) => "poisoned",
            Self::Closing => "closing",
        }
    }
}

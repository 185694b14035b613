//! Why an engine does not accept events: the error of a batch, and the condition of the whole engine.
//!
//! Events that are invalid are refused before they are submitted, see `event_limits`.

use std::sync::Arc;
use std::time::Duration;

use super::stall::Stall;

/// Why events were not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The disk is full; a later attempt may succeed.
    #[error(
        "the disk of the journal is full: free some space; nothing was accepted, send again later"
    )]
    DiskFull {
        /// After how long to try again.
        retry_after: Duration,
    },
    /// The journal needs a new file and too many files are open; a later attempt may succeed.
    #[error(
        "too many files are open, and the journal needs another one: raise the limit of open files (ulimit -n) or lower limits.connections_max; nothing was accepted, send again later"
    )]
    NoDescriptors {
        /// After how long to try again.
        retry_after: Duration,
    },
    /// The journal failed, and what is on disk is unknown; the process must be restarted.
    #[error(
        "the journal failed and accepts nothing more; the log of the server says why: restart it"
    )]
    Poisoned {
        /// What failed; not for callers.
        reason: Arc<str>,
    },
    /// The engine is being closed.
    #[error("the server is shutting down")]
    Closing,
    /// The batch is larger than the queue.
    #[error(
        "a batch of {bytes} bytes exceeds the queue of {bytes_max} bytes: send fewer events at a time"
    )]
    TooLarge {
        /// Size of the batch.
        bytes: usize,
        /// Size of the queue.
        bytes_max: usize,
    },
}

impl SubmitError {
    /// The name by which programs know it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DiskFull { .. } => "DISK_FULL",
            Self::NoDescriptors { .. } => "NO_DESCRIPTORS",
            Self::Poisoned { .. } => "JOURNAL_FAILED",
            Self::Closing => "SHUTTING_DOWN",
            Self::TooLarge { .. } => "TOO_LARGE",
        }
    }
}

/// Whether an engine accepts events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Events and queries are served.
    Ready,
    /// Only queries are served, until there is space on the disk.
    DiskFull,
    /// Events wait, because something stands still.
    Stalled(Stall),
    /// Only queries are served, until the process is restarted.
    Poisoned(Arc<str>),
    /// The engine is being closed.
    Closing,
}

impl Condition {
    /// The name in metrics and readiness checks.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::DiskFull => "disk_full",
            Self::Stalled(stall) => stall.name(),
            Self::Poisoned(_) => "poisoned",
            Self::Closing => "closing",
        }
    }
}

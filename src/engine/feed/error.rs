//! Why a consumer cannot be opened, or its cursor not be written.
//!
//! The texts begin with what is wrong and name the cure.

use std::sync::Arc;

use crate::excerpt::quoted;

/// Most bytes in the name of a consumer or a pipeline.
const NAME_BYTES_MAX: usize = 256;
/// Most consumers, open ones and stored ones together.
pub(super) const CONSUMERS_MAX: usize = 1_024;

/// Why a request to the feed was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// There is an open handle of this name.
    #[error(
        "consumer: {} is in use: close it first, or choose another name",
        quoted(name)
    )]
    InUse {
        /// The name.
        name: String,
    },
    /// The text cannot be a name.
    #[error(
        "consumer: {} is not a name: use 1 to {NAME_BYTES_MAX} bytes without control characters",
        quoted(name)
    )]
    Name {
        /// The text.
        name: String,
    },
    /// There are too many consumers.
    #[error(
        "consumer: there are {CONSUMERS_MAX} already: remove those that are no longer used with \
         `DELETE /admin/consumers/NAME`"
    )]
    TooMany,
    /// The number was not given to any event yet.
    #[error("position: {sequence} was not acknowledged yet, the last event is {last}")]
    Ahead {
        /// The number.
        sequence: u64,
        /// Number of the last acknowledged event.
        last: u64,
    },
    /// The engine is closed.
    #[error("the server is shutting down")]
    Closed,
    /// The thread that reads for consumers cannot be started.
    #[error(
        "consumer: a thread cannot be started ({reason}): end other processes, or raise their limit"
    )]
    Thread {
        /// What the operating system says.
        reason: Arc<str>,
    },
    /// The file of cursors cannot be written; a later attempt may succeed.
    #[error("the cursor was not written ({reason}): commit again later")]
    NotWritten {
        /// What failed.
        reason: Arc<str>,
    },
}

/// Refuses what cannot be a name.
pub(super) fn check_name(name: &str) -> Result<(), FeedError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let name = name.to_owned();
        return Err(FeedError::Name { name });
    }
    Ok(())
}

//! How a journal works.

use std::time::Duration;

use crate::config::Store;

/// How a journal works; the defaults are those of the service.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// Bytes of a segment's file, at least 4096; a frame that needs more gets a file of its own.
    pub segment_bytes: u64,
    /// Whether the next segment is made on a thread of its own before it is needed; without it, the
    /// writer makes it when it is.
    pub allocates_ahead: bool,
    /// How long after a full disk the next attempt waits; what is submitted before is refused.
    pub retry_after: Duration,
    /// Number of the first event of a journal that does not exist yet.
    pub first_sequence: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: Store::default().segment_bytes,
            allocates_ahead: true,
            retry_after: Duration::from_secs(1),
            first_sequence: 1,
        }
    }
}

//! The options of a journal.
//!
//! Sizes that users can set have their defaults in `config`; the others have theirs here.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Store;
use crate::core::StoreId;

/// The options of a journal, with the defaults of the service.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// Size of a segment in bytes, at least 4096. A larger frame gets a segment of its own.
    pub segment_bytes: u64,
    /// Whether a thread creates the next segment before it is needed. Otherwise the writer creates it.
    pub preallocates: bool,
    /// After the disk was full, writes fail at once for this long.
    pub retry_after: Duration,
    /// Number of the first event of a new journal.
    pub first_sequence: u64,
    /// The store that a new journal belongs to, and a salvaged one if no file names it; a random one if absent.
    pub store: Option<StoreId>,
    /// Other files of the store, each with the store that it says it belongs to.
    pub siblings: Vec<(PathBuf, StoreId)>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: Store::default().segment_bytes,
            preallocates: true,
            retry_after: Duration::from_secs(1),
            first_sequence: 1,
            store: None,
            siblings: Vec::new(),
        }
    }
}

//! How much has been read, for a progress bar, and which columns were ignored on the way.

use super::unknown_columns::IgnoredColumns;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of all sources and bytes already read; of compressed files the compressed bytes.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    /// Of all sources.
    pub(super) ignored: IgnoredColumns,
}

impl Progress {
    /// Bytes read so far.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Bytes of all files; 0 before reading begins. Standard input counts as 0.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// The columns and keys that no field was read from, in order, at most a hundred.
    #[must_use]
    pub fn ignored_columns(&self) -> Vec<String> {
        self.ignored.names()
    }

    pub(super) fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn expect(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }
}

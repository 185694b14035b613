//! How much has been read, for a progress bar, and which columns were ignored on the way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::unknown_columns::IgnoredColumns;

/// Bytes of all sources and bytes already read; of compressed files the compressed bytes.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    /// Of all sources.
    pub(super) ignored: IgnoredColumns,
    /// Of all sources.
    unfinished: Mutex<Vec<UnfinishedRow>>,
}

/// A last row without a line break, which was left out: its writer may not have finished it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfinishedRow {
    /// The file's name.
    pub file: Arc<str>,
    /// Its line, from 1.
    pub line: u64,
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

    /// The last rows that were left out because of [`InputOptions::leaves_unfinished`].
    ///
    /// [`InputOptions::leaves_unfinished`]: super::InputOptions::leaves_unfinished
    #[must_use]
    pub fn unfinished_rows(&self) -> Vec<UnfinishedRow> {
        let rows = self.unfinished.lock();
        rows.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn left_unfinished(&self, file: &Arc<str>, line: u64) {
        let mut rows = self
            .unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        rows.push(UnfinishedRow {
            file: Arc::clone(file),
            line,
        });
    }

    pub(super) fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn expect(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }
}

//! One reader of the feed: what comes next, and how far it was processed.
//!
//! It runs ahead of its committed position. A restart begins after that position, so everything is delivered
//! at least once.

use std::sync::Arc;

use super::batch::FeedBatch;
use super::error::FeedError;
use super::hold_feed::{CommitFuture, Feed};
use super::recent::Recalled;

/// An open consumer, closed when it is dropped.
pub struct Consumer {
    feed: Arc<Feed>,
    name: String,
    /// Number of the next event to deliver.
    next: u64,
}

impl Consumer {
    /// Begins after `position`.
    pub(super) fn new(feed: Arc<Feed>, name: &str, position: u64) -> Self {
        Self {
            feed,
            name: name.to_owned(),
            next: position + 1,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of the last event that it has committed.
    #[must_use]
    pub fn position(&self) -> u64 {
        let ledger = self.feed.ledger.lock();
        let entry = ledger.consumers.get(&self.name);
        entry.map_or(0, |entry| entry.position)
    }

    /// The next events; waits for them. `None` once the engine is being closed. Frames are joined up to
    /// `bytes_max`; a single one may be larger. If the future is dropped, nothing is lost.
    pub async fn next(&mut self, bytes_max: usize) -> Option<FeedBatch> {
        let feed = Arc::clone(&self.feed);
        loop {
            let mut changed = std::pin::pin!(feed.progress.recent.changed());
            // Before anything is read, so that no frame is missed between the two.
            changed.as_mut().enable();
            if feed.progress.is_closing() {
                return None;
            }
            match feed.progress.recent.recall(self.next, bytes_max) {
                Recalled::Frames(frames) => {
                    let batch = FeedBatch::of_frames(self.next, frames);
                    self.next = batch.last + 1;
                    return Some(batch);
                }
                Recalled::Nothing => changed.await,
                Recalled::Gone { first } => self.skip_to(first),
            }
        }
    }

    /// Records that everything up to `position` is processed, with changes of the state of `pipeline`, in one
    /// transaction. A position before the committed one changes only the state.
    pub fn commit(
        &self,
        position: u64,
        pipeline: &str,
        changes: Vec<(String, Option<String>)>,
    ) -> CommitFuture {
        let last = self.feed.progress.sequence();
        if position > last {
            let sequence = position;
            return CommitFuture::ready(Err(FeedError::Ahead { sequence, last }));
        }
        let mut ledger = self.feed.ledger.lock();
        if let Some(entry) = ledger.consumers.get_mut(&self.name) {
            entry.position = entry.position.max(position);
        }
        ledger.change_state(pipeline, changes);
        CommitFuture::ready(Ok(()))
    }

    fn skip_to(&mut self, first: u64) {
        let mut ledger = self.feed.ledger.lock();
        if let Some(entry) = ledger.consumers.get_mut(&self.name) {
            entry.shed += first - self.next;
        }
        self.next = first;
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let mut ledger = self.feed.ledger.lock();
        if let Some(entry) = ledger.consumers.get_mut(&self.name) {
            entry.is_open = false;
        }
        drop(ledger);
        self.feed.progress.recent.leave();
    }
}

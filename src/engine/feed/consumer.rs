//! One reader of the feed: what comes next, and how far it was processed.
//!
//! It runs ahead of its committed position. A restart begins after that position, so everything is delivered
//! at least once. What comes next is in memory if the consumer is current; otherwise the thread of `reader`
//! gets it from the journal or, for a consumer that starts again, from the aggregator.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::error;

use super::WhenFull;
use super::batch::{FeedBatch, Frame};
use super::committer::CommitFuture;
use super::facts::{CopiedFacts, FactsCopy};
use super::hold_feed::Feed;
use super::recent::Recalled;
use crate::core::EventBatch;
use crate::error_line::error_line;
use crate::journal::{JournalError, TailRead, TailReader};
use crate::state::{Standing, StoredCursor};

/// An open consumer, closed when it is dropped.
pub struct Consumer {
    feed: Arc<Feed>,
    /// Empty if it has none, and so no entry in the ledger.
    name: Arc<str>,
    id: u64,
    when_full: WhenFull,
    /// Number of the next event to deliver.
    next: u64,
    /// Whether it reads the journal although it has no stored cursor, up to what is in memory.
    is_catching_up: bool,
    /// Its place in the journal.
    tail: Option<TailReader>,
    /// The number that the facts carry, while there are facts to deliver.
    facts_of: Option<u64>,
    copy: FactsCopy,
    /// What the reader was asked for. Kept here, so that a dropped future loses nothing.
    piece: Option<oneshot::Receiver<Piece>>,
    /// The first write of its cursor, before which it delivers nothing.
    noted: Option<CommitFuture>,
}

/// What the reader returns.
enum Piece {
    Frames {
        frames: Vec<Arc<Frame>>,
        tail: TailReader,
    },
    Removed,
    Unreadable(JournalError),
    Facts {
        facts: Option<CopiedFacts>,
        copy: FactsCopy,
    },
}

impl Consumer {
    /// Begins after `position`.
    pub(super) fn new(
        feed: &Arc<Feed>,
        name: Arc<str>,
        id: u64,
        position: u64,
        when_full: WhenFull,
    ) -> Self {
        Self {
            feed: Arc::clone(feed),
            name,
            id,
            when_full,
            next: position + 1,
            is_catching_up: false,
            tail: None,
            facts_of: None,
            copy: FactsCopy::default(),
            piece: None,
            noted: None,
        }
    }

    /// The same without a name.
    pub(super) fn nameless(feed: &Arc<Feed>, position: u64) -> Self {
        Self::new(feed, "".into(), 0, position, WhenFull::Lag)
    }

    /// Its name; empty if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of the last event that it has committed, or read if it has no name; of a consumer that reads the facts,
    /// the number that they carry.
    #[must_use]
    pub fn position(&self) -> u64 {
        let ledger = self.feed.ledger.lock();
        let entry = ledger.get(&self.name);
        entry.map_or(self.next - 1, |entry| entry.cursor.position)
    }

    /// Whether facts are delivered next, for lack of the events behind them.
    #[must_use]
    pub fn reads_facts(&self) -> bool {
        let is_gone =
            || self.when_full == WhenFull::Lag && !self.feed.has_event_after(self.next - 1);
        self.facts_of.is_some() || self.is_detached() || is_gone()
    }

    /// The next events; waits for them. `None` once the engine is being closed. Frames are joined up to
    /// `bytes_max`; a single one may be larger. If the future is dropped, nothing is lost.
    pub async fn next(&mut self, bytes_max: usize) -> Option<FeedBatch> {
        let feed = Arc::clone(&self.feed);
        if let Some(noted) = &mut self.noted {
            // A consumer that has got an event is known after a restart, unless cursors cannot be written at all,
            // which the committer logs.
            let _ = noted.await;
            self.noted = None;
        }
        loop {
            let mut changed = std::pin::pin!(feed.progress.recent.changed());
            // Before anything is read, so that no frame is missed between the two.
            changed.as_mut().enable();
            if feed.progress.is_closing() {
                return None;
            }
            if self.is_detached() {
                self.begin_copy();
            }
            if let Some(piece) = &mut self.piece {
                let piece = piece.await;
                self.piece = None;
                let Ok(piece) = piece else {
                    // Otherwise the reader is closed, as the engine is.
                    if !feed.progress.is_closing() {
                        error!(consumer = %self.name, "The thread that reads for consumers has panicked; the consumer ends.");
                    }
                    return None;
                };
                if let Some(batch) = self.take(piece) {
                    return Some(batch);
                }
            } else if self.facts_of.is_some() {
                self.ask_for_facts(bytes_max);
            } else {
                match feed.progress.recent.recall(self.next, bytes_max) {
                    Recalled::Frames(frames) => {
                        (self.tail, self.is_catching_up) = (None, false);
                        return Some(self.deliver(frames));
                    }
                    Recalled::Nothing => {
                        (self.tail, self.is_catching_up) = (None, false);
                        changed.await;
                    }
                    Recalled::Gone { first } => self.recover(first, bytes_max),
                }
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
        if self.when_full == WhenFull::Shed && position <= self.feed.progress.sequence() {
            let now = self.feed.now();
            if let Some(entry) = self.feed.ledger.lock().get_mut(&self.name) {
                super::ledger::advance(&mut entry.cursor, position, now);
            }
        }
        let name = Arc::clone(&self.name);
        self.feed
            .advance(name, self.id, position, pipeline, changes)
    }

    /// Starts with the facts as they are now, and follows after them.
    pub(super) fn begin_copy(&mut self) {
        // Before any key is copied. The copy may contain later events, which does no harm.
        let sequence = self.feed.progress.sequence();
        let cursor = StoredCursor {
            position: sequence,
            committed: self.feed.now(),
            standing: if sequence == 0 {
                Standing::Following
            } else {
                Standing::ReadingFacts
            },
        };
        if let Some(entry) = self.feed.ledger.lock().get_mut(&self.name) {
            entry.cursor = cursor;
        }
        self.note();
        self.next = sequence + 1;
        (self.tail, self.piece, self.copy) = (None, None, FactsCopy::default());
        self.facts_of = (sequence > 0).then_some(sequence);
    }

    /// Delivers nothing before its cursor is written.
    pub(super) fn wait_for_note(&mut self, noted: CommitFuture) {
        self.noted = Some(noted);
    }

    /// Reads from the journal what has left memory, although nothing is kept for this consumer.
    pub(super) fn catch_up(&mut self) {
        self.is_catching_up = true;
    }

    fn is_detached(&self) -> bool {
        let ledger = self.feed.ledger.lock();
        let entry = ledger.get(&self.name);
        entry.is_some_and(|entry| entry.cursor.standing == Standing::Detached)
    }

    /// Continues although the next event has left memory, which begins with event `first`.
    fn recover(&mut self, first: u64, bytes_max: usize) {
        let reads_journal = self.when_full == WhenFull::Lag || self.is_catching_up;
        match self.feed.journal.clone().filter(|_| reads_journal) {
            None => self.miss(first),
            Some(journal) => {
                let tail = self.tail.take().filter(|tail| tail.next() == self.next);
                let mut tail = tail.unwrap_or_else(|| TailReader::new(&journal, self.next));
                let progress = Arc::clone(&self.feed.progress);
                self.piece = Some(self.feed.reader.run(move || {
                    let mut frames = Vec::new();
                    // What is durable but not applied yet is not acknowledged.
                    let last = progress.sequence();
                    let read = tail.read(last, bytes_max, |frame| {
                        let batch = EventBatch::from_encoded(frame.payload.to_vec(), frame.count);
                        frames.push(Arc::new(Frame::new(frame.first, vec![batch])));
                    });
                    match read {
                        Ok(TailRead::Read) => Piece::Frames { frames, tail },
                        Ok(TailRead::Removed) => Piece::Removed,
                        Err(error) => Piece::Unreadable(error),
                    }
                }));
            }
        }
    }

    fn ask_for_facts(&mut self, bytes_max: usize) {
        let mut copy = std::mem::take(&mut self.copy);
        let progress = Arc::clone(&self.feed.progress);
        self.piece = Some(self.feed.reader.run(move || Piece::Facts {
            facts: copy.next(&progress.aggregator, bytes_max),
            copy,
        }));
    }

    /// Takes what the reader returned; `None` if that is not a batch.
    fn take(&mut self, piece: Piece) -> Option<FeedBatch> {
        match piece {
            Piece::Frames { frames, tail } => {
                let batch = (!frames.is_empty()).then(|| self.deliver(frames));
                // Not only after the last frame: events that are noted as lost are passed over.
                self.next = tail.next();
                self.tail = Some(tail);
                batch
            }
            Piece::Removed => {
                self.give_up("The journal no longer has the next events of the consumer; it starts again from the facts.");
                None
            }
            Piece::Unreadable(error) => {
                error!(consumer = %self.name, error = %error_line(&error), "The journal cannot be read for a consumer.");
                self.give_up("The next events of the consumer cannot be read; it starts again from the facts.");
                None
            }
            Piece::Facts { facts, copy } => {
                self.copy = copy;
                let sequence = self.facts_of?;
                let Some(CopiedFacts { batch, is_last }) = facts else {
                    self.facts_of = None;
                    self.follow();
                    return None;
                };
                if is_last {
                    self.facts_of = None;
                }
                Some(FeedBatch::of_facts(sequence, batch, is_last))
            }
        }
    }

    fn deliver(&mut self, frames: Vec<Arc<Frame>>) -> FeedBatch {
        let batch = FeedBatch::of_frames(self.next, frames);
        self.next = batch.last + 1;
        batch
    }

    /// Continues without the journal, which lacks the next event.
    fn give_up(&mut self, reason: &'static str) {
        (self.tail, self.is_catching_up) = (None, false);
        if self.name.is_empty() {
            self.begin_copy();
        } else if self.when_full == WhenFull::Lag {
            self.feed.detach(&self.name, self.next - 1, reason);
        }
    }

    /// Continues without the journal, because there is none or because it is not for this consumer.
    fn miss(&mut self, first: u64) {
        match self.when_full {
            WhenFull::Lag => self.give_up(
                "The next events of the consumer have left memory; it starts again from the facts.",
            ),
            WhenFull::Shed => {
                let missed = first - self.next;
                if let Some(entry) = self.feed.ledger.lock().get_mut(&self.name) {
                    entry.shed += missed;
                }
                self.feed.progress.metrics.feed.shed_events.inc_by(missed);
                self.next = first;
            }
        }
    }

    /// Ends a copy of facts that had none.
    fn follow(&self) {
        if let Some(entry) = self.feed.ledger.lock().get_mut(&self.name)
            && entry.cursor.standing == Standing::ReadingFacts
        {
            entry.cursor.standing = Standing::Following;
        }
        self.note();
    }

    /// Has its cursor written, if it has one.
    fn note(&self) {
        if !self.name.is_empty() {
            self.feed.committer.note(&self.name);
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let mut ledger = self.feed.ledger.lock();
        match self.when_full {
            WhenFull::Lag => {
                if let Some(entry) = ledger.get_mut(&self.name) {
                    entry.is_open = false;
                }
            }
            WhenFull::Shed => {
                ledger.remove(&self.name);
            }
        }
        drop(ledger);
        self.feed.progress.recent.leave();
    }
}

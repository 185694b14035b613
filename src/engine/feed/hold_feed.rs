//! The public face of the feed: opens consumers, reports them, keeps the states of pipelines, and says how
//! much of the journal is kept for consumers.
//!
//! One consumer reads in `consumer`; `committer` writes.

use std::sync::Arc;

use parking_lot::Mutex;
use tracing::warn;

use super::committer::{CommitFuture, Committer, CursorRequest};
use super::consumer::Consumer;
use super::cursor_file::CursorFile;
use super::error::{CONSUMERS_MAX, FeedError, check_name};
use super::ledger::Ledger;
use super::reader::Reader;
use super::report::ConsumerReport;
use super::{Start, WhenFull};
use crate::core::Micros;
use crate::engine::clock::Clock;
use crate::engine::progress::Progress;
use crate::error_line::error_line;
use crate::journal::Journal;
use crate::state::{CursorContents, Standing, StoredCursor};

/// What was acknowledged, for named consumers.
pub struct Feed {
    pub(super) progress: Arc<Progress>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) committer: Committer,
    pub(super) reader: Reader,
    /// `None` if the engine is in memory.
    pub(super) journal: Option<Arc<Journal>>,
    clock: Arc<dyn Clock>,
    lag_bytes_max: u64,
}

/// What a feed has only in an engine with a data folder.
pub(in crate::engine) struct StoredFeed {
    pub(in crate::engine) journal: Arc<Journal>,
    pub(in crate::engine) file: CursorFile,
    pub(in crate::engine) contents: CursorContents,
    /// See [`crate::config::Pipelines::lag_bytes_max`].
    pub(in crate::engine) lag_bytes_max: u64,
}

impl Feed {
    pub(in crate::engine) fn new(
        progress: Arc<Progress>,
        clock: Arc<dyn Clock>,
        stored: Option<StoredFeed>,
    ) -> Self {
        let (journal, file, contents, lag_bytes_max) = match stored {
            None => (None, None, CursorContents::default(), 0),
            Some(stored) => (
                Some(stored.journal),
                Some(stored.file),
                stored.contents,
                stored.lag_bytes_max,
            ),
        };
        let ledger = Arc::new(Mutex::new(Ledger::new(contents)));
        let metrics = Arc::clone(&progress.metrics);
        let feed = Self {
            committer: Committer::new(file, Arc::clone(&ledger), Arc::clone(&clock), metrics),
            reader: Reader::default(),
            progress,
            ledger,
            journal,
            clock,
            lag_bytes_max,
        };
        feed.detach_unknown();
        feed
    }

    /// Opens a consumer; there is one open handle of a name. It continues after its stored cursor, or begins
    /// at `start` if there is none.
    pub fn open(
        self: &Arc<Self>,
        name: &str,
        start: Start,
        when_full: WhenFull,
    ) -> Result<Consumer, FeedError> {
        check_name(name)?;
        self.start_reading()?;
        let name: Arc<str> = name.into();
        let mut ledger = self.ledger.lock();
        let known = ledger.get(&name).copied();
        if known.is_some_and(|known| known.is_open) {
            let name = name.to_string();
            return Err(FeedError::InUse { name });
        }
        if known.is_none() && ledger.consumers().len() >= CONSUMERS_MAX {
            return Err(FeedError::TooMany);
        }
        // Before the number is read, so that all frames after it are kept.
        self.progress.recent.enter();
        let last = self.progress.sequence();
        let at = |position, standing| StoredCursor {
            position,
            committed: self.now(),
            standing,
        };
        // It may have had a cursor in the file that was lost.
        let was_lost = ledger.is_incomplete && when_full == WhenFull::Lag;
        let cursor = match (known, start) {
            (Some(known), _) => known.cursor,
            (None, Start::Beginning) => at(0, Standing::Detached),
            (None, Start::Now | Start::Sequence(_)) if was_lost => at(0, Standing::Detached),
            (None, Start::Now) => at(last, Standing::Following),
            (None, Start::Sequence(sequence)) if sequence > last + 1 => {
                self.progress.recent.leave();
                return Err(FeedError::Ahead { sequence, last });
            }
            (None, Start::Sequence(sequence)) => {
                at(sequence.saturating_sub(1), Standing::Following)
            }
        };
        // A cursor in the file of a consumer that now sheds is removed from it.
        let is_new = known.is_none_or(|known| known.when_full != when_full);
        let id = ledger.open(&name, cursor, when_full);
        drop(ledger);
        let noted = is_new.then(|| {
            let name = Arc::clone(&name);
            self.committer
                .commit(CursorRequest::Note { name }, "", Vec::new())
        });
        let is_older = matches!((known, start), (None, Start::Sequence(_)));
        let mut consumer = Consumer::new(self, name, id, cursor.position, when_full);
        if let Some(noted) = noted {
            consumer.wait_for_note(noted);
        }
        if cursor.standing != Standing::Following {
            consumer.begin_copy();
        } else if is_older {
            consumer.catch_up();
        }
        Ok(consumer)
    }

    /// Opens a consumer without a name: it has no cursor, is not listed, and the journal is not kept for it. If its
    /// next events are gone, it starts again from the facts.
    pub fn follow(self: &Arc<Self>, start: Start) -> Result<Consumer, FeedError> {
        self.start_reading()?;
        // Before the number is read, so that all frames after it are kept.
        self.progress.recent.enter();
        let last = self.progress.sequence();
        let position = match start {
            Start::Now => last,
            Start::Sequence(sequence) => sequence.saturating_sub(1),
            Start::Beginning => 0,
        };
        let mut consumer = Consumer::nameless(self, position);
        if position > last {
            let sequence = position + 1;
            return Err(FeedError::Ahead { sequence, last });
        }
        if start == Start::Beginning {
            consumer.begin_copy();
        }
        Ok(consumer)
    }

    /// Records that everything up to `position` is processed, for a consumer that is not open; `None` if there is none
    /// of this name.
    pub fn acknowledge(
        &self,
        name: &str,
        position: u64,
    ) -> Result<Option<CommitFuture>, FeedError> {
        let ledger = self.ledger.lock();
        let Some((name, entry)) = ledger.get_with_name(name) else {
            return Ok(None);
        };
        if entry.is_open {
            let name = name.to_string();
            return Err(FeedError::InUse { name });
        }
        let (name, id) = (Arc::clone(name), entry.id);
        drop(ledger);
        Ok(Some(self.advance(name, id, position, "", Vec::new())))
    }

    /// Writes a cursor together with changes of the state of `pipeline`.
    pub(super) fn advance(
        &self,
        name: Arc<str>,
        id: u64,
        position: u64,
        pipeline: &str,
        changes: Vec<(String, Option<String>)>,
    ) -> CommitFuture {
        let last = self.progress.sequence();
        if position > last {
            let sequence = position;
            return CommitFuture::ready(Err(FeedError::Ahead { sequence, last }));
        }
        let cursor = CursorRequest::Advance { name, id, position };
        self.committer.commit(cursor, pipeline, changes)
    }

    /// Whether the event after number `position` is in memory or in the journal, or will be.
    pub(super) fn has_event_after(&self, position: u64) -> bool {
        let is_in_journal = |journal: &Arc<Journal>| position + 1 >= journal.size().first_sequence;
        self.progress.recent.bytes_after(position).is_some()
            || self.journal.as_ref().is_some_and(is_in_journal)
    }

    /// Starts the thread that reads for consumers, unless it runs.
    fn start_reading(&self) -> Result<(), FeedError> {
        if self.progress.is_closing() {
            return Err(FeedError::Closed);
        }
        self.reader.start().map_err(|error| {
            let reason: Arc<str> = error_line(&error).into();
            warn!(%reason, "The thread that reads for consumers cannot be started.");
            FeedError::Thread { reason }
        })
    }

    /// All consumers that are open or have a stored cursor, by name.
    #[must_use]
    pub fn consumers(&self) -> Vec<ConsumerReport> {
        let last = self.progress.sequence();
        let recent = &self.progress.recent;
        let entries: Vec<_> = {
            let ledger = self.ledger.lock();
            let entries = ledger.consumers();
            entries
                .map(|(name, entry)| (Arc::clone(name), *entry))
                .collect()
        };
        let reports = entries.into_iter().map(|(name, entry)| {
            let position = entry.cursor.position;
            let processed = entry.cursor.processed();
            let in_journal = || {
                let journal = self.journal.as_ref();
                journal.map_or(0, |journal| journal.bytes_after(position))
            };
            ConsumerReport {
                name: name.to_string(),
                when_full: entry.when_full,
                position,
                lag_events: last.saturating_sub(processed),
                lag_bytes: recent.bytes_after(position).unwrap_or_else(in_journal),
                lag_seconds: recent.age_of_event_after(processed).as_secs_f64(),
                is_open: entry.is_open,
                is_detached: entry.cursor.standing == Standing::Detached,
                is_reading_facts: entry.cursor.standing == Standing::ReadingFacts,
                shed: entry.shed,
            }
        });
        reports.collect()
    }

    /// Removes the stored cursor of a consumer that is not open; returns whether there was one. Blocks until
    /// that is durable.
    pub fn remove(&self, name: &str) -> Result<bool, FeedError> {
        let name: Arc<str> = name.into();
        let mut ledger = self.ledger.lock();
        if ledger.get(&name).is_some_and(|entry| entry.is_open) {
            let name = name.to_string();
            return Err(FeedError::InUse { name });
        }
        let Some(removed) = ledger.remove(&name) else {
            return Ok(false);
        };
        drop(ledger);
        let noted = self.committer.note_durably(&name);
        if noted.is_err() {
            // It is still in the file.
            self.ledger.lock().put_back(name, removed);
        }
        noted.map(|()| true)
    }

    /// The small durable values of a pipeline: keys with JSON texts.
    pub fn state(&self, pipeline: &str) -> Result<Vec<(String, String)>, FeedError> {
        check_name(pipeline)?;
        Ok(self.ledger.lock().state(pipeline))
    }

    /// Sets values of a pipeline; `None` removes one.
    pub fn commit_state(
        &self,
        pipeline: &str,
        changes: Vec<(String, Option<String>)>,
    ) -> CommitFuture {
        if let Err(error) = check_name(pipeline) {
            return CommitFuture::ready(Err(error));
        }
        self.committer
            .commit(CursorRequest::None, pipeline, changes)
    }

    /// The number of the last event whose segment may be removed, of those that the state covers up to
    /// `covered`. Detaches consumers for which too much would be kept. Blocks until that is noted.
    pub(in crate::engine) fn keep_after(&self, covered: u64) -> u64 {
        let Some(journal) = &self.journal else {
            return covered;
        };
        loop {
            let Some((name, position)) = self.ledger.lock().slowest(covered) else {
                return covered;
            };
            let removable = journal.covered_bytes(position);
            let kept = journal.covered_bytes(covered).saturating_sub(removable);
            if kept <= self.lag_bytes_max {
                return position;
            }
            self.detach(&name, position, "The consumer lags behind by more than pipelines.lag_bytes_max; it starts again from the facts.");
            if let Err(error) = self.committer.note_durably(&name) {
                warn!(consumer = %name, error = %error_line(&error), "That a consumer is detached was not noted; a restart will find out again.");
            }
        }
    }

    /// The number of the last event that all consumers have passed, of those up to `covered`.
    pub(in crate::engine) fn passed(&self, covered: u64) -> u64 {
        let slowest = self.ledger.lock().slowest(covered);
        slowest.map_or(covered, |(_, position)| position)
    }

    /// Lets a consumer start again from the facts, because events after `position` are or will be gone.
    pub(super) fn detach(&self, name: &str, position: u64, reason: &'static str) {
        let mut ledger = self.ledger.lock();
        let Some(entry) = ledger.get_mut(name) else {
            return;
        };
        if entry.cursor.standing == Standing::Detached {
            return;
        }
        entry.cursor.standing = Standing::Detached;
        drop(ledger);
        self.progress.metrics.feed.detachments.inc();
        warn!(consumer = name, position, "{reason}");
    }

    /// Bytes of the journal that are kept for a consumer that lags; 0 if there is no journal.
    pub(in crate::engine) fn lag_bytes_max(&self) -> u64 {
        self.lag_bytes_max
    }

    /// The current time of the clock of the engine.
    pub(super) fn now(&self) -> Micros {
        self.clock.now()
    }

    /// Writes the commits that are waiting, and ends the threads. Blocks.
    pub(in crate::engine) fn close(&self) {
        self.reader.close();
        self.committer.close();
    }

    /// Detaches consumers whose next event is not in the journal: it was removed, or the journal was replaced
    /// by an older one.
    fn detach_unknown(&self) {
        let Some(journal) = &self.journal else { return };
        let size = journal.size();
        let known = size.first_sequence.saturating_sub(1)..=size.last_sequence;
        let unknown: Vec<_> = {
            let ledger = self.ledger.lock();
            let entries = ledger.consumers();
            let unknown = entries.filter(|(_, entry)| !known.contains(&entry.cursor.position));
            unknown
                .map(|(name, entry)| (Arc::clone(name), entry.cursor.position))
                .collect()
        };
        for (name, position) in unknown {
            self.detach(&name, position, "The journal no longer has the events after the cursor of the consumer; it starts again from the facts.");
            self.committer.note(&name);
        }
    }
}

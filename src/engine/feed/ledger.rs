//! The cursors of all consumers and the states of all pipelines, in memory.
//!
//! A position and a value are changed here only once they are durable, so that the journal never loses what
//! a restart needs. That a consumer begins, is detached or reads the facts is known here at once, and written
//! later: a new consumer gets nothing before, and a restart that does not know the rest repeats more.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::WhenFull;
use super::committer::{CursorRequest, Request};
use crate::core::Micros;
use crate::state::{CursorChanges, CursorContents, Standing, StoredCursor};

/// What is known of all consumers and pipelines.
#[derive(Default)]
pub(super) struct Ledger {
    consumers: BTreeMap<Arc<str>, Entry>,
    /// Values by pipeline and key.
    values: BTreeMap<(String, String), String>,
    /// See [`CursorContents::is_incomplete`].
    pub(super) is_incomplete: bool,
    ids: u64,
}

/// One consumer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Differs from that of any earlier consumer of the same name that was removed.
    pub(super) id: u64,
    pub(super) cursor: StoredCursor,
    pub(super) when_full: WhenFull,
    pub(super) is_open: bool,
    /// Events that it has skipped since it was opened.
    pub(super) shed: u64,
}

impl Entry {
    /// The cursor, if it belongs in the file.
    fn stored(&self) -> Option<StoredCursor> {
        (self.when_full == WhenFull::Lag).then_some(self.cursor)
    }
}

impl Ledger {
    pub(super) fn new(contents: CursorContents) -> Self {
        let mut ledger = Self {
            values: contents.values,
            is_incomplete: contents.is_incomplete,
            ..Self::default()
        };
        for (name, cursor) in contents.cursors {
            ledger.ids += 1;
            let entry = Entry {
                id: ledger.ids,
                cursor,
                when_full: WhenFull::Lag,
                is_open: false,
                shed: 0,
            };
            ledger.consumers.insert(name.into(), entry);
        }
        ledger
    }

    /// Opens a consumer, known or not, at this cursor; returns its id.
    pub(super) fn open(
        &mut self,
        name: &Arc<str>,
        cursor: StoredCursor,
        when_full: WhenFull,
    ) -> u64 {
        let known = self.get(name).map(|entry| entry.id);
        let id = known.unwrap_or_else(|| {
            self.ids += 1;
            self.ids
        });
        let entry = Entry {
            id,
            cursor,
            when_full,
            is_open: true,
            shed: 0,
        };
        self.consumers.insert(Arc::clone(name), entry);
        id
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Entry> {
        self.consumers.remove(name)
    }

    /// Puts back what was removed, unless the name is taken again.
    pub(super) fn put_back(&mut self, name: Arc<str>, entry: Entry) {
        self.consumers.entry(name).or_insert(entry);
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.consumers.get(name)
    }

    pub(super) fn get_with_name(&self, name: &str) -> Option<(&Arc<str>, &Entry)> {
        self.consumers.get_key_value(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.consumers.get_mut(name)
    }

    pub(super) fn consumers(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Entry)> {
        self.consumers.iter()
    }

    /// Of the consumers for which the journal is kept, the one with the smallest position below `covered`.
    pub(super) fn slowest(&self, covered: u64) -> Option<(Arc<str>, u64)> {
        let kept_for = self.consumers.iter().filter(|(_, entry)| {
            let stored = entry.stored();
            stored.is_some_and(|cursor| {
                cursor.standing != Standing::Detached && cursor.position < covered
            })
        });
        kept_for
            .map(|(name, entry)| (Arc::clone(name), entry.cursor.position))
            .min_by_key(|(_, position)| *position)
    }

    /// The values of a pipeline.
    pub(super) fn state(&self, pipeline: &str) -> Vec<(String, String)> {
        let from = (pipeline.to_owned(), String::new());
        let values = self.values.range(from..);
        let values = values.take_while(|((owner, _), _)| owner == pipeline);
        values
            .map(|((_, key), text)| (key.clone(), text.clone()))
            .collect()
    }

    /// What the requests, in their order, change in the file.
    pub(super) fn plan(&self, requests: &[Request], now: Micros) -> CursorChanges {
        let mut changes = CursorChanges::default();
        for request in requests {
            match &request.cursor {
                CursorRequest::None => {}
                CursorRequest::Advance { name, id, position } => {
                    let entry = self.get(name).filter(|entry| entry.id == *id);
                    let planned = changes.cursors.get(&**name).copied().flatten();
                    let cursor = planned.or_else(|| entry.and_then(Entry::stored));
                    if let Some(mut cursor) = cursor.filter(|_| entry.is_some()) {
                        advance(&mut cursor, *position, now);
                        changes.cursors.insert(name.to_string(), Some(cursor));
                    }
                }
                CursorRequest::Note { name } => {
                    let cursor = self.get(name).and_then(Entry::stored);
                    changes.cursors.insert(name.to_string(), cursor);
                }
            }
            for (key, text) in &request.values {
                let names = (request.pipeline.clone(), key.clone());
                changes.values.insert(names, text.clone());
            }
        }
        changes
    }

    /// Takes over what is durable now.
    pub(super) fn apply(&mut self, requests: &[Request], changes: CursorChanges, now: Micros) {
        for request in requests {
            if let CursorRequest::Advance { name, id, position } = &request.cursor
                && let Some(entry) = self.get_mut(name)
                && entry.id == *id
            {
                // Not as planned: it may have been detached meanwhile, which a later request writes.
                advance(&mut entry.cursor, *position, now);
            }
        }
        for (names, text) in changes.values {
            match text {
                Some(text) => self.values.insert(names, text),
                None => self.values.remove(&names),
            };
        }
    }
}

/// Moves a cursor to a position up to which everything is processed.
pub(super) fn advance(cursor: &mut StoredCursor, position: u64, now: Micros) {
    let is_behind = position < cursor.position;
    match cursor.standing {
        // The events up to there are not all processed until the copy of the facts is.
        Standing::Detached => {}
        Standing::ReadingFacts if is_behind => cursor.committed = now,
        Standing::Following if is_behind => {}
        Standing::Following | Standing::ReadingFacts => {
            *cursor = StoredCursor {
                position,
                committed: now,
                standing: Standing::Following,
            };
        }
    }
}

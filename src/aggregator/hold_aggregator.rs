//! The live aggregator: events in from many threads, answers at any moment.
//!
//! Holders are sharded over a concurrent map; a holder and its keys change under one lock, so every
//! answer sees a consistent cut of each key. Between events of different holders no order is
//! promised, and none matters. It keeps nothing on disk.
//!
//! What it costs: about 200 bytes a holder, 200 bytes a key with its first closed hold, 48 bytes or
//! less for each further stretch of the envelope or mark, and for each named event its id, 80 bytes
//! and the stretch in the view. Plain closed holds that another covers cost nothing.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use foldhash::fast::RandomState;
use rayon::prelude::*;

use super::holder::HolderState;
use super::ids::{IdIndex, IdMemo, IdNumber};
use super::order::{self, Leaders};
use crate::core::columns::LengthMismatch;
use crate::core::{Event, EventColumns, HolderScore, Refusal, Segment, Snapshot, Window};

/// Locks among the holders: enough that two writers rarely meet.
const SHARDS: usize = 256;
/// Events of a batch that one thread takes at a time.
const STRIDE: usize = 1_024;

/// Why a batch of columns was refused, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchRefusal {
    /// The columns differ in length.
    #[error(transparent)]
    Length(#[from] LengthMismatch),
    /// A row is no event.
    #[error("row {row}: {refusal}")]
    Row {
        /// Counted from 0.
        row: usize,
        /// Names the field.
        #[source]
        refusal: Refusal,
    },
}

/// The effective weight of one key over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySegments {
    /// Which token.
    pub token_id: Box<str>,
    /// Which holder.
    pub holder_id: Box<str>,
    /// Maximal stretches in order of time.
    pub segments: Vec<Segment>,
}

/// Hold events of any number of keys; shared by reference among writers and readers.
pub struct HoldAggregator {
    tokens: IdIndex,
    holders: DashMap<Box<str>, HolderState, RandomState>,
    events: AtomicU64,
}

impl Default for HoldAggregator {
    fn default() -> Self {
        Self::new()
    }
}

impl HoldAggregator {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tokens: IdIndex::default(),
            holders: DashMap::with_hasher_and_shard_amount(RandomState::default(), SHARDS),
            events: AtomicU64::new(0),
        }
    }

    /// Adds one event.
    pub fn record(&self, event: &Event<'_>) {
        let token = self.tokens.number(event.token_id);
        if self.record_numbered(token, event) {
            self.settle(event.holder_id);
        }
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds all rows, or none: the first row that is no event refuses the batch. Returns how many.
    pub fn record_batch(&self, columns: &EventColumns<'_>) -> Result<usize, BatchRefusal> {
        let rows = columns.rows()?;
        let event = |row| {
            columns
                .event(row)
                .map_err(|refusal| BatchRefusal::Row { row, refusal })
        };
        let events = (0..rows).map(event).collect::<Result<Vec<_>, _>>()?;
        self.record_events(&events);
        Ok(rows)
    }

    /// Adds many events, on several threads where there are enough of them.
    pub fn record_events(&self, events: &[Event<'_>]) {
        events.par_chunks(STRIDE).for_each(|events| {
            let mut tokens = IdMemo::new(&self.tokens);
            let mut due = Vec::new();
            for event in events {
                if self.record_numbered(tokens.number(event.token_id), event) {
                    due.push(event.holder_id);
                }
            }
            // A reorganisation corrects many facts of one key: they are rebuilt once, not each time.
            for holder_id in due {
                self.settle(holder_id);
            }
        });
        self.events
            .fetch_add(events.len() as u64, Ordering::Relaxed);
    }

    /// Adds all that `other` knows, as if its events had been sent here.
    pub fn merge(&self, other: &Self) {
        if std::ptr::eq(self, other) {
            return;
        }
        // No lock of one is held while the other's is taken: two may merge into each other.
        let holder_ids: Vec<Box<str>> = other
            .holders
            .iter()
            .map(|entry| entry.key().clone())
            .collect();
        for holder_id in holder_ids {
            let Some(theirs) = other.holders.get(&holder_id).map(|entry| entry.clone()) else {
                continue;
            };
            let keys: Vec<_> = theirs
                .keys()
                .map(|(token, facts)| (self.tokens.number(&other.tokens.name(token)), facts))
                .collect();
            let mut ours = self.holders.entry(holder_id).or_default();
            for (token, facts) in keys {
                ours.merge(token, facts);
            }
            ours.settle();
        }
        self.events.fetch_add(other.events(), Ordering::Relaxed);
    }

    /// All holders over `window`.
    #[must_use]
    pub fn snapshot(&self, window: &Window) -> Snapshot {
        let score =
            |entry: dashmap::mapref::multiple::RefMulti<'_, Box<str>, HolderState>| HolderScore {
                holder_id: entry.key().clone(),
                totals: entry.settled().score(window),
            };
        order::snapshot(window, self.holders.par_iter().map(score).collect())
    }

    /// The first `count` holders over `window`.
    #[must_use]
    pub fn leaderboard(&self, count: usize, window: &Window) -> Snapshot {
        let leaders = self
            .holders
            .par_iter()
            .fold(
                || Leaders::new(count),
                |mut leaders, entry| {
                    leaders.offer(entry.settled().score(window), || Cow::Borrowed(entry.key()));
                    leaders
                },
            )
            .reduce(|| Leaders::new(count), Leaders::merge);
        Snapshot::new(*window, leaders.into_ordered(), self.holders())
    }

    /// One holder's rank and sums over `window`; `None` where it was never seen.
    #[must_use]
    pub fn holder(&self, holder_id: &str, window: &Window) -> Option<(u64, HolderScore)> {
        let totals = self.holders.get(holder_id)?.settled().score(window);
        let ahead = self
            .holders
            .par_iter()
            .filter(|entry| entry.settled().score(window).score > totals.score)
            .count();
        Some((
            ahead as u64 + 1,
            HolderScore {
                holder_id: holder_id.into(),
                totals,
            },
        ))
    }

    /// The effective weight of every key over time, by `token_id`, then `holder_id`.
    #[must_use]
    pub fn segments(&self) -> Vec<KeySegments> {
        let mut keys: Vec<_> = self
            .holders
            .iter()
            .flat_map(|entry| {
                let holder = entry.settled();
                holder
                    .keys()
                    .map(|(token, key)| KeySegments {
                        token_id: (&*self.tokens.name(token)).into(),
                        holder_id: entry.key().clone(),
                        segments: key.timeline().segments(),
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        keys.sort_unstable_by(|a, b| (&a.token_id, &a.holder_id).cmp(&(&b.token_id, &b.holder_id)));
        keys
    }

    /// How many events were added, repeated ones included.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// How many holders are known.
    #[must_use]
    pub fn holders(&self) -> usize {
        self.holders.len()
    }

    /// How many keys are known.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.holders.iter().map(|entry| entry.keys().len()).sum()
    }

    /// Adds one event; returns whether the holder is due to be settled.
    fn record_numbered(&self, token: IdNumber, event: &Event<'_>) -> bool {
        if let Some(mut holder) = self.holders.get_mut(event.holder_id) {
            return holder.record(token, event.claim);
        }
        self.holders
            .entry(event.holder_id.into())
            .or_default()
            .record(token, event.claim)
    }

    fn settle(&self, holder_id: &str) {
        if let Some(mut holder) = self.holders.get_mut(holder_id) {
            holder.settle();
        }
    }
}

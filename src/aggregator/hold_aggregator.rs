//! The live aggregator: takes events from many threads and answers at any moment.
//!
//! Holders are divided over locks; a holder and its keys change under one of them, so every answer sees a
//! consistent state of each holder. The order of events of different holders is not defined and does not
//! matter. Nothing is stored on disk here: [`super::changes`] returns what another module may store,
//! [`super::questions`] answers.
//!
//! Memory: about 350 bytes a holder, 40 bytes a key with one closed hold, 24 bytes more for each hold of up
//! to eight that do not overlap, 200 bytes a key with more than that, 32 bytes for each further stretch of
//! the envelope or mark, and for each named event its id, 10 to 40 bytes and the stretch in the view. A key of
//! changes of balance takes about 130 bytes, and for each of them 7 to 26 bytes and its id. A key of more than 64 facts
//! takes twice that for a stretch, 100 bytes more for a named hold in force, and 15 to 20 more for a change. Plain
//! closed holds that another one covers take nothing. A key whose balance falls below 0 takes about 70 bytes more.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use rayon::prelude::*;
use smallvec::SmallVec;

use super::floors::Floors;
use super::holder::HolderState;
use super::ids::{IdIndex, IdNumber};
use super::placed_events::{EventPlace, Parts, PlacedEvents, Run};
use super::questions::Tokens;
use super::shard::{RUN, Shard};
use crate::core::columns::LengthMismatch;
use crate::core::key::{PARTS, part_of};
use crate::core::{Event, EventColumns, EventSink, Micros, Refusal};

/// Number of events from which several threads share a batch.
const SHARED_FROM: usize = 4_096;
/// A part with more than this share of a batch is recorded by the calling thread alone: several threads would
/// wait for its lock, and the questions that those threads also serve would be delayed.
const CROWDED_SHARE: usize = 8;
/// Holders that a merge copies at a time under the lock.
const MERGE_HOLDERS: usize = 64;

/// Why a batch of columns was refused as a whole; the text is complete, like that of a [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchRefusal {
    /// The columns differ in length.
    #[error(transparent)]
    Length(#[from] LengthMismatch),
    /// A row is not a valid event.
    #[error("row {row}: {refusal}")]
    Row {
        /// Index of the row, from 0.
        row: usize,
        /// Why the row is refused; names the field.
        refusal: Refusal,
    },
}

/// The amount of data in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Number of holders with any event.
    pub holders: usize,
    /// Number of pairs of token and holder with any event.
    pub keys: usize,
    /// Number of keys with an open hold.
    pub open_holds: u128,
    /// Number of keys whose balance is below 0 at some instant.
    pub deficits: usize,
}

/// Hold events of any number of keys; writers and readers share it by reference.
pub struct HoldAggregator {
    pub(super) tokens: IdIndex,
    shards: Box<[RwLock<Shard>]>,
    events: AtomicU64,
    pub(super) floors: Floors,
}

impl Default for HoldAggregator {
    fn default() -> Self {
        Self::new()
    }
}

impl HoldAggregator {
    /// An aggregator without events.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tokens: IdIndex::default(),
            shards: (0..PARTS).map(|_| RwLock::default()).collect(),
            events: AtomicU64::new(0),
            floors: Floors::default(),
        }
    }

    /// Adds one event; returns whether it changed anything.
    pub fn record(&self, event: &Event<'_>) -> bool {
        let token = self.tokens.number(event.token_id);
        let part = part_of(event.holder_id);
        let mut shard = self.shard_mut(part);
        let number = shard.number(event.holder_id);
        let done = shard.change_at(number, |holder, deficits| {
            holder.record(token, event.claim, deficits)
        });
        drop(shard);
        if !done.recorded.is_done {
            self.proceed(KeyPlace {
                part,
                number,
                token,
            });
        }
        self.events.fetch_add(1, Ordering::Relaxed);
        done.recorded.is_change
    }

    /// Adds all rows, or none: the first invalid row refuses the batch. Returns the number of events: one a
    /// row, or one for each holder of a transfer.
    pub fn record_batch(&self, columns: &EventColumns<'_>) -> Result<usize, BatchRefusal> {
        let rows = columns.rows()?;
        let mut events = Vec::with_capacity(rows);
        for row in 0..rows {
            columns
                .visit(row, |event| events.push(*event))
                .map_err(|refusal| BatchRefusal::Row { row, refusal })?;
        }
        self.record_events(&events);
        Ok(events.len())
    }

    /// Adds many events, on several threads if there are enough of them. Returns how many changed
    /// nothing.
    pub fn record_events(&self, events: &[Event<'_>]) -> u64 {
        self.record_placed(&self.place(events), 0..events.len())
    }

    /// Adds those events of a batch, which was placed in this aggregator, that have these indices; otherwise like
    /// [`Self::record_events`].
    pub fn record_placed(&self, batch: &PlacedEvents<'_>, range: Range<usize>) -> u64 {
        let (events, places) = batch.slice(range);
        let parts = Parts::of(places);
        let runs = parts.runs();
        let record = |run: Run<'_>| self.record_run(&run, events, places);
        let recorded = if events.len() < SHARED_FROM {
            runs.map(record).fold(Recording::default(), Recording::and)
        } else {
            let is_crowded = |run: &Run<'_>| parts.count(run.part) > events.len() / CROWDED_SHARE;
            let (crowded, spread): (Vec<_>, Vec<_>) = runs.partition(is_crowded);
            let spread = spread.into_par_iter().map(record);
            let spread = spread.reduce(Recording::default, Recording::and);
            crowded.into_iter().map(record).fold(spread, Recording::and)
        };
        // Once for each key, however many of the events changed it.
        let mut under_way = recorded.under_way;
        under_way.sort_unstable();
        under_way.dedup();
        for key in under_way {
            self.proceed(key);
        }
        self.events
            .fetch_add(events.len() as u64, Ordering::Relaxed);
        recorded.repeated
    }

    /// Adds all facts of `other`, as if its events had been added here.
    pub fn merge(&self, other: &Self) {
        if std::ptr::eq(self, other) {
            return;
        }
        for part in 0..PARTS {
            let mut from = 0;
            loop {
                // Only one aggregator's lock is held at a time: two may merge into each other.
                let theirs = other.copies(part, from);
                if theirs.is_empty() {
                    break;
                }
                from += theirs.len();
                for (holder_id, theirs) in theirs {
                    let number = |token| self.tokens.number(&other.tokens.name(token));
                    let keys = theirs.keys().iter();
                    let keys: Vec<_> = keys
                        .map(|(token, key)| (number(token), &key.facts))
                        .collect();
                    let mut ours = self.shard_mut(part);
                    for (token, facts) in keys {
                        ours.change(&holder_id, |holder, deficits| {
                            holder.merge(token, facts, deficits)
                        });
                    }
                }
            }
        }
        self.events.fetch_add(other.events(), Ordering::Relaxed);
    }

    /// The number of events that were added, repeated ones included.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// The number of holders.
    #[must_use]
    pub fn holders(&self) -> usize {
        self.figures().holders
    }

    /// The number of keys.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.figures().keys
    }

    /// The amount of data in memory.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        for part in 0..PARTS {
            let shard = self.shard(part);
            figures.holders += shard.holders().len();
            figures.keys += shard.keys();
            figures.open_holds += shard.open();
            figures.deficits += shard.deficits().count(Tokens::All, Micros::MAX);
        }
        figures
    }

    /// Locks a part of the holders for reading. A panic of a writer does not poison the lock: the owner of the
    /// process ends it then, and until that happens the other holders remain readable.
    pub(super) fn shard(&self, part: usize) -> RwLockReadGuard<'_, Shard> {
        self.shards[part].read()
    }

    /// Locks a part of the holders for reading, unless a writer has it at this moment.
    pub(super) fn shard_if_free(&self, part: usize) -> Option<RwLockReadGuard<'_, Shard>> {
        self.shards[part].try_read()
    }

    /// Locks a part of the holders for writing. The lock must be fair: a writer that takes it again and again for
    /// a large batch would otherwise keep readers out until the end of the batch.
    pub(super) fn shard_mut(&self, part: usize) -> RwLockWriteGuard<'_, Shard> {
        self.shards[part].write()
    }

    /// Continues the changes of a key until they are done, releasing the lock between steps: a withdrawal may
    /// uncover a million stretches, and a change of balance may shift as many.
    fn proceed(&self, key: KeyPlace) {
        loop {
            let mut shard = self.shard_mut(key.part);
            let step = shard.change_at(key.number, |holder, deficits| {
                holder.proceed(key.token, deficits)
            });
            if step.recorded.is_done {
                return;
            }
        }
    }

    /// Copies of some holders of a part, beginning with the number `from`.
    fn copies(&self, part: usize, from: usize) -> Vec<(Box<str>, HolderState)> {
        let shard = self.shard(part);
        let holders = shard.holders().iter().skip(from).take(MERGE_HOLDERS);
        holders
            .map(|holder| (holder.id.clone(), holder.state.clone()))
            .collect()
    }

    /// Adds some events of one part under one lock.
    fn record_run(&self, run: &Run<'_>, events: &[Event<'_>], places: &[EventPlace]) -> Recording {
        let of_run = || {
            let indices = run.events.iter().map(|index| *index as usize);
            indices.map(|index| (&events[index], places[index]))
        };
        let mut shard = self.shard_mut(run.part);
        let numbers: SmallVec<[u32; RUN]> = of_run()
            .map(|(event, place)| {
                let holder = place.holder;
                holder.unwrap_or_else(|| shard.number(event.holder_id))
            })
            .collect();
        if of_run().any(|(_, place)| place.holder.is_none()) {
            // All keys are read before any is changed, so that many memory accesses overlap.
            let tokens = of_run().map(|(_, place)| place.token);
            shard.touch(numbers.iter().copied().zip(tokens));
        }
        let mut recorded = Recording::default();
        for ((event, EventPlace { token, .. }), number) in of_run().zip(numbers) {
            let done = shard.change_at(number, |holder, deficits| {
                holder.record(token, event.claim, deficits)
            });
            recorded.repeated += u64::from(!done.recorded.is_change);
            if !done.recorded.is_lowered {
                // In steps, between which others get the lock.
                let mut is_lowered = false;
                while !is_lowered {
                    drop(shard);
                    shard = self.shard_mut(run.part);
                    is_lowered = shard.lower(number, token);
                }
            }
            if !done.recorded.is_done {
                recorded.under_way.push(KeyPlace {
                    part: run.part,
                    number,
                    token,
                });
            }
        }
        recorded.under_way.dedup();
        recorded
    }
}

impl EventSink for &HoldAggregator {
    fn accept(&mut self, event: &Event<'_>) {
        self.record(event);
    }
}

/// Where a key is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct KeyPlace {
    part: usize,
    number: u32,
    token: IdNumber,
}

/// What recording some events has left.
#[derive(Default)]
struct Recording {
    /// The number of events that changed nothing.
    repeated: u64,
    /// Keys whose changes are not done.
    under_way: Vec<KeyPlace>,
}

impl Recording {
    fn and(mut self, other: Self) -> Self {
        self.repeated += other.repeated;
        self.under_way.extend(other.under_way);
        self
    }
}

//! One part of all holders, behind one lock: found by id, or scanned in sequence.
//!
//! A concurrent map would be as good for writing, but a leaderboard scans a million holders in a few
//! milliseconds, which requires that their ceilings are contiguous. See [`super::questions`] for the readers.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use super::ceiling::Ceilings;
use super::deficits::{Counts, DeficitIndex, HolderDeficits};
use super::holder::{HolderChange, HolderState};
use super::ids::IdNumber;
use super::questions::Tokens;
use crate::core::Micros;

/// Events added under one lock.
pub(super) const RUN: usize = 128;

/// The holders of one part.
#[derive(Default)]
pub(super) struct Shard {
    hasher: RandomState,
    slots: HashTable<Slot>,
    holders: Vec<Holder>,
    /// One for each holder, under the same number.
    ceilings: Ceilings,
    /// Numbers of the holders that are marked as changed, each once.
    changed: Vec<u32>,
    deficits: DeficitIndex,
    keys: usize,
    open: u128,
    /// The number of changes of this part.
    changes: u64,
    /// One for each holder: `changes` after the last change of this holder.
    last_changes: Vec<u64>,
}

/// A holder and its keys.
pub(super) struct Holder {
    pub(super) id: Box<str>,
    pub(super) state: HolderState,
}

/// The number of a holder, with half of its hash, so that growing the table reads no ids.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    number: u32,
}

impl Slot {
    /// A hash of 64 bits, made of the stored half.
    fn spread(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }
}

impl Shard {
    /// Changes a holder, which is created when first seen.
    pub(super) fn change(
        &mut self,
        holder_id: &str,
        change: impl FnOnce(&mut HolderState, &mut HolderDeficits<'_>) -> HolderChange,
    ) -> HolderChange {
        let number = self.number(holder_id);
        self.change_at(number, change)
    }

    /// Changes an existing holder.
    pub(super) fn change_at(
        &mut self,
        number: u32,
        change: impl FnOnce(&mut HolderState, &mut HolderDeficits<'_>) -> HolderChange,
    ) -> HolderChange {
        let holder = &mut self.holders[number as usize].state;
        let (was_changed, was_open) = (holder.is_changed, holder.open());
        let mut deficits = HolderDeficits {
            index: &mut self.deficits,
            holder: number,
        };
        let done = change(holder, &mut deficits);
        if holder.is_changed && !was_changed {
            self.changed.push(number);
        }
        if done.is_summed {
            self.keys += done.new_keys;
            self.open = self.open - was_open + holder.open();
            self.ceilings.set(number as usize, holder.ceiling());
            self.changes += 1;
            self.last_changes[number as usize] = self.changes;
        }
        done
    }

    /// Completes the withdrawals of the last event of a key; returns whether all are.
    pub(super) fn lower(&mut self, number: u32, token: IdNumber) -> bool {
        self.holders[number as usize].state.lower(token)
    }

    /// Marks an existing key as still to be stored.
    pub(super) fn mark_changed(&mut self, holder_id: &str, token: IdNumber) {
        if let Some(number) = self.find(holder_id) {
            let holder = &mut self.holders[number as usize].state;
            let was_changed = holder.is_changed;
            holder.mark(token, true);
            if holder.is_changed && !was_changed {
                self.changed.push(number);
            }
        }
    }

    /// Takes the change marks of up to `holders_max` holders and calls `visit` with each; returns whether
    /// that was all of them.
    pub(super) fn take_changed(
        &mut self,
        holders_max: usize,
        mut visit: impl FnMut(&mut Holder),
    ) -> bool {
        let kept = self.changed.len().saturating_sub(holders_max);
        for number in self.changed.drain(kept..) {
            visit(&mut self.holders[number as usize]);
        }
        self.changed.is_empty()
    }

    pub(super) fn get(&self, holder_id: &str) -> Option<&Holder> {
        self.find(holder_id)
            .map(|number| &self.holders[number as usize])
    }

    /// Reads what changes of these keys will read, and does nothing with it. Independent reads wait for
    /// memory many at a time, whereas changes would wait one after the other.
    pub(super) fn touch(&self, places: impl Iterator<Item = (u32, IdNumber)>) {
        let keys: SmallVec<[_; RUN]> = places
            .map(|(number, token)| self.holders[number as usize].state.touch(token))
            .collect();
        for key in keys.into_iter().flatten() {
            std::hint::black_box(key.facts.touch());
        }
    }

    pub(super) fn holders(&self) -> &[Holder] {
        &self.holders
    }

    /// Calls `visit` with each holder whose score until `as_of` may reach the required score; `visit`
    /// returns the required score from then on.
    pub(super) fn visit_from(
        &self,
        needed: f64,
        as_of: Micros,
        mut visit: impl FnMut(&Holder) -> f64,
    ) -> f64 {
        self.ceilings
            .visit(as_of, needed, |number| visit(&self.holders[number]))
    }

    /// The number of holders, and of their keys whose balance is below 0 before `as_of`.
    pub(super) fn counts(&self, as_of: Micros) -> Counts {
        Counts {
            holders: self.holders.len(),
            deficits: self.deficits.count(Tokens::All, as_of),
        }
    }

    /// The number of changes so far.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// For each holder, the number of changes of this part after its own last change.
    pub(super) fn last_changes(&self) -> &[u64] {
        &self.last_changes
    }

    pub(super) fn deficits(&self) -> &DeficitIndex {
        &self.deficits
    }

    pub(super) fn keys(&self) -> usize {
        self.keys
    }

    /// The number of keys with an open hold.
    pub(super) fn open(&self) -> u128 {
        self.open
    }

    /// The number of a holder, which is created when first seen.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "half of a hash, and 2^32 holders of one part would be 800 GB"
    )]
    pub(super) fn number(&mut self, holder_id: &str) -> u32 {
        let hash = self.hasher.hash_one(holder_id) as u32;
        let holders = &mut self.holders;
        let entry = self.slots.entry(
            Slot::spread(hash),
            |slot| slot.hash == hash && *holders[slot.number as usize].id == *holder_id,
            |slot| Slot::spread(slot.hash),
        );
        match entry {
            Entry::Occupied(entry) => entry.get().number,
            Entry::Vacant(entry) => {
                let number = holders.len() as u32;
                if holders.len() == holders.capacity() {
                    // All parts grow at about the same time: doubling could leave half of the memory unused.
                    holders.reserve_exact(holders.len() / 4 + 4);
                    self.last_changes
                        .reserve_exact(holders.capacity() - holders.len());
                }
                holders.push(Holder {
                    id: holder_id.into(),
                    state: HolderState::default(),
                });
                self.last_changes.push(self.changes);
                self.ceilings
                    .set(number as usize, HolderState::default().ceiling());
                entry.insert(Slot { hash, number });
                number
            }
        }
    }

    /// The number of a holder; `None` if it was never seen.
    #[expect(clippy::cast_possible_truncation, reason = "half of a hash")]
    pub(super) fn find(&self, holder_id: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(holder_id) as u32;
        self.slots
            .find(Slot::spread(hash), |slot| {
                slot.hash == hash && *self.holders[slot.number as usize].id == *holder_id
            })
            .map(|slot| slot.number)
    }
}

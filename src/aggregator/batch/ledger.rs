//! The changes of balance of one partition from one lane, and the numbers of their holders.
//!
//! Holders are numbered here while events are read: a change is then 16 bytes smaller, and most holders have many.
//! Finding a number takes a read of memory that no cache holds, so the table is our own: its reads for
//! several changes can overlap: see [`Ledger::touch`].

use super::super::ids::IdNumber;
use super::arena::{Arena, Run};
use super::entry::{Entry, PackedChange};
use super::holder_code::{Form, HolderCode};
use super::lane::PARTITION_BITS;

/// The holders of a partition and their changes.
#[derive(Default)]
pub(super) struct Ledger {
    /// A power of two of slots, or none; at most three quarters are taken.
    slots: Vec<Slot>,
    holders: u32,
    entries: Run<Entry>,
}

/// A holder and its number, in 24 bytes.
#[derive(Clone, Copy)]
struct Slot {
    words: [u64; 2],
    last: u32,
    /// The number plus one, above the bits of the form; 0 is a free slot.
    number: u32,
}

const _: () = assert!(size_of::<Slot>() == 24);

impl Slot {
    const FREE: Self = Self {
        words: [0; 2],
        last: 0,
        number: 0,
    };

    #[expect(clippy::cast_possible_truncation, reason = "both have 32 bits")]
    fn new(code: HolderCode, number: u32) -> Self {
        let (first, middle, last) = code.words;
        assert!(
            number < u32::MAX >> Form::BITS,
            "at most 2^27 holders of a partition"
        );
        Self {
            words: [first, middle],
            last: last as u32,
            number: (number + 1) << Form::BITS | code.form.bits() as u32,
        }
    }

    fn holder(&self) -> HolderCode {
        HolderCode {
            words: (self.words[0], self.words[1], self.last.into()),
            form: Form::from_bits(self.number.into()),
        }
    }

    /// `None` if it is free.
    const fn number(self) -> Option<u32> {
        (self.number >> Form::BITS).checked_sub(1)
    }
}

impl Ledger {
    /// Adds a change; `hash` is that of `holder`, and `hash_holder` computes it for any holder.
    #[inline]
    pub(super) fn push(
        &mut self,
        arena: &mut Arena,
        (holder, hash): (HolderCode, u64),
        token: IdNumber,
        change: PackedChange,
        hash_holder: impl Fn(&HolderCode) -> u64,
    ) {
        if (self.holders as usize + 1) * 4 > self.slots.len() * 3 {
            self.grow(hash_holder);
        }
        let mut at = self.first_place(hash);
        let number = loop {
            let slot = &mut self.slots[at];
            match slot.number() {
                None => {
                    let number = self.holders;
                    *slot = Slot::new(holder, number);
                    self.holders += 1;
                    break number;
                }
                Some(number) if slot.holder() == holder => break number,
                Some(_) => at = (at + 1) & (self.slots.len() - 1),
            }
        };
        self.entries.push(arena, Entry::new(number, token, change));
    }

    /// Doubles the slots.
    #[cold]
    fn grow(&mut self, hash_holder: impl Fn(&HolderCode) -> u64) {
        let slots = vec![Slot::FREE; (self.slots.len() * 2).max(16)];
        let before = std::mem::replace(&mut self.slots, slots);
        for slot in before {
            if slot.number().is_some() {
                let mut at = self.first_place(hash_holder(&slot.holder()));
                while self.slots[at].number().is_some() {
                    at = (at + 1) & (self.slots.len() - 1);
                }
                self.slots[at] = slot;
            }
        }
    }

    /// The place from which a holder with this hash is looked for; there must be slots. The upper bits, which are the
    /// same for all holders of a partition, are left out.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "below the count of slots")]
    fn first_place(&self, hash: u64) -> usize {
        ((hash << PARTITION_BITS) >> (u64::BITS - self.slots.len().trailing_zeros())) as usize
    }

    /// Both ends of the slot where a holder with this hash probably is, which may be in two lines of the cache. Read
    /// those of several changes before you push the first one: the processor waits for all of them at once.
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> u64 {
        if self.slots.is_empty() {
            return 0;
        }
        let slot = &self.slots[self.first_place(hash)];
        slot.words[0] ^ u64::from(slot.number)
    }

    /// The holders that have changes, with their numbers, which are below their count.
    pub(super) fn holders(&self) -> impl Iterator<Item = (usize, HolderCode)> {
        let taken = |slot: &Slot| Some((slot.number()? as usize, slot.holder()));
        self.slots.iter().filter_map(taken)
    }

    /// The number of holders that have changes.
    pub(super) const fn holder_count(&self) -> usize {
        self.holders as usize
    }

    /// The changes in the order in which they came, in several slices.
    pub(super) fn entries<'a>(&'a self, arena: &'a Arena) -> impl Iterator<Item = &'a [Entry]> {
        self.entries.slices(arena)
    }

    /// The number of changes.
    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::balance::Change;
    use super::super::id_hash::{IdHash, IdHasher};
    use super::*;
    use crate::core::{Delta, Micros};

    #[test]
    fn every_change_has_the_number_of_its_holder_whatever_the_hashes_are() {
        let ids = IdHasher::default();
        let code = |holder: u32| HolderCode::of(&format!("h{holder}"), &ids);
        // All of them in a few places, two each with the same hash.
        let hash_of = |holder: u32| {
            let half = u64::from(holder / 2);
            (half % 3) << (62 - PARTITION_BITS) | half
        };
        let codes: Vec<_> = (0..1_000).map(code).collect();
        let hashes: HashMap<_, _> = (0_u32..)
            .zip(&codes)
            .map(|(holder, code)| (code.words, hash_of(holder)))
            .collect();
        let change = Change {
            id: IdHash::from_words([1, 2]),
            at: Micros::MIN,
            delta: Delta::ZERO,
        };
        let change = PackedChange::new(change).unwrap();
        let (mut arena, mut ledger) = (Arena::default(), Ledger::default());
        let holders = (0..3_000_u32).map(|change| change * 7_919 % 1_000);
        for holder in holders.clone() {
            let code = codes[holder as usize];
            let hash = hashes[&code.words];
            let token = IdNumber(holder);
            ledger.touch(hash);
            ledger.push(&mut arena, (code, hash), token, change, |code| {
                hashes[&code.words]
            });
        }
        let mut known = vec![None; ledger.holder_count()];
        for (number, code) in ledger.holders() {
            assert!(known[number].replace(code).is_none());
        }
        assert_eq!(known.len(), 1_000);
        let entries: Vec<_> = ledger.entries(&arena).flatten().collect();
        assert_eq!(entries.len(), ledger.len());
        assert!(entries.iter().zip(holders).all(|(entry, holder)| {
            entry.token() == IdNumber(holder)
                && known[entry.holder()] == Some(codes[holder as usize])
        }));
        assert!(ledger.slots.len() * 3 >= known.len() * 4);
    }
}

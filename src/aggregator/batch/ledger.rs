//! The changes of balance of one partition from one lane: 8 bytes each, the number of the key and that of
//! the movement.
//!
//! Keys are numbered here while events are read, because most keys have many changes and a movement
//! has two. What is moved is stored once per transfer; see [`super::movement`]. To find a number takes two reads
//! of memory that no cache holds, so the table is one of ours, whose reads for several changes can overlap:
//! see [`Ledger::slot`].

use super::super::ids::IdNumber;
use super::arena::{Arena, Run};
use super::holder_code::HolderCode;

/// The keys of a partition and their changes.
#[derive(Default)]
pub(super) struct Ledger {
    /// A power of two of slots, or none; at most three quarters are taken.
    slots: Vec<Slot>,
    keys: Vec<LedgerKey>,
    entries: Run<Entry>,
}

/// The number of a key plus one, below 32 bits of its hash; 0 is free.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u64);

impl Slot {
    pub(super) const FREE: Self = Self(0);

    const fn new(number: u32, hash: u64) -> Self {
        Self((hash << u32::BITS) | (number as u64 + 1))
    }

    const fn has_bits_of(self, hash: u64) -> bool {
        self.0 >> u32::BITS == hash & u32::MAX as u64
    }

    /// `None` if it is free.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    const fn number(self) -> Option<u32> {
        (self.0 as u32).checked_sub(1)
    }
}

/// A key; its position is its number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct LedgerKey {
    pub(super) holder: HolderCode,
    pub(super) token: IdNumber,
}

/// One change of one key.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Entry {
    /// The number of the key in its ledger.
    key: u32,
    movement: SignedPlace,
}

/// The index of a movement of a lane, and whether its size is taken away.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub(super) struct SignedPlace(u32);

impl SignedPlace {
    const NEGATIVE: u32 = 1 << 31;
    /// The first movement, as it is.
    pub(super) const FIRST: Self = Self(0);

    /// `None` if the index has no room.
    #[inline]
    pub(super) fn new(index: usize, is_negative: bool) -> Option<Self> {
        let index = u32::try_from(index).ok()?;
        let sign = if is_negative { Self::NEGATIVE } else { 0 };
        (index < Self::NEGATIVE).then_some(Self(index | sign))
    }

    #[inline]
    pub(super) const fn index(self) -> usize {
        (self.0 & !Self::NEGATIVE) as usize
    }

    #[inline]
    pub(super) const fn is_negative(self) -> bool {
        self.0 & Self::NEGATIVE != 0
    }
}

impl Entry {
    #[inline]
    pub(super) const fn key(self) -> usize {
        self.key as usize
    }

    #[inline]
    pub(super) const fn movement(self) -> SignedPlace {
        self.movement
    }
}

impl Ledger {
    /// Adds a change; `hash` is [`LedgerKey::hash`] of `key`, and `hash_key` computes it for any key.
    #[inline]
    pub(super) fn push(
        &mut self,
        arena: &mut Arena,
        key: LedgerKey,
        movement: SignedPlace,
        hash: u64,
        hash_key: impl Fn(&LedgerKey) -> u64,
    ) {
        if (self.keys.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow(hash_key);
        }
        let mut at = self.first_place(hash);
        let number = loop {
            let slot = self.slots[at];
            match slot.number() {
                None => break self.add(at, key, hash),
                Some(number) if slot.has_bits_of(hash) && self.keys[number as usize] == key => {
                    break number;
                }
                Some(_) => at = (at + 1) & (self.slots.len() - 1),
            }
        };
        let entry = Entry {
            key: number,
            movement,
        };
        self.entries.push(arena, entry);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "2^32 keys of a partition would be 170 GB"
    )]
    fn add(&mut self, at: usize, key: LedgerKey, hash: u64) -> u32 {
        let number = self.keys.len() as u32;
        self.slots[at] = Slot::new(number, hash);
        self.keys.push(key);
        number
    }

    /// Doubles the slots.
    #[cold]
    fn grow(&mut self, hash_key: impl Fn(&LedgerKey) -> u64) {
        self.slots = vec![Slot::FREE; (self.slots.len() * 2).max(16)];
        for (number, key) in (0..).zip(&self.keys) {
            let hash = hash_key(key);
            let mut at = self.first_place(hash);
            while self.slots[at] != Slot::FREE {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = Slot::new(number, hash);
        }
    }

    /// The place from which a key with this hash is looked for; there must be slots.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "below the count of slots")]
    fn first_place(&self, hash: u64) -> usize {
        (hash >> (u64::BITS - self.slots.len().trailing_zeros())) as usize
    }

    /// Where a key with this hash probably is; read it for several changes before you push the first one, then
    /// [`Self::read_key`]: the processor waits for all of them at once.
    #[inline]
    pub(super) fn slot(&self, hash: u64) -> Slot {
        if self.slots.is_empty() {
            return Slot::FREE;
        }
        self.slots[self.first_place(hash)]
    }

    /// A part of the key in `slot`.
    #[inline]
    pub(super) fn read_key(&self, slot: Slot) -> u64 {
        slot.number()
            .and_then(|number| self.keys.get(number as usize))
            .map_or(0, |key| key.holder.words.0)
    }

    /// The keys by number.
    pub(super) fn keys(&self) -> &[LedgerKey] {
        &self.keys
    }

    /// The changes in the order in which they came, in several slices.
    pub(super) fn entries<'a>(&'a self, arena: &'a Arena) -> impl Iterator<Item = &'a [Entry]> {
        self.entries.slices(arena)
    }
}

impl LedgerKey {
    /// The hash of a key from that of its holder. The upper bits of all holders of a partition are the same, so
    /// they are mixed.
    #[inline]
    pub(super) const fn hash(self, of_holder: u64) -> u64 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        (of_holder ^ (self.token.0 as u64).wrapping_mul(ODD)).wrapping_mul(ODD)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::ids::IdIndex;
    use super::super::super::ids::IdMemo;
    use super::*;

    #[test]
    fn every_change_has_the_number_of_its_key_whatever_the_hashes_are() {
        let index = IdIndex::default();
        let holder = HolderCode::of("ada", &mut IdMemo::new(&index));
        let key = |token: u32| LedgerKey {
            holder,
            token: IdNumber(token),
        };
        // All of them in a few places, two each with the same hash.
        let hash_key = |key: &LedgerKey| {
            let half = u64::from(key.token.0 / 2);
            (half % 3) << 62 | half
        };
        let (mut arena, mut ledger) = (Arena::default(), Ledger::default());
        let tokens = (0..3_000).map(|change| change * 7_919 % 1_000);
        for token in tokens.clone() {
            let hash = hash_key(&key(token));
            let known = ledger.keys.len();
            let before = ledger.slot(hash);
            ledger.push(&mut arena, key(token), SignedPlace::FIRST, hash, hash_key);
            assert!(before != Slot::FREE || ledger.keys.len() == known + 1);
        }
        let entries = ledger.entries(&arena).flatten();
        assert!(
            entries
                .zip(tokens.clone())
                .all(|(entry, token)| { ledger.keys()[entry.key()].token == IdNumber(token) })
        );
        let distinct: std::collections::HashSet<_> = tokens.collect();
        assert_eq!(ledger.keys().len(), distinct.len());
        assert!(ledger.slots.len() * 3 >= ledger.keys.len() * 4);
    }
}

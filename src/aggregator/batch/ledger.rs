//! The changes of balance of one partition from one lane: 8 bytes each, the number of the key and that of
//! the movement.
//!
//! Keys are numbered here while events are read, because most keys have many changes and a movement
//! has two. What is moved is stored once per transfer; see [`super::movement`].

use hashbrown::HashTable;

use super::super::ids::IdNumber;
use super::arena::{Arena, Run};
use super::holder_code::HolderCode;

/// The keys of a partition and their changes.
#[derive(Default)]
pub(super) struct Ledger {
    table: HashTable<u32>,
    keys: Vec<LedgerKey>,
    entries: Run<Entry>,
}

/// A key; its position is its number.
#[derive(Clone, Copy)]
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
    /// Adds a change; `hash` is that of the holder of `key` by `hash_holder`, which is always the same.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "2^32 keys of a partition would be 170 GB"
    )]
    pub(super) fn push(
        &mut self,
        arena: &mut Arena,
        key: LedgerKey,
        movement: SignedPlace,
        hash: u64,
        hash_holder: impl Fn(&HolderCode) -> u64,
    ) {
        let keys = &mut self.keys;
        let entry = self.table.entry(
            mixed(hash, key.token),
            |number| {
                let known = &keys[*number as usize];
                known.token == key.token && known.holder == key.holder
            },
            |number| {
                let known = &keys[*number as usize];
                mixed(hash_holder(&known.holder), known.token)
            },
        );
        let number = *entry
            .or_insert_with(|| {
                keys.push(key);
                keys.len() as u32 - 1
            })
            .get();
        self.entries.push(
            arena,
            Entry {
                key: number,
                movement,
            },
        );
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

/// The hash of a key. The upper bits of all holders of a partition are the same, so they are mixed.
#[inline]
const fn mixed(holder: u64, token: IdNumber) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    (holder ^ (token.0 as u64).wrapping_mul(ODD)).wrapping_mul(ODD)
}

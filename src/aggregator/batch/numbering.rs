//! The holders and keys of a partition as small numbers, in order of appearance, and the room that the facts of
//! each key need.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::super::ids::IdNumber;
use super::holder_code::HolderCode;
use super::record::Record;

/// Numbers the keys of one partition after another.
pub(super) struct Numbering<'a> {
    hasher: &'a RandomState,
    key_table: HashTable<u32>,
    pub(super) keys: Vec<Key>,
    holder_table: HashTable<u32>,
    pub(super) holders: Vec<HolderCode>,
}

/// The number and the hash of a holder.
#[derive(Clone, Copy, Default)]
pub(super) struct NumberedHolder {
    number: u32,
    hash: u64,
}

/// A key, and where its facts are among those of the partition.
pub(super) struct Key {
    code: HolderCode,
    pub(super) token: IdNumber,
    /// Number of the holder.
    pub(super) holder: u32,
    pub(super) closed: Group,
    pub(super) changes: Group,
}

/// The facts of one kind of a key: neighbours in a vector of their kind.
#[derive(Clone, Copy, Default)]
pub(super) struct Group {
    first: u32,
    /// How many there are at most; once they are placed, the index behind the last one.
    end: u32,
}

impl Group {
    /// Places the group at `at`, empty; returns the index behind its room.
    #[inline]
    pub(super) fn place(&mut self, at: u32) -> u32 {
        let room = self.end;
        self.first = at;
        self.end = at;
        at + room
    }

    /// The index of the next fact of the group.
    #[inline]
    pub(super) fn add(&mut self) -> usize {
        let at = self.end;
        self.end += 1;
        at as usize
    }

    #[inline]
    pub(super) const fn range(self) -> Range<usize> {
        self.first as usize..self.end as usize
    }
}

impl<'a> Numbering<'a> {
    pub(super) fn new(hasher: &'a RandomState) -> Self {
        Self {
            hasher,
            key_table: HashTable::new(),
            keys: Vec::new(),
            holder_table: HashTable::new(),
            holders: Vec::new(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.key_table.clear();
        self.keys.clear();
        self.holder_table.clear();
        self.holders.clear();
    }

    /// The number of the record's key; reserves room for its closed hold if it is one.
    #[inline]
    pub(super) fn count(&mut self, record: &Record) -> u32 {
        let number = self.number(record.holder(), record.token());
        self.keys[number as usize].closed.end += u32::from(record.is_closed());
        number
    }

    /// The number of the key of this holder and `token`.
    #[inline]
    pub(super) fn key_of(&mut self, holder: NumberedHolder, token: IdNumber) -> u32 {
        let is_holder = |key: &Key| key.holder == holder.number;
        self.find(holder.hash, token, is_holder, |_| holder.number)
    }

    /// Reserves room for a change of a key.
    #[inline]
    pub(super) fn reserve_change(&mut self, key: u32) {
        self.keys[key as usize].changes.end += 1;
    }

    /// The number of a holder; `None` if there is no key of it.
    #[inline]
    pub(super) fn known_holder(&self, code: &HolderCode) -> Option<usize> {
        let number = self
            .holder_table
            .find(self.hasher.hash_one(code.words), |number| {
                self.holders[*number as usize] == *code
            })?;
        Some(*number as usize)
    }

    /// The number of a key.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every record")]
    fn number(&mut self, code: HolderCode, token: IdNumber) -> u32 {
        let hash = self.hasher.hash_one(code.words);
        let is_holder = |key: &Key| key.code == code;
        self.find(hash, token, is_holder, |all| all.holder(code).number)
    }

    /// The number of the key of `token` and the holder with `hash` that `is_holder` knows and `holder` numbers.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        clippy::cast_possible_truncation,
        reason = "called for every record and change; a partition of 2^32 keys would be 240 GB"
    )]
    fn find(
        &mut self,
        hash: u64,
        token: IdNumber,
        is_holder: impl Fn(&Key) -> bool,
        holder: impl FnOnce(&mut Self) -> u32,
    ) -> u32 {
        let is_key = |number: &u32| {
            let key = &self.keys[*number as usize];
            key.token == token && is_holder(key)
        };
        let hash = key_hash(hash, token);
        if let Some(number) = self.key_table.find(hash, is_key) {
            return *number;
        }
        let number = self.keys.len() as u32;
        let holder = holder(self);
        self.keys.push(Key {
            code: self.holders[holder as usize],
            token,
            holder,
            closed: Group::default(),
            changes: Group::default(),
        });
        let (keys, hasher) = (&self.keys, self.hasher);
        self.key_table.insert_unique(hash, number, |number| {
            let Key { code, token, .. } = &keys[*number as usize];
            key_hash(hasher.hash_one(code.words), *token)
        });
        number
    }

    /// The number of a holder, which is a new one if the holder is.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a partition of 2^32 holders would be 137 GB"
    )]
    pub(super) fn holder(&mut self, code: HolderCode) -> NumberedHolder {
        let hash = self.hasher.hash_one(code.words);
        let holders = &mut self.holders;
        let number = *self
            .holder_table
            .entry(
                hash,
                |number| holders[*number as usize] == code,
                |number| self.hasher.hash_one(holders[*number as usize].words),
            )
            .or_insert_with(|| {
                holders.push(code);
                holders.len() as u32 - 1
            })
            .get();
        NumberedHolder { number, hash }
    }
}

/// The hash of a key from that of its holder. The upper bits of all holders of a partition are the same, so they are
/// mixed.
#[inline]
const fn key_hash(of_holder: u64, token: IdNumber) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    (of_holder ^ (token.0 as u64).wrapping_mul(ODD)).wrapping_mul(ODD)
}

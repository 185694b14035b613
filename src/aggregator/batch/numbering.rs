//! The holders and keys of a partition as small numbers, in order of appearance, and the room that the facts of
//! each key need.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

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

    /// Reserves room for a change of the key with this number.
    #[inline]
    pub(super) fn count_change(&mut self, number: u32) {
        self.keys[number as usize].changes.end += 1;
    }

    /// The number of a key.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        clippy::cast_possible_truncation,
        reason = "called for every record; a partition of 2^32 keys would be 240 GB"
    )]
    pub(super) fn number(&mut self, code: HolderCode, token: IdNumber) -> u32 {
        let hash_key =
            |code: &HolderCode, token: IdNumber| self.hasher.hash_one((code.words, token.0));
        let entry = self.key_table.entry(
            hash_key(&code, token),
            |number| {
                let key = &self.keys[*number as usize];
                key.token == token && key.code == code
            },
            |number| {
                let key = &self.keys[*number as usize];
                hash_key(&key.code, key.token)
            },
        );
        match entry {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let number = self.keys.len() as u32;
                entry.insert(number);
                let holders = &mut self.holders;
                let holder = *self
                    .holder_table
                    .entry(
                        self.hasher.hash_one(code.words),
                        |number| holders[*number as usize] == code,
                        |number| self.hasher.hash_one(holders[*number as usize].words),
                    )
                    .or_insert_with(|| {
                        holders.push(code);
                        holders.len() as u32 - 1
                    })
                    .get();
                self.keys.push(Key {
                    code,
                    token,
                    holder,
                    closed: Group::default(),
                    changes: Group::default(),
                });
                number
            }
        }
    }
}

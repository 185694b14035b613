//! What the named events of a partition state, changes at revision 0 aside: of the events of one key that share an
//! id, the one in force.
//!
//! One table serves all keys of a partition, so a key of a million named holds costs as much for each as a key of one.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::id_hash::IdHash;
use crate::core::findings::Stated;

/// The claims of one partition after another.
pub(super) struct Claims<'a> {
    hasher: &'a RandomState,
    /// The index of the claim of each key and id.
    table: HashTable<u32>,
    in_force: Vec<NamedClaim>,
}

/// What is in force under an id.
#[derive(Clone, Copy)]
pub(super) struct NamedClaim {
    /// The number of the key.
    pub(super) key: u32,
    pub(super) id: IdHash,
    pub(super) stated: Stated,
}

impl<'a> Claims<'a> {
    pub(super) fn new(hasher: &'a RandomState) -> Self {
        Self {
            hasher,
            table: HashTable::new(),
            in_force: Vec::new(),
        }
    }

    /// Begins another partition of about so many claims.
    pub(super) fn clear(&mut self, count: usize) {
        self.in_force.clear();
        self.table.clear();
        self.table
            .reserve(count, |_| unreachable!("the table is empty"));
    }

    /// Adds a claim to what is known under its id.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "2^32 claims of a partition would be 400 GB"
    )]
    pub(super) fn add(&mut self, claim: NamedClaim) {
        let in_force = &self.in_force;
        let hash = |claim: &NamedClaim| self.hasher.hash_one((claim.id, claim.key));
        let entry = self.table.entry(
            hash(&claim),
            |index| {
                let known = &in_force[*index as usize];
                known.id == claim.id && known.key == claim.key
            },
            |index| hash(&in_force[*index as usize]),
        );
        let next = in_force.len() as u32;
        let index = *entry.or_insert(next).get();
        if index == next {
            self.in_force.push(claim);
            return;
        }
        self.in_force[index as usize].stated.meet(claim.stated);
    }

    /// One claim for each key and id, in the order in which their ids came.
    pub(super) fn in_force(&self) -> &[NamedClaim] {
        &self.in_force
    }
}

//! The changes of a partition, as they come and then those of each key together: what a sum needs of them, and their ids
//! beside that.

use std::ops::Range;

use super::balance::{Change, Step};
use super::id_hash::IdHash;
use super::numbering::Key;

/// The changes of one partition after another; what is behind those of the last one has no meaning.
#[derive(Default)]
pub(super) struct PartitionChanges {
    arrived: Vec<Arrived>,
    steps: Vec<Step>,
    ids: Vec<IdHash>,
}

/// A change, and the number of its key.
struct Arrived {
    key: u32,
    step: Step,
    id: IdHash,
}

/// The changes of one key, in any order.
#[derive(Clone, Copy)]
pub(super) struct KeyChanges<'a> {
    pub(super) steps: &'a [Step],
    pub(super) ids: &'a [IdHash],
}

impl PartitionChanges {
    /// Begins with a partition of so many changes.
    pub(super) fn clear(&mut self, count: usize) {
        self.arrived.clear();
        self.arrived.reserve(count);
    }

    /// Adds a change of a key.
    #[inline]
    pub(super) fn add(&mut self, key: u32, step: Step, id: IdHash) {
        self.arrived.push(Arrived { key, step, id });
    }

    /// Gathers the changes of each of the keys, which have room for all of them.
    pub(super) fn gather(&mut self, keys: &mut [Key]) {
        let count = self.arrived.len();
        if self.steps.len() < count {
            self.steps.resize(count, Step::from_words(0, 0));
            self.ids.resize(count, IdHash::from_words([0; 2]));
        }
        for Arrived { key, step, id } in &self.arrived {
            let index = keys[*key as usize].changes.add();
            self.steps[index] = *step;
            self.ids[index] = *id;
        }
    }

    pub(super) fn of_key(&self, range: Range<usize>) -> KeyChanges<'_> {
        KeyChanges {
            steps: &self.steps[range.clone()],
            ids: &self.ids[range],
        }
    }
}

impl KeyChanges<'_> {
    pub(super) const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Change> {
        let both = self.steps.iter().zip(self.ids);
        both.map(|(step, id)| step.change(*id))
    }
}

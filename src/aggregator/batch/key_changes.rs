//! The changes of a partition, those of each key together: what a sum needs of them, and their ids beside that.

use std::ops::Range;

use super::balance::{Change, Step};
use super::entry::Entry;
use super::id_hash::IdHash;

/// The changes of one partition after another; what is behind those of the last one has no meaning.
#[derive(Default)]
pub(super) struct PartitionChanges {
    steps: Vec<Step>,
    ids: Vec<IdHash>,
}

/// The changes of one key, in any order.
#[derive(Clone, Copy)]
pub(super) struct KeyChanges<'a> {
    pub(super) steps: &'a [Step],
    pub(super) ids: &'a [IdHash],
}

impl PartitionChanges {
    /// Makes room for so many changes.
    pub(super) fn reserve(&mut self, count: usize) {
        if self.steps.len() < count {
            self.steps.resize(count, Step::from_words(0, 0));
            self.ids.resize(count, IdHash::from_words([0; 2]));
        }
    }

    #[inline]
    pub(super) fn set(&mut self, index: usize, entry: &Entry) {
        self.steps[index] = entry.step();
        self.ids[index] = entry.id();
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

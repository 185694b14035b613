//! A map ordered by instant, for few entries: one vector.

use super::Micros;

/// Values by instant, in order of time.
#[derive(Clone, Debug)]
pub(super) struct SortedMap<V>(Vec<(Micros, V)>);

impl<V> Default for SortedMap<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V: Copy> SortedMap<V> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn first(&self) -> Option<(Micros, V)> {
        self.0.first().copied()
    }

    pub(super) fn last(&self) -> Option<(Micros, V)> {
        self.0.last().copied()
    }

    pub(super) fn get(&self, at: Micros) -> Option<V> {
        self.last_until(at)
            .filter(|(found, _)| *found == at)
            .map(|(_, value)| value)
    }

    /// The last entry at or before `at`.
    pub(super) fn last_until(&self, at: Micros) -> Option<(Micros, V)> {
        let count = self.0.partition_point(|(key, _)| *key <= at);
        self.0[..count].last().copied()
    }

    /// The last entry before `at`.
    pub(super) fn last_before(&self, at: Micros) -> Option<(Micros, V)> {
        self.0[..self.place(at)].last().copied()
    }

    /// The first entry after `at`.
    pub(super) fn first_after(&self, at: Micros) -> Option<(Micros, V)> {
        self.after(at).next()
    }

    /// The entries after `at`, in order.
    pub(super) fn after(&self, at: Micros) -> impl Iterator<Item = (Micros, V)> {
        let skipped = self.0.partition_point(|(key, _)| *key <= at);
        self.0[skipped..].iter().copied()
    }

    /// The entries at `at` and after it, in order.
    pub(super) fn starting_at(&self, at: Micros) -> impl Iterator<Item = (Micros, V)> {
        self.0[self.place(at)..].iter().copied()
    }

    /// All entries, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Micros, V)> {
        self.0.iter().copied()
    }

    pub(super) fn insert(&mut self, at: Micros, value: V) {
        let place = self.place(at);
        if let Some(entry) = self.0.get_mut(place).filter(|(key, _)| *key == at) {
            entry.1 = value;
            return;
        }
        if self.0.is_empty() {
            // Most keys never get a second entry, so no capacity is reserved for one.
            self.0.reserve_exact(1);
        }
        self.0.insert(place, (at, value));
    }

    pub(super) fn remove(&mut self, at: Micros) {
        self.0.retain(|(key, _)| *key != at);
    }

    /// The index of the entry at `at`, or where it would be inserted.
    fn place(&self, at: Micros) -> usize {
        self.0.partition_point(|(key, _)| *key < at)
    }
}

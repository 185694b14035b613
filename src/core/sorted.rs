//! A map ordered by instant, small where it is small.
//!
//! Most keys know one or two facts, a few know a million: up to [`FEW`] entries lie in one vector,
//! more in a B-tree, so that a late event costs a logarithm and a lone one costs one allocation.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Micros;

/// Entries up to which a vector is used; above, shifting it costs more than a tree.
const FEW: usize = 64;

/// Values by instant, in order of time.
#[derive(Clone, Debug)]
pub(super) enum SortedMap<V> {
    Few(Vec<(Micros, V)>),
    Many(BTreeMap<Micros, V>),
}

impl<V> Default for SortedMap<V> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<V: Copy> SortedMap<V> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(entries) => entries.len(),
            Self::Many(entries) => entries.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn first(&self) -> Option<(Micros, V)> {
        match self {
            Self::Few(entries) => entries.first().copied(),
            Self::Many(entries) => entries.first_key_value().map(|(at, value)| (*at, *value)),
        }
    }

    pub(super) fn last(&self) -> Option<(Micros, V)> {
        match self {
            Self::Few(entries) => entries.last().copied(),
            Self::Many(entries) => entries.last_key_value().map(|(at, value)| (*at, *value)),
        }
    }

    pub(super) fn get(&self, at: Micros) -> Option<V> {
        self.last_until(at)
            .filter(|(found, _)| *found == at)
            .map(|(_, value)| value)
    }

    /// The last entry at or before `at`.
    pub(super) fn last_until(&self, at: Micros) -> Option<(Micros, V)> {
        self.last_within(Bound::Included(at))
    }

    /// The last entry before `at`.
    pub(super) fn last_before(&self, at: Micros) -> Option<(Micros, V)> {
        self.last_within(Bound::Excluded(at))
    }

    #[inline]
    fn last_within(&self, end: Bound<Micros>) -> Option<(Micros, V)> {
        match self {
            Self::Few(entries) => {
                let count = match end {
                    Bound::Included(at) => entries.partition_point(|(key, _)| *key <= at),
                    Bound::Excluded(at) => entries.partition_point(|(key, _)| *key < at),
                    Bound::Unbounded => entries.len(),
                };
                entries[..count].last().copied()
            }
            Self::Many(entries) => {
                let last = entries.range((Bound::Unbounded, end)).next_back();
                last.map(|(key, value)| (*key, *value))
            }
        }
    }

    /// The first entry after `at`.
    pub(super) fn first_after(&self, at: Micros) -> Option<(Micros, V)> {
        self.after(at).next()
    }

    /// The entries after `at`, in order.
    pub(super) fn after(&self, at: Micros) -> impl Iterator<Item = (Micros, V)> {
        self.entries_from(Bound::Excluded(at))
    }

    /// The entries at `at` and after it, in order.
    pub(super) fn starting_at(&self, at: Micros) -> impl Iterator<Item = (Micros, V)> {
        self.entries_from(Bound::Included(at))
    }

    /// All entries, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Micros, V)> {
        self.entries_from(Bound::Unbounded)
    }

    fn entries_from(&self, bound: Bound<Micros>) -> impl Iterator<Item = (Micros, V)> {
        let (few, many) = match self {
            Self::Few(entries) => {
                let skipped = match bound {
                    Bound::Excluded(at) => entries.partition_point(|(key, _)| *key <= at),
                    Bound::Included(at) => entries.partition_point(|(key, _)| *key < at),
                    Bound::Unbounded => 0,
                };
                (&entries[skipped..], None)
            }
            Self::Many(entries) => (&[] as &[_], Some(entries.range((bound, Bound::Unbounded)))),
        };
        few.iter().copied().chain(
            many.into_iter()
                .flatten()
                .map(|(key, value)| (*key, *value)),
        )
    }

    pub(super) fn insert(&mut self, at: Micros, value: V) {
        match self {
            Self::Few(entries) => {
                let place = entries.partition_point(|(key, _)| *key < at);
                if let Some(entry) = entries.get_mut(place).filter(|(key, _)| *key == at) {
                    entry.1 = value;
                    return;
                }
                if entries.is_empty() {
                    // Most keys never see a second entry: no room is kept for one.
                    entries.reserve_exact(1);
                }
                entries.insert(place, (at, value));
                if entries.len() > FEW {
                    *self = Self::Many(std::mem::take(entries).into_iter().collect());
                }
            }
            Self::Many(entries) => {
                entries.insert(at, value);
            }
        }
    }

    pub(super) fn remove(&mut self, at: Micros) {
        match self {
            Self::Few(entries) => entries.retain(|(key, _)| *key != at),
            Self::Many(entries) => {
                entries.remove(&at);
            }
        }
    }
}

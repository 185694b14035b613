//! The keys of one holder by token: few are in one sorted vector, many in a hash map.
//!
//! Most holders have a handful of keys, a few have a million.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::ids::IdNumber;
use crate::core::KeyFacts;

/// Most keys in a vector; above that, shifting it costs more than hashing.
const FEW: usize = 32;

/// A key and its state in storage.
#[derive(Clone)]
pub(super) struct HeldKey {
    token: IdNumber,
    pub(super) facts: KeyFacts,
    /// Whether it has changed since it was last stored.
    pub(super) is_changed: bool,
}

/// The keys of one holder, by token.
#[derive(Clone)]
pub(super) enum HeldKeys {
    Few(Vec<HeldKey>),
    Many(Box<HashMap<IdNumber, HeldKey, FixedState>>),
}

impl HeldKey {
    fn new(token: IdNumber) -> Self {
        Self {
            token,
            facts: KeyFacts::default(),
            is_changed: false,
        }
    }
}

impl Default for HeldKeys {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl HeldKeys {
    /// Reserves capacity for exactly `count` more.
    pub(super) fn make_room(&mut self, count: usize) {
        match self {
            Self::Few(keys) if keys.len() + count <= FEW => keys.reserve_exact(count),
            Self::Few(_) | Self::Many(_) => {}
        }
    }

    /// Whether there are so few that visiting all of them is cheap.
    pub(super) const fn are_few(&self) -> bool {
        matches!(self, Self::Few(_))
    }

    pub(super) fn get(&self, token: IdNumber) -> Option<&HeldKey> {
        match self {
            Self::Few(keys) => keys
                .get(place(keys, token))
                .filter(|key| key.token == token),
            Self::Many(keys) => keys.get(&token),
        }
    }

    pub(super) fn get_mut(&mut self, token: IdNumber) -> Option<&mut HeldKey> {
        match self {
            Self::Few(keys) => {
                let place = place(keys, token);
                keys.get_mut(place).filter(|key| key.token == token)
            }
            Self::Many(keys) => keys.get_mut(&token),
        }
    }

    /// The key of `token`, created when first seen, and whether it is new.
    pub(super) fn entry(&mut self, token: IdNumber) -> (&mut HeldKey, bool) {
        if let Self::Few(keys) = self
            && keys.len() == FEW
            && keys.iter().all(|key| key.token != token)
        {
            let keys = std::mem::take(keys).into_iter();
            *self = Self::Many(Box::new(keys.map(|key| (key.token, key)).collect()));
        }
        match self {
            Self::Few(keys) => {
                let place = place(keys, token);
                let is_new = keys.get(place).is_none_or(|key| key.token != token);
                if is_new {
                    if keys.len() == keys.capacity() {
                        // Many holders never get a second key, so no capacity is reserved for one. After that
                        // the capacities are 4, 10, 22: growth leaves few small freed pieces behind.
                        keys.reserve_exact(keys.len() + keys.len().min(1) + 1);
                    }
                    keys.insert(place, HeldKey::new(token));
                }
                (&mut keys[place], is_new)
            }
            Self::Many(keys) => match keys.entry(token) {
                Entry::Occupied(entry) => (entry.into_mut(), false),
                Entry::Vacant(entry) => (entry.insert(HeldKey::new(token)), true),
            },
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IdNumber, &HeldKey)> {
        let (few, many) = match self {
            Self::Few(keys) => (keys.as_slice(), None),
            Self::Many(keys) => (&[] as &[_], Some(keys.values())),
        };
        let all = few.iter().chain(many.into_iter().flatten());
        all.map(|key| (key.token, key))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (IdNumber, &mut HeldKey)> {
        let (few, many) = match self {
            Self::Few(keys) => (keys.as_mut_slice(), None),
            Self::Many(keys) => (&mut [] as &mut [_], Some(keys.values_mut())),
        };
        let all = few.iter_mut().chain(many.into_iter().flatten());
        all.map(|key| (key.token, key))
    }
}

/// The index of the key of `token`, or where it would be inserted, among few in order. Counting reads all
/// of them at once without a branch to predict; a binary search waits for one read after the other.
fn place(keys: &[HeldKey], token: IdNumber) -> usize {
    keys.iter().filter(|key| key.token < token).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_key_takes_32_bytes() {
        assert_eq!(size_of::<HeldKey>(), 32);
    }
}

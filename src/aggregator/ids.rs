//! Ids as small integers, assigned in order of appearance and never freed.
//!
//! For token ids everywhere, and for the holder ids that a batch cannot pack into a record.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// The number of an id in an [`IdIndex`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct IdNumber(pub(super) u32);

/// Ids seen so far; shared by all writers.
#[derive(Default)]
pub(super) struct IdIndex {
    ids: RwLock<Ids>,
}

#[derive(Default)]
struct Ids {
    numbers: HashMap<Arc<str>, IdNumber, RandomState>,
    names: Vec<Arc<str>>,
}

impl IdIndex {
    /// The number of `id`, which is assigned when the id is first seen.
    ///
    /// # Panics
    /// At the 2^32nd id.
    pub(super) fn number(&self, id: &str) -> IdNumber {
        if let Some(number) = self.known(id) {
            return number;
        }
        let mut guard = self.ids.write().unwrap_or_else(PoisonError::into_inner);
        let ids = &mut *guard;
        if let Some(number) = ids.numbers.get(id) {
            return *number;
        }
        let number = IdNumber(u32::try_from(ids.names.len()).expect("fewer than 2^32 ids"));
        let name: Arc<str> = id.into();
        ids.names.push(Arc::clone(&name));
        ids.numbers.insert(name, number);
        number
    }

    /// The number of `id`, if it has been seen.
    pub(super) fn known(&self, id: &str) -> Option<IdNumber> {
        self.read().numbers.get(id).copied()
    }

    /// Passes the number of each of `ids` to `take`, in order. One lock serves all ids that were seen before.
    pub(super) fn numbers<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
        mut take: impl FnMut(IdNumber),
    ) {
        let mut known = self.read();
        for id in ids {
            let number = known.numbers.get(id).copied();
            take(if let Some(number) = number {
                number
            } else {
                drop(known);
                let number = self.number(id);
                known = self.read();
                number
            });
        }
    }

    /// The id with a number that this index assigned.
    pub(super) fn name(&self, number: IdNumber) -> Arc<str> {
        Arc::clone(&self.read().names[number.0 as usize])
    }

    /// All ids by their number. New ids wait while the guard exists.
    pub(super) fn names(&self) -> Names<'_> {
        Names(self.read())
    }

    /// A panic while the lock is held leaves the tables consistent: both are written last.
    fn read(&self) -> RwLockReadGuard<'_, Ids> {
        self.ids.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids by their number.
pub(super) struct Names<'a>(RwLockReadGuard<'a, Ids>);

impl Names<'_> {
    /// All ids by their number.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.names.iter().map(|name| &**name)
    }

    /// The id with a number that the index assigned.
    pub(super) fn get(&self, number: IdNumber) -> &str {
        &self.0.names[number.0 as usize]
    }
}

/// A cache of the numbers that one thread has looked up, so that it rarely reads the shared index.
pub(super) struct IdMemo<'a> {
    index: &'a IdIndex,
    numbers: HashMap<Box<str>, IdNumber, RandomState>,
}

impl<'a> IdMemo<'a> {
    pub(super) fn new(index: &'a IdIndex) -> Self {
        Self {
            index,
            numbers: HashMap::default(),
        }
    }

    /// The number of `id`.
    pub(super) fn number(&mut self, id: &str) -> IdNumber {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = self.index.number(id);
        self.numbers.insert(id.into(), number);
        number
    }
}

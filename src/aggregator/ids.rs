//! Ids as small integers, given in order of first sight and never taken back.
//!
//! For token ids everywhere, and for the holder ids that a batch cannot pack into a record.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// The place of an id in a [`IdIndex`].
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
    /// The number of `id`, a new one at first sight.
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

    /// The number of `id`, if it was seen.
    pub(super) fn known(&self, id: &str) -> Option<IdNumber> {
        self.read().numbers.get(id).copied()
    }

    /// The number of each of `ids`, in their order. The lock is taken once for all that were seen.
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

    /// The id behind a number that this index gave.
    pub(super) fn name(&self, number: IdNumber) -> Arc<str> {
        Arc::clone(&self.read().names[number.0 as usize])
    }

    /// A panic while the lock is held leaves the tables whole: both are written last.
    fn read(&self) -> RwLockReadGuard<'_, Ids> {
        self.ids.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Numbers that one thread has already asked for, so that it rarely touches the shared index.
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

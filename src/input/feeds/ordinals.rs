//! Numbers for rows that are equal in everything that a feed says, such as two equal transfers in one
//! transaction of an export without log indices.
//!
//! Equal rows get the numbers 1, 2, 3 in any order: as the rows are equal, the set of events is the same
//! whichever thread reads which of them. Numbers begin anew in each file, so that overlapping exports agree.

use hashbrown::HashMap;
use parking_lot::Mutex;

/// The numbers of one file.
#[derive(Debug, Default)]
pub(super) struct Ordinals(Mutex<HashMap<String, u64>>);

impl Ordinals {
    /// The number of one more row with this identity, from 1.
    pub(super) fn next(&self, identity: &str) -> u64 {
        let mut known = self.0.lock();
        if let Some(last) = known.get_mut(identity) {
            *last += 1;
            return *last;
        }
        known.insert(identity.to_owned(), 1);
        1
    }
}

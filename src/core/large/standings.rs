//! The named events of a large key, divided over buckets by a hash of their names.
//!
//! Each new bucket takes its names from one other ("linear hashing", Litwin 1980), so no event waits until a million
//! names have been moved, and a bucket has few enough names to search them one by one.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use crate::core::packed_id::PackedId;
use crate::core::standings::{Replaced, Standings};
use crate::core::{Claim, Standing};

/// Most names of a bucket on average.
const NAMES: usize = 12;

/// One hasher for all keys: ids that collide with others in one process do not in the next.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// Named events by name.
#[derive(Clone, Default)]
pub(super) struct DividedStandings {
    buckets: Vec<Standings>,
    count: usize,
}

impl DividedStandings {
    /// The number of names.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Replaces the standing of a name and returns the previous one; `None` if the previous one prevails.
    pub(super) fn replace(&mut self, event_id: &str, standing: Standing) -> Option<Replaced> {
        if self.buckets.len() * NAMES <= self.count {
            self.split();
        }
        let id = PackedId::of(event_id);
        let place = place(id.bytes(), self.buckets.len());
        let bucket = &mut self.buckets[place];
        let known = bucket.len();
        let replaced = bucket.replace(&id, standing);
        self.count += bucket.len() - known;
        replaced
    }

    /// Adds a bucket, to which some names of one other move.
    fn split(&mut self) {
        let new = self.buckets.len();
        let moved = new.checked_ilog2().map(|bits| {
            let split = &mut self.buckets[new ^ (1 << bits)];
            split.split_off(|id| place(id, new + 1) == new)
        });
        self.buckets.push(moved.unwrap_or_default());
    }

    /// Calls `visit` with the claim in force of each name, in arbitrary order.
    pub(super) fn claims(&self, mut visit: impl FnMut(Claim<'_>)) {
        for bucket in &self.buckets {
            bucket.claims(&mut visit);
        }
    }

    /// The same from the bucket with the number `first` on, up to the one with which they are at least `claims_max`;
    /// returns where to go on. New names may be added meanwhile: none of the others is left out, as names move to
    /// later buckets only; those that move are visited again.
    pub(super) fn claims_from(
        &self,
        first: usize,
        claims_max: usize,
        mut visit: impl FnMut(Claim<'_>),
    ) -> Option<usize> {
        let mut visited = 0;
        for (number, bucket) in self.buckets.iter().enumerate().skip(first) {
            bucket.claims(&mut visit);
            visited += bucket.len();
            if visited >= claims_max {
                return Some(number + 1);
            }
        }
        None
    }
}

/// The bucket of a name among so many: the lowest bits of its hash, or all but the highest of them if that bucket is
/// still to come.
#[expect(clippy::cast_possible_truncation, reason = "some bits are enough")]
fn place(id: &[u8], buckets: usize) -> usize {
    let hash = HASHER.hash_one(id) as usize;
    let all = buckets.next_power_of_two();
    let place = hash & (all - 1);
    if place < buckets {
        place
    } else {
        place - all / 2
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn names_are_found_again_while_buckets_are_split_and_no_bucket_is_long() {
        let mut standings = DividedStandings::default();
        let standing = |revision| Standing {
            revision,
            fact: None,
        };
        for number in 0..20_000_u64 {
            let earlier = number / 2;
            for (name, is_new) in [(number, true), (earlier, false)] {
                let replaced = standings.replace(&name.to_string(), standing(1));
                assert_eq!(replaced.is_some(), is_new, "{name}");
            }
        }
        assert_eq!(standings.len(), 20_000);
        let longest = standings.buckets.iter().map(Standings::len).max();
        assert!(longest < Some(4 * NAMES), "{longest:?}");
        assert!(standings.buckets.len() <= 20_000 / NAMES + 1);
    }

    #[test]
    fn a_walk_leaves_out_no_name_that_was_there_at_its_beginning() {
        let mut standings = DividedStandings::default();
        let add = |standings: &mut DividedStandings, numbers: std::ops::Range<u64>| {
            for number in numbers {
                let standing = Standing {
                    revision: number,
                    fact: None,
                };
                standings.replace(&number.to_string(), standing);
            }
        };
        add(&mut standings, 0..1_000);
        let mut seen = BTreeMap::new();
        let (mut next, mut added) = (Some(0), 1_000);
        while let Some(place) = next {
            let mut visited = 0;
            next = standings.claims_from(place, 100, |claim| {
                if let Claim::Named { event_id, standing } = claim {
                    visited += 1;
                    assert_eq!(standing.revision.to_string(), event_id);
                    *seen.entry(standing.revision).or_insert(0) += 1;
                }
            });
            assert!(visited < 100 + 4 * NAMES);
            if added < 3_000 {
                add(&mut standings, added..added + 100);
                added += 100;
            }
        }
        assert!((0..1_000).all(|number| seen.contains_key(&number)));
    }
}

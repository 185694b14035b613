//! The claims of a large key, from which an equal one can be made: all of them, or piece by piece.

use super::LargeKey;
use crate::core::{Claim, Fact, Micros};

/// How far the claims of a key have been yielded; see [`LargeKey::claims_from`].
#[derive(Clone, Copy, Debug)]
pub(in crate::core) enum ClaimPlace {
    Holds(Micros),
    Marks(Micros),
    /// The number of a bucket of names.
    Named(usize),
}

impl LargeKey {
    /// Yields the smallest set of claims that makes an equal key.
    pub(in crate::core) fn claims(&self, mut visit: impl FnMut(Claim<'_>)) {
        self.plain
            .held(Micros::MIN, Micros::MAX, |start, end, weight| {
                visit(Claim::Plain(Fact::Closed { start, end, weight }));
            });
        for (at, mark) in self.marks.plain() {
            visit(Claim::Plain(mark.fact(at)));
        }
        self.standings.claims(visit);
    }

    /// Calls `visit` with about `claims_max` of the claims, from `place` on; returns where to go on. The key may
    /// change meanwhile: what is in force from the first call to the last is yielded.
    pub(in crate::core) fn claims_from(
        &self,
        place: ClaimPlace,
        claims_max: usize,
        mut visit: impl FnMut(Claim<'_>),
    ) -> Option<ClaimPlace> {
        match place {
            ClaimPlace::Holds(start) => {
                let hold = |start, end, weight| {
                    visit(Claim::Plain(Fact::Closed { start, end, weight }));
                };
                let next = self.plain.some_held(start, claims_max, hold);
                let marks = ClaimPlace::Marks(Micros::MIN);
                Some(next.map_or(marks, ClaimPlace::Holds))
            }
            ClaimPlace::Marks(start) => {
                let mut marks = self.marks.plain_from(start);
                for (at, mark) in marks.by_ref().take(claims_max) {
                    visit(Claim::Plain(mark.fact(at)));
                }
                let named = ClaimPlace::Named(0);
                Some(marks.next().map_or(named, |(at, _)| ClaimPlace::Marks(at)))
            }
            ClaimPlace::Named(place) => {
                let next = self.standings.claims_from(place, claims_max, visit);
                next.map(ClaimPlace::Named)
            }
        }
    }

    /// The number of claims that [`Self::claims`] yields, or some number above `enough` if it seems to be larger.
    pub(in crate::core) fn claim_count(&self, enough: usize) -> usize {
        let mut count = self.standings.len() + self.marks.plain().len();
        let more = enough.saturating_sub(count);
        let has_more = || self.plain.some_held(Micros::MIN, more, |_, _, _| {});
        if count > enough || has_more().is_some() {
            return count.max(enough + 1);
        }
        self.plain
            .held(Micros::MIN, Micros::MAX, |_, _, _| count += 1);
        count
    }
}

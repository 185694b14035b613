//! Holders in order of their score.
//!
//! Score descending, then `holder_id` ascending by bytes; holders of equal score share a rank.

use std::cmp::Ordering;

use super::{Totals, Window};

/// The sums of one holder over the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderScore {
    /// Not empty.
    pub holder_id: Box<str>,
    /// Sums over the holder's keys.
    pub totals: Totals,
}

impl HolderScore {
    /// Leaderboard order.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        let by_score = other.totals.score.cmp(&self.totals.score);
        by_score.then_with(|| self.holder_id.as_bytes().cmp(other.holder_id.as_bytes()))
    }
}

/// A holder, owned or borrowed, with its rank: 1 + the number of holders with a strictly larger score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankedHolder<H = HolderScore> {
    /// 1, 1, 3 if the first two have the same score.
    pub rank: u64,
    /// The holder.
    pub holder: H,
}

impl RankedHolder {
    /// The same, with the holder borrowed.
    #[must_use]
    pub const fn as_ref(&self) -> RankedHolder<&HolderScore> {
        RankedHolder {
            rank: self.rank,
            holder: &self.holder,
        }
    }
}

/// The answer to one question: holders in leaderboard order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    window: Window,
    holders: Vec<HolderScore>,
    /// The number of known holders; more than are listed if only the first were requested.
    known: usize,
    deficits: usize,
}

impl Snapshot {
    /// `holders` are the first of `known` in leaderboard order; the caller sorts them. `deficits` of their keys
    /// have a balance below 0 at some instant before the end of the window.
    #[must_use]
    pub fn new(window: Window, holders: Vec<HolderScore>, known: usize, deficits: usize) -> Self {
        debug_assert!(
            holders.is_sorted_by(|a, b| a.order(b).is_lt()),
            "leaderboard order"
        );
        Self {
            window,
            holders,
            known,
            deficits,
        }
    }

    /// The window of the question.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The listed holders, in leaderboard order.
    #[must_use]
    pub fn holders(&self) -> &[HolderScore] {
        &self.holders
    }

    /// The number of holders with any accepted event.
    #[must_use]
    pub const fn known(&self) -> usize {
        self.known
    }

    /// The number of keys whose balance is below 0 at some instant before the end of the window; see
    /// [`super::Deficit`].
    #[must_use]
    pub const fn deficits(&self) -> usize {
        self.deficits
    }

    /// The listed holders with their ranks, in leaderboard order.
    #[must_use]
    pub fn ranked(&self) -> impl ExactSizeIterator<Item = RankedHolder<&HolderScore>> {
        let mut tie = (0, 0);
        self.holders.iter().enumerate().map(move |(index, holder)| {
            let first = self.holders[tie.0].totals.score;
            if index == 0 || holder.totals.score != first {
                tie = (index, index as u64 + 1);
            }
            RankedHolder {
                rank: tie.1,
                holder,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Micros, Wad};

    fn holder(id: &str, micros: u64) -> HolderScore {
        HolderScore {
            holder_id: id.into(),
            totals: Totals::of(Wad::ONE, micros),
        }
    }

    #[test]
    fn equal_scores_share_a_rank_and_are_ordered_by_bytes() {
        let mut holders = vec![
            holder("b", 5),
            holder("é", 9),
            holder("a", 5),
            holder("z", 9),
            holder("c", 1),
        ];
        holders.sort_by(HolderScore::order);
        let snapshot = Snapshot::new(Window::until(Micros::MAX), holders, 5, 0);
        let ranks: Vec<_> = snapshot
            .ranked()
            .map(|row| (row.rank, &*row.holder.holder_id))
            .collect();
        assert_eq!(ranks, [(1, "z"), (1, "é"), (3, "a"), (3, "b"), (5, "c")]);
    }
}

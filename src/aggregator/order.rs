//! From scored holders in any order to a leaderboard.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use crate::core::{HolderScore, Snapshot, Totals, Window};

/// Sorts all of `holders` into a snapshot.
pub(super) fn snapshot(
    window: &Window,
    mut holders: Vec<HolderScore>,
    deficits: usize,
) -> Snapshot {
    holders.par_sort_unstable_by(HolderScore::order);
    let known = holders.len();
    Snapshot::new(*window, holders, known, deficits)
}

/// The first holders of a leaderboard, found without sorting or copying the others.
pub(super) struct Leaders {
    count: usize,
    /// In any order, while there are fewer than `count`.
    few: Vec<HolderScore>,
    /// All of them, once there are `count`. The greatest is the last of the leaders, the first one to be displaced.
    heap: BinaryHeap<Leader>,
}

impl Leaders {
    pub(super) fn new(count: usize) -> Self {
        Self {
            count,
            few: Vec::new(),
            heap: BinaryHeap::new(),
        }
    }

    /// Offers one holder; `holder_id` is called only if the holder leads or ties.
    pub(super) fn offer<'a>(&mut self, totals: Totals, holder_id: impl FnOnce() -> Cow<'a, str>) {
        let Some(mut last) = self.heap.peek_mut() else {
            if self.count > 0 {
                self.few.push(HolderScore {
                    holder_id: holder_id().into(),
                    totals,
                });
                self.gather();
            }
            return;
        };
        match totals.score.cmp(&last.0.totals.score) {
            Ordering::Less => {}
            Ordering::Equal => {
                let holder_id = holder_id();
                if holder_id.as_bytes() < last.0.holder_id.as_bytes() {
                    last.0 = HolderScore {
                        holder_id: holder_id.into(),
                        totals,
                    };
                }
            }
            Ordering::Greater => {
                last.0 = HolderScore {
                    holder_id: holder_id().into(),
                    totals,
                }
            }
        }
    }

    /// A score that the next leader must at least have; `None` while there are too few leaders.
    pub(super) fn entry_floor(&self) -> Option<f64> {
        if self.count == 0 {
            return Some(f64::INFINITY);
        }
        self.heap.peek().map(|last| last.0.totals.score.floor())
    }

    /// The leaders of both together.
    pub(super) fn merge(mut self, mut other: Self) -> Self {
        if self.heap.is_empty() && other.few.len() < self.count - self.few.len() {
            self.few.append(&mut other.few);
        }
        let others = other
            .few
            .into_iter()
            .chain(other.heap.into_iter().map(|leader| leader.0));
        for HolderScore { holder_id, totals } in others {
            self.offer(totals, || Cow::Owned(holder_id.into()));
        }
        self
    }

    /// The leaders in order.
    pub(super) fn into_ordered(self) -> Vec<HolderScore> {
        let mut leaders = self.few;
        leaders.extend(self.heap.into_iter().map(|leader| leader.0));
        leaders.par_sort_unstable_by(HolderScore::order);
        leaders
    }

    /// Makes a heap of the leaders once there are enough.
    fn gather(&mut self) {
        if self.few.len() == self.count {
            self.heap = std::mem::take(&mut self.few)
                .into_iter()
                .map(Leader)
                .collect();
        }
    }
}

#[derive(PartialEq, Eq)]
struct Leader(HolderScore);

impl Ord for Leader {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order(&other.0)
    }
}

impl PartialOrd for Leader {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

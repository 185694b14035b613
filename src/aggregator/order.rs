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
    /// The greatest is the last of the leaders, the first one to be displaced.
    heap: BinaryHeap<Leader>,
}

impl Leaders {
    pub(super) fn new(count: usize) -> Self {
        Self {
            count,
            heap: BinaryHeap::new(),
        }
    }

    /// Offers one holder; `holder_id` is called only if the holder leads or ties.
    pub(super) fn offer<'a>(&mut self, totals: Totals, holder_id: impl FnOnce() -> Cow<'a, str>) {
        if self.heap.len() < self.count {
            self.heap.push(Leader(HolderScore {
                holder_id: holder_id().into(),
                totals,
            }));
            return;
        }
        let Some(mut last) = self.heap.peek_mut() else {
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
        if self.heap.len() < self.count {
            return None;
        }
        let last = self.heap.peek();
        Some(last.map_or(f64::INFINITY, |last| last.0.totals.score.floor()))
    }

    /// The leaders of both together.
    pub(super) fn merge(mut self, other: Self) -> Self {
        for Leader(HolderScore { holder_id, totals }) in other.heap {
            self.offer(totals, || Cow::Owned(holder_id.into()));
        }
        self
    }

    /// The leaders in order.
    pub(super) fn into_ordered(self) -> Vec<HolderScore> {
        self.heap
            .into_sorted_vec()
            .into_iter()
            .map(|Leader(holder)| holder)
            .collect()
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

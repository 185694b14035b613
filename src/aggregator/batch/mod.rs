//! Whole files into scores: every event is seen once, the question is known at the end.
//!
//! Each reading thread fills a [`Lane`]: a holder becomes 20 bytes, an event one 56-byte record in
//! one of 512 partitions, chosen by the holder's hash. [`BatchScorer::finish`] then takes partition
//! by partition on all cores: it numbers the keys of the partition, lays the records of a key side
//! by side, sorts each key by time and sweeps it once. All of that fits into the cache of a core,
//! and nothing is allocated for a key. Read on in `lane`, `partition`, `sweep`.

mod arena;
mod holder_code;
mod lane;
mod partition;
mod record;
mod sweep;

use std::borrow::Cow;

use foldhash::fast::RandomState;
use rayon::prelude::*;

pub use lane::Lane;

use self::partition::{PartitionScorer, Want};
use super::ids::IdIndex;
use super::order::{self, Leaders};
use crate::core::{HolderScore, Snapshot, Window};

/// What the lanes of one run share.
#[derive(Default)]
pub struct BatchScorer {
    tokens: IdIndex,
    /// Holder ids that do not fit into a record.
    holders: IdIndex,
    hasher: RandomState,
}

impl BatchScorer {
    /// Has seen no event.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A lane for one thread to fill.
    #[must_use]
    pub fn lane(&self) -> Lane<'_> {
        Lane::new(&self.tokens, &self.holders, &self.hasher)
    }

    /// Scores everything that the lanes took: all holders, or the first `top` of them.
    ///
    /// Runs on the current rayon pool. The answer does not depend on how events were dealt to lanes.
    #[must_use]
    pub fn finish(&self, lanes: Vec<Lane<'_>>, window: &Window, top: Option<usize>) -> Snapshot {
        let want = top.map_or(Want::All, Want::Top);
        let scored = (0..lane::PARTITIONS)
            .into_par_iter()
            .map_init(
                || PartitionScorer::new(self, &lanes, window, want),
                PartitionScorer::score,
            )
            .collect::<Vec<_>>();
        // The records are the largest part of a run's memory: they go before the answer is sorted.
        drop(lanes);
        let known = scored.iter().map(|part| part.known).sum();
        match top {
            None => order::snapshot(
                window,
                scored.into_iter().flat_map(|part| part.holders).collect(),
            ),
            Some(count) => {
                let mut leaders = Leaders::new(count);
                for HolderScore { holder_id, totals } in
                    scored.into_iter().flat_map(|part| part.holders)
                {
                    leaders.offer(totals, || Cow::Owned(holder_id.into()));
                }
                Snapshot::new(*window, leaders.into_ordered(), known)
            }
        }
    }
}

//! Copies all facts of the aggregator for a consumer that starts again, a batch at a time.
//!
//! Locks are held for a few thousand claims, as when the state is written. The copy contains everything that
//! was applied when it began, and some of what was applied later; the events after its beginning follow from
//! the journal, and facts are a set.

use crate::aggregator::{FactsWalk, HoldAggregator};
use crate::core::{Event, EventBatch};

/// A copy of all facts in progress.
#[derive(Default)]
pub(super) struct FactsCopy {
    walk: FactsWalk,
    /// Copied already, so that the last batch can be told from the others.
    following: Option<EventBatch>,
}

/// Some facts.
pub(super) struct CopiedFacts {
    pub(super) batch: EventBatch,
    /// Whether they are the last ones.
    pub(super) is_last: bool,
}

impl FactsCopy {
    /// The next facts, of about `bytes_max` bytes; `None` after the last ones.
    pub(super) fn next(
        &mut self,
        aggregator: &HoldAggregator,
        bytes_max: usize,
    ) -> Option<CopiedFacts> {
        let following = self.following.take();
        let batch = following.or_else(|| self.copy(aggregator, bytes_max))?;
        self.following = self.copy(aggregator, bytes_max);
        let is_last = self.following.is_none();
        Some(CopiedFacts { batch, is_last })
    }

    fn copy(&mut self, aggregator: &HoldAggregator, bytes_max: usize) -> Option<EventBatch> {
        let mut batch = EventBatch::default();
        let mut is_more = true;
        while is_more && batch.bytes().len() < bytes_max {
            is_more = aggregator.walk_facts(&mut self.walk, |holder_id, token_id, claim| {
                batch.push(&Event {
                    token_id,
                    holder_id,
                    claim,
                });
            });
        }
        (!batch.is_empty()).then_some(batch)
    }
}

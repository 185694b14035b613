//! A whole leaderboard of the scores themselves that is kept for its next pages.
//!
//! The ids of its holders stay where they are, in the aggregator. Leaderboards under policies, which may list others, are in
//! `kept_leaderboard`; for how long, and within which bound, is decided in `kept_pages`.

use std::sync::Arc;

use super::answer::{Cursor, Page};
use super::kept_pages::KeptListing;
use super::progress::Progress;
use crate::aggregator::{Question, WholeRanking};

/// What a leaderboard takes beside its rows.
const LISTING_BYTES: usize = 256;

/// A whole leaderboard, or what of it is behind a cursor.
pub(super) struct KeptRanking {
    progress: Arc<Progress>,
    ranking: WholeRanking,
    /// Holders listed before the first row, if it goes on from a key.
    listed: u64,
    sequence: u64,
}

impl KeptRanking {
    /// The present one; `None` if it has more than `rows_max` rows. Events are held up while sums are computed, and not
    /// while they are sorted.
    pub(super) fn now(
        progress: &Arc<Progress>,
        question: &Question,
        after: Option<&Cursor>,
        rows_max: usize,
    ) -> Option<Self> {
        let last = after.map(|cursor| &cursor.last.holder);
        let (unsorted, sequence) = progress.answer(|aggregator, sequence| {
            let unsorted = aggregator.unsorted_ranking(question, last, rows_max)?;
            Some((unsorted, sequence))
        })?;
        let ranking = progress.aggregator.put_in_order(unsorted);
        Some(Self {
            progress: Arc::clone(progress),
            ranking,
            listed: after.map_or(0, |cursor| cursor.listed),
            sequence,
        })
    }

    /// The number of its rows.
    pub(super) const fn len(&self) -> usize {
        self.ranking.len()
    }

    /// `size` holders from the row `first` on; `id` is the one under which it is kept.
    pub(super) fn page(&self, id: u64, first: usize, size: usize) -> Page {
        let aggregator = &self.progress.aggregator;
        let holders = aggregator.rows_of(&self.ranking, first, size);
        let end = first + holders.len();
        let last = holders.last().filter(|_| end < self.ranking.len());
        let next = last.map(|last| Cursor {
            last: last.clone(),
            listed: self.listed.saturating_add(end as u64),
            kept: Some(id),
        });
        Page {
            holders,
            next,
            known: self.ranking.known(),
            deficits: self.ranking.deficits(),
            sequence: self.sequence,
            policy_version: None,
        }
    }
}

impl KeptListing for KeptRanking {
    type Cursor = Cursor;
    const ROW_BYTES: usize = WholeRanking::ROW_BYTES;

    fn bytes(&self) -> usize {
        LISTING_BYTES + self.ranking.len() * Self::ROW_BYTES
    }

    fn row_behind(&self, cursor: &Cursor) -> Option<usize> {
        let next = usize::try_from(cursor.listed.checked_sub(self.listed)?).ok()?;
        let aggregator = &self.progress.aggregator;
        let rows = aggregator.rows_of(&self.ranking, next.checked_sub(1)?, 1);
        (*rows.first()? == cursor.last).then_some(next)
    }
}

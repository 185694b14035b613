//! A whole leaderboard in little memory: the sums of every holder, and where its id is.
//!
//! A holder keeps its number, so ids are not copied: a page reads those of its own rows. See [`super::questions`] for
//! the answers that list a few holders.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::hold_aggregator::HoldAggregator;
use super::questions::{Position, Question, score};
use crate::core::key::PARTS;
use crate::core::{HolderScore, RankedHolder, Score, Totals};

/// All holders of a question in leaderboard order, or those behind another one.
pub struct WholeRanking {
    rows: Vec<WholeRow>,
    /// Number of holders before the first row.
    passed: u64,
    /// The score and the rank of the last of those.
    tie: Option<(Score, u64)>,
    deficits: usize,
}

/// The same before it is sorted.
pub struct UnsortedRanking {
    parts: Vec<PartRows>,
    /// The score of the holder that all are behind.
    after: Option<Score>,
}

/// One holder of a [`WholeRanking`].
#[derive(Clone, Copy)]
struct WholeRow {
    totals: Totals,
    place: Place,
}

/// Where the id of a holder is.
#[derive(Clone, Copy)]
struct Place {
    part: u32,
    number: u32,
}

/// What one part adds.
#[derive(Default)]
struct PartRows {
    rows: Vec<WholeRow>,
    passed: u64,
    above: u64,
    deficits: usize,
}

impl HoldAggregator {
    /// All holders, or those behind `after`; `None` if there are more than `rows_max`. [`Self::put_in_order`] needs no
    /// events to be held up.
    #[must_use]
    pub fn unsorted_ranking(
        &self,
        question: &Question,
        after: Option<&HolderScore>,
        rows_max: usize,
    ) -> Option<UnsortedRanking> {
        let count = AtomicUsize::new(0);
        let collect = |tokens, part| {
            let shard = self.shard(part);
            let mut found = PartRows {
                deficits: shard.deficits().count(tokens, question.window.as_of),
                ..PartRows::default()
            };
            for (number, holder) in (0..).zip(shard.holders()) {
                if let Some(totals) = score(&holder.state, tokens, &question.window) {
                    found.add(totals, &holder.id, after, Place::new(part, number));
                }
            }
            let before = count.fetch_add(found.rows.len(), Ordering::Relaxed);
            // No more than `rows_max` rows are held, and those of the parts that are in hand.
            (before + found.rows.len() <= rows_max).then_some(found)
        };
        let parts = match self.tokens_of(question) {
            None => Vec::new(),
            Some(tokens) => (0..PARTS)
                .into_par_iter()
                .map(|part| collect(tokens, part))
                .collect::<Option<Vec<_>>>()?,
        };
        Some(UnsortedRanking {
            parts,
            after: after.map(|last| last.totals.score),
        })
    }

    /// Sorts a ranking of this aggregator.
    #[must_use]
    pub fn put_in_order(&self, unsorted: UnsortedRanking) -> WholeRanking {
        let UnsortedRanking { parts, after } = unsorted;
        let above: u64 = parts.iter().map(|part| part.above).sum();
        let mut ranking = WholeRanking {
            passed: parts.iter().map(|part| part.passed).sum(),
            deficits: parts.iter().map(|part| part.deficits).sum(),
            tie: after.map(|score| (score, above + 1)),
            rows: concatenated(parts),
        };
        let rows = &mut ranking.rows;
        rows.par_sort_unstable_by_key(|row| Reverse(row.totals.score));
        let is_tie = |one: &WholeRow, other: &WholeRow| one.totals.score == other.totals.score;
        let ties = rows.chunk_by_mut(is_tie);
        for tied in ties.filter(|tied| tied.len() > 1) {
            let ids = self.ids_of(tied);
            let mut named: Vec<_> = ids.into_iter().zip(tied.iter().copied()).collect();
            named.par_sort_unstable_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
            for (row, (_, sorted)) in tied.iter_mut().zip(named) {
                *row = sorted;
            }
        }
        ranking
    }

    /// `size` holders of a ranking of this aggregator that is in order, from the row `first` on.
    #[must_use]
    pub fn rows_of(&self, ranking: &WholeRanking, first: usize, size: usize) -> Vec<RankedHolder> {
        let rows = &ranking.rows;
        let end = first.saturating_add(size).min(rows.len());
        let rows = rows.get(first..end).unwrap_or_default();
        let mut known: Option<(Score, u64)> = None;
        let ids = self.ids_of(rows).into_iter().zip(rows).zip(first..);
        ids.map(|((holder_id, row), index)| {
            let totals = row.totals;
            let rank = match known {
                Some((score, rank)) if score == totals.score => rank,
                _ => ranking.rank_of(index, totals.score),
            };
            known = Some((totals.score, rank));
            RankedHolder {
                rank,
                holder: HolderScore { holder_id, totals },
            }
        })
        .collect()
    }

    /// The ids of some rows; each part that has some is locked once.
    fn ids_of(&self, rows: &[WholeRow]) -> Vec<Box<str>> {
        let mut by_part: Vec<usize> = (0..rows.len()).collect();
        by_part.sort_unstable_by_key(|index| rows[*index].place.part);
        let mut ids = vec![Box::default(); rows.len()];
        for of_part in
            by_part.chunk_by(|one, other| rows[*one].place.part == rows[*other].place.part)
        {
            let shard = self.shard(rows[of_part[0]].place.part as usize);
            for index in of_part {
                let number = rows[*index].place.number as usize;
                ids[*index] = shard.holders()[number].id.clone();
            }
        }
        ids
    }
}

impl WholeRanking {
    /// What a row takes.
    pub const ROW_BYTES: usize = size_of::<WholeRow>();

    /// The number of rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of holders that the question is about.
    #[must_use]
    pub fn known(&self) -> usize {
        self.len() + usize::try_from(self.passed).unwrap_or(usize::MAX - self.len())
    }

    /// Number of their keys, of the token of the question, whose balance is below 0 at some instant before the end of
    /// the window.
    #[must_use]
    pub const fn deficits(&self) -> usize {
        self.deficits
    }

    /// The rank of the row `index`, whose score this is.
    fn rank_of(&self, index: usize, score: Score) -> u64 {
        match self.tie {
            Some((tie, rank)) if tie == score => rank,
            _ => {
                let rows = &self.rows[..index];
                self.passed + rows.partition_point(|row| row.totals.score > score) as u64 + 1
            }
        }
    }
}

impl Place {
    #[expect(clippy::cast_possible_truncation, reason = "there are 256 parts")]
    const fn new(part: usize, number: u32) -> Self {
        Self {
            part: part as u32,
            number,
        }
    }
}

impl PartRows {
    fn add(&mut self, totals: Totals, holder_id: &str, after: Option<&HolderScore>, place: Place) {
        match Position::of(totals, holder_id, after) {
            Position::Behind => self.rows.push(WholeRow { totals, place }),
            Position::Above => {
                self.above += 1;
                self.passed += 1;
            }
            Position::Tied => self.passed += 1,
        }
    }
}

fn concatenated(parts: Vec<PartRows>) -> Vec<WholeRow> {
    let mut rows = Vec::with_capacity(parts.iter().map(|part| part.rows.len()).sum());
    for part in parts {
        rows.extend(part.rows);
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::{Draft, Micros, Window};

    fn aggregator(lengths: &[(u8, bool)]) -> HoldAggregator {
        let aggregator = HoldAggregator::new();
        for (number, (length, is_other)) in lengths.iter().enumerate() {
            let holder_id = format!("h{}", number * 7_919 % 1_000);
            let draft = Draft {
                token_id: if *is_other { "U" } else { "T" },
                holder_id: &holder_id,
                start: Micros::new(0).ok(),
                end: Micros::new(i64::from(*length) + 1).ok(),
                ..Draft::default()
            };
            aggregator.record(&draft.check().unwrap());
        }
        aggregator
    }

    proptest! {
        /// Few lengths, so that many holders share a score.
        #[test]
        fn a_whole_ranking_is_what_a_ranking_of_all_is(
            lengths in proptest::collection::vec((0_u8..5, any::<bool>()), 0..300),
            first in 0_usize..320,
            size in 0_usize..320,
            after in proptest::option::of(0_usize..300),
            is_of_one in any::<bool>(),
        ) {
            let aggregator = aggregator(&lengths);
            let question = Question {
                window: Window::until(Micros::new(4).unwrap()),
                token_id: is_of_one.then(|| "T".into()),
            };
            let all = aggregator.ranking(&question, None, usize::MAX).rows;
            let after = after.and_then(|index| all.get(index)).map(|row| &row.holder);
            let expected = aggregator.ranking(&question, after, usize::MAX);
            let rows = expected.rows.len();
            let too_many = rows.checked_sub(1).and_then(|few| aggregator.unsorted_ranking(&question, after, few));
            prop_assert!(too_many.is_none());
            let whole = aggregator.unsorted_ranking(&question, after, rows).unwrap();
            let whole = aggregator.put_in_order(whole);
            prop_assert_eq!(whole.len(), rows);
            prop_assert_eq!(whole.known(), expected.known);
            prop_assert_eq!(whole.deficits(), expected.deficits);
            let rows: Vec<_> = expected.rows.into_iter().skip(first).take(size).collect();
            prop_assert_eq!(aggregator.rows_of(&whole, first, size), rows);
        }
    }
}

//! The scores of a policy that is computed elsewhere, kept for the last question.
//!
//! A function sees all segments at once, so every other state or window is computed anew.

use std::sync::{Arc, Mutex, PoisonError};

use super::answer::{Cursor, Page};
use super::policies::PolicyFunction;
use super::progress::Progress;
use crate::aggregator::{Question, Ranking};
use crate::core::{HolderScore, RankedHolder, Snapshot};

/// A function, and its last answer.
pub(super) struct KeptFunction {
    function: Arc<dyn PolicyFunction>,
    last: Mutex<Option<Answer>>,
}

struct Answer {
    question: Question,
    sequence: u64,
    snapshot: Snapshot,
}

impl KeptFunction {
    pub(super) const fn new(function: Arc<dyn PolicyFunction>) -> Self {
        Self {
            function,
            last: Mutex::new(None),
        }
    }

    /// `size` published holders, from the first or after a cursor.
    pub(super) fn page(
        &self,
        progress: &Progress,
        question: &Question,
        (after, size): (Option<&Cursor>, usize),
    ) -> Result<Page, String> {
        // A caller that asks the same at the same time waits here, and then finds the answer.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = last
            .take()
            .filter(|last| last.question == *question && last.sequence == progress.sequence());
        let answer = match kept {
            Some(kept) => kept,
            None => self.answer(progress, question)?,
        };
        let ranking = ranking(&answer.snapshot, after, size);
        let sequence = answer.sequence;
        *last = Some(answer);
        let version = Some(self.function.version().into());
        Ok(Page::of(ranking, after, sequence, version))
    }

    /// What was held is that of one state; the function, which may take long, holds no event up.
    fn answer(&self, progress: &Progress, question: &Question) -> Result<Answer, String> {
        let (held, deficits, sequence) = progress.answer(|aggregator, sequence| {
            let deficits = aggregator.deficits(question, None, 0).known;
            (aggregator.held(question), deficits, sequence)
        });
        let mut holders = self.function.scores(question, held)?;
        holders.sort_unstable_by(HolderScore::order);
        let known = holders.len();
        Ok(Answer {
            question: question.clone(),
            sequence,
            snapshot: Snapshot::new(question.window, holders, known, deficits),
        })
    }
}

/// The `size` holders behind a cursor.
fn ranking(snapshot: &Snapshot, after: Option<&Cursor>, size: usize) -> Ranking {
    let holders = snapshot.holders();
    let passed = after.map_or(0, |cursor| {
        holders.partition_point(|holder| holder.order(&cursor.last.holder).is_le())
    });
    let rows: Vec<RankedHolder> = snapshot
        .ranked()
        .skip(passed)
        .take(size)
        .map(|row| RankedHolder {
            rank: row.rank,
            holder: row.holder.clone(),
        })
        .collect();
    Ranking {
        behind: holders.len() - passed - rows.len(),
        rows,
        known: snapshot.known(),
        deficits: snapshot.deficits(),
    }
}

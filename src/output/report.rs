//! What is written: the question, the counts, the refused lines, the holders in order.

use std::borrow::Cow;
use std::sync::Arc;

use crate::core::{Snapshot, Window};

/// A refused line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLine {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// The line, from 1; in columns the row.
    pub line: u64,
    /// Why, the field first.
    pub reason: String,
}

/// One holder.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// 1 + the number of holders with a larger score.
    pub rank: u64,
    /// Not empty.
    pub holder_id: &'a str,
    /// Held time in microseconds.
    pub held_us: u128,
    /// Weight-seconds as an exact decimal.
    pub score: Cow<'a, str>,
    /// The double nearest to the score.
    pub weighted_score: f64,
}

/// Holders in leaderboard order, whoever scored them.
pub trait Leaderboard {
    /// Holders that are listed.
    fn listed(&self) -> usize;

    /// Holders that have any accepted event.
    fn known(&self) -> usize;

    /// The listed holders, best first.
    fn rows(&self) -> Box<dyn Iterator<Item = Row<'_>> + '_>;
}

impl Leaderboard for Snapshot {
    fn listed(&self) -> usize {
        self.holders().len()
    }

    fn known(&self) -> usize {
        Snapshot::known(self)
    }

    fn rows(&self) -> Box<dyn Iterator<Item = Row<'_>> + '_> {
        Box::new(self.ranked().map(|ranked| {
            let totals = &ranked.holder.totals;
            Row {
                rank: ranked.rank,
                holder_id: &ranked.holder.holder_id,
                held_us: totals.held_us,
                score: totals.score.to_string().into(),
                weighted_score: totals.score.nearest_double(),
            }
        }))
    }
}

/// The answer to one question about one set of files.
#[derive(Clone, Copy)]
pub struct ScoreReport<'a> {
    /// The question.
    pub window: Window,
    /// Whether `as_of` was not asked for, but read from the clock.
    pub is_as_of_now: bool,
    /// Lines or rows read.
    pub read: u64,
    /// Of these, events that count.
    pub accepted: u64,
    /// The others.
    pub refused: &'a [RefusedLine],
    /// The holders.
    pub leaderboard: &'a dyn Leaderboard,
}

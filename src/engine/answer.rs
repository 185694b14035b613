//! Queries to the engine, and its answers.
//!
//! Values only: `hold_engine` computes them, `net` turns them into the formats of its protocols.

use crate::aggregator::Ranking;
pub use crate::aggregator::{BalanceChange, DeficitCursor, KeyReport, Question};
use crate::core::Deficit;
pub use crate::core::RankedHolder;

/// Where a page ended; the next one begins after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last holder listed, with its rank.
    pub last: RankedHolder,
    /// How many holders were listed so far.
    pub listed: u64,
    /// The number of the whole leaderboard, if it is kept for the next pages; `None` goes on by key.
    pub kept: Option<u64>,
}

/// A page of the leaderboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In leaderboard order.
    pub holders: Vec<RankedHolder>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
    /// Number of holders that match the query.
    pub known: usize,
    /// Number of their keys, of the token of the query, whose balance is below 0 before the end of the window.
    pub deficits: usize,
    /// The answer is that of the state with all events up to this number, and none beyond.
    pub sequence: u64,
    /// The version of the policy under which the scores are published; `None` for the scores themselves.
    pub policy_version: Option<Box<str>>,
}

impl DeficitRoom {
    /// Says of one deficit after the other whether the page has room for it too; for the first one it always has.
    pub(super) fn fits(self) -> impl FnMut(&Deficit) -> bool {
        let mut bytes = 0;
        move |deficit| {
            let is_first = bytes == 0;
            bytes += (self.bytes_of)(deficit);
            is_first || bytes <= self.bytes
        }
    }
}

impl Page {
    /// The page after `after` that a ranking is.
    pub(super) fn of(
        ranking: Ranking,
        after: Option<&Cursor>,
        sequence: u64,
        policy_version: Option<Box<str>>,
    ) -> Self {
        let before = after.map_or(0, |cursor| cursor.listed);
        let listed = before.saturating_add(ranking.rows.len() as u64);
        let last = ranking.rows.last().filter(|_| ranking.behind > 0);
        let next = last.map(|last| Cursor {
            last: last.clone(),
            listed,
            kept: None,
        });
        Self {
            next,
            known: ranking.known,
            deficits: ranking.deficits,
            holders: ranking.rows,
            sequence,
            policy_version,
        }
    }
}

/// One holder, with the segments that make up its score, and the changes behind its balances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderAnswer {
    /// Rank, and sums over the window.
    pub holder: RankedHolder,
    /// By `token_id`; over all time, not only the window.
    pub keys: Vec<KeyReport>,
    /// Number of these keys whose balance is below 0 before the end of the window.
    pub deficits: usize,
    /// The answer is that of the state with all events up to this number, and none beyond.
    pub sequence: u64,
}

/// Where a page of deficits ended; the next one begins after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeficitEnd {
    /// The last key listed.
    pub last: DeficitCursor,
    /// The number of the whole list, if it is kept for the next pages; `None` goes on by key.
    pub kept: Option<u64>,
}

/// What a page of deficits may hold.
#[derive(Clone, Copy, Debug)]
pub struct DeficitRoom {
    /// Deficits at most.
    pub rows: usize,
    /// Bytes at most of all of them.
    pub bytes: usize,
    /// The bytes of one.
    pub bytes_of: fn(&Deficit) -> usize,
}

/// A page of the keys whose balance is below 0 before the end of the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeficitPage {
    /// By `token_id`, then `holder_id`.
    pub deficits: Vec<Deficit>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<DeficitEnd>,
    /// Number of deficits that match the query.
    pub known: usize,
    /// The answer is that of the state with all events up to this number, and none beyond.
    pub sequence: u64,
}

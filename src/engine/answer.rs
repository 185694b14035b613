//! Questions to the engine, and what it answers.

pub use crate::aggregator::{KeySegments, Question};
pub use crate::core::RankedHolder;

/// Where a page ended; the next one begins behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last holder listed, with its rank.
    pub last: RankedHolder,
    /// How many holders were listed so far.
    pub listed: u64,
}

/// Holders in leaderboard order: the first ones, or those behind a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In leaderboard order.
    pub holders: Vec<RankedHolder>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
    /// How many holders are known, the filter of the question applied.
    pub known: usize,
    /// At least all events up to this number are counted.
    pub sequence: u64,
}

/// One holder, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderAnswer {
    /// Rank and sums over the window.
    pub holder: RankedHolder,
    /// By `token_id`; over all of time.
    pub keys: Vec<KeySegments>,
    /// At least all events up to this number are counted.
    pub sequence: u64,
}

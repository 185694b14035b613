//! From many events to scores, in two ways that give the same answer.
//!
//! [`HoldAggregator`] takes events as they come, from many threads, and answers at any moment.
//! [`BatchScorer`] takes whole files once and answers once, several times as fast. Neither reads
//! files or uses a clock; both compute what [`crate::core`] defines.

pub(crate) mod batch;
mod ceiling;
mod changes;
mod deficits;
mod explanation;
mod floors;
mod held;
mod hold_aggregator;
mod holder;
mod ids;
mod keys;
mod order;
mod placed_events;
mod published;
mod questions;
mod shard;
mod walk;
mod whole_ranking;

pub use batch::{BatchScorer, BatchScores, Lane};
pub use changes::{ChangedHolder, Restoring};
pub use deficits::{DeficitCursor, DeficitList};
pub use explanation::{BalanceChange, HolderView, KeyReport};
pub use held::KeyHeld;
pub use hold_aggregator::{BatchRefusal, Figures, HoldAggregator};
pub use placed_events::PlacedEvents;
pub use published::PublishedScores;
pub use questions::{KeySegments, Question, Ranking};
pub use walk::FactsWalk;
pub use whole_ranking::{UnsortedRanking, WholeRanking};

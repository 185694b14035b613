//! Why an explanation is not one: an event, a name or a number from which its amount cannot follow.

use ruint::aliases::U256;

use crate::core::Refusal;
use crate::excerpt::quoted;

/// Why an amount cannot be computed from what an explanation states.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplanationError {
    /// An event that is refused.
    #[error("event {number} of token {}, holder {}: {reason}", quoted(.token_id), quoted(.holder_id))]
    Event {
        /// From 1, among those of its key.
        number: usize,
        /// The token.
        token_id: Box<str>,
        /// The holder.
        holder_id: Box<str>,
        /// Why.
        reason: Refusal,
    },
    /// The same key or name twice, or not in order.
    #[error("{what}: {} is there twice, or is not in ascending order", quoted(.holder_id))]
    Order {
        /// The list.
        what: &'static str,
        /// The second one.
        holder_id: Box<str>,
    },
    /// A policy that publishes no score.
    #[error("holder {}: the policy publishes no score for its segments", quoted(.0))]
    NotPublished(Box<str>),
    /// Scores of 2^256 steps or more.
    #[error("the scores of {} do not fit into 256 bits", quoted(.0))]
    TooLarge(Box<str>),
    /// A total below the holder's own weight.
    #[error("total: {total} is below the weight of the holder, {weight}")]
    Total {
        /// Stated.
        total: U256,
        /// Computed.
        weight: U256,
    },
    /// More to share than the pool.
    #[error("rest: {rest} is more than the pool of {pool}")]
    Rest {
        /// Stated.
        rest: U256,
        /// Of the terms.
        pool: U256,
    },
    /// A key of another holder.
    #[error("key of token {}: its holder {} is not behind the score of {}", quoted(.token_id), quoted(.holder_id), quoted(.of))]
    Member {
        /// The token.
        token_id: Box<str>,
        /// The holder of the key.
        holder_id: Box<str>,
        /// The name of the score.
        of: Box<str>,
    },
    /// An amount for which its holder is left out.
    #[error("amount: {amount} is below the minimum of {minimum}")]
    Minimum {
        /// Computed.
        amount: U256,
        /// Of the terms.
        minimum: U256,
    },
    /// A remainder without a spare unit to share, or a spare unit for no remainder.
    #[error(
        "last_spare_unit: its remainder is not between 0 and the total of {total}, or it is absent beside a remainder of {remainder}"
    )]
    LastSpare {
        /// Of the holder.
        remainder: U256,
        /// Stated.
        total: U256,
    },
}

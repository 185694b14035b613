//! From scores to a list whose amounts sum to the pool: selection, allocation and check in one step.
//!
//! The command line and the rounds of the service both compute here, so that the same scores give the same list.

use ruint::aliases::U256;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::allocation::{AllocationError, Share, Terms, allocate};
use super::list::List;
use super::list_error::PaymentError;
use super::selection::{Selected, Selection, SelectionError, select};

/// How spare units are given out, for manifests.
pub const REMAINDER_RULE: &str = "floor(pool x weight / total); spare units to the largest remainders, ties by holder_id ascending by bytes";

/// A list, and what became of the holders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// Ascending by the bytes of the address.
    pub list: List,
    /// The pool.
    pub sum: U256,
    /// Holders by what became of them.
    pub counts: PayoutCounts,
}

/// Holders by what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PayoutCounts {
    /// With a score, of 0 too.
    pub holders: usize,
    /// Left out by name.
    pub excluded: usize,
    /// Added to another score of their holder.
    pub merged: usize,
    /// Left out because of the least score.
    pub below_min_score: usize,
    /// With a score of 0.
    pub without_score: usize,
    /// Left out because of the least amount.
    pub below_min_amount: usize,
    /// With a share below one base unit.
    pub without_amount: usize,
    /// With the cap instead of a larger share.
    pub capped: usize,
    /// In the list.
    pub recipients: usize,
}

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayoutError {
    /// The scores cannot be used.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The pool cannot be shared.
    #[error(transparent)]
    Allocation(#[from] AllocationError),
    /// An amount cannot be paid.
    #[error(transparent)]
    Payment(#[from] PaymentError),
}

/// Shares the pool by these scores.
pub fn pay(
    scores: Vec<Share>,
    selection: &Selection,
    terms: &Terms,
) -> Result<Payout, PayoutError> {
    let Selected {
        shares,
        excluded,
        merged,
        below_min_score,
        without_score,
    } = select(&scores, selection)?;
    let holders = scores.len();
    drop(scores);
    let allocation = allocate(&shares, terms)?;
    let with_share = shares.len();
    let mut list = List::new(false);
    for (share, amount) in shares.into_iter().zip(allocation.amounts) {
        if !amount.is_zero() {
            list.push(&share.holder_id, &amount.to_string());
        }
    }
    let recipients = list.len();
    let sum = list.check(selection.kind).map_err(|(_, reason)| reason)?;
    Ok(Payout {
        list,
        sum,
        counts: PayoutCounts {
            holders,
            excluded,
            merged,
            below_min_score,
            without_score,
            below_min_amount: allocation.below_minimum,
            without_amount: with_share - allocation.below_minimum - recipients,
            capped: allocation.capped,
            recipients,
        },
    })
}

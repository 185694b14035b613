//! Why a round is not sealed, and why one is not answered.
//!
//! `net` turns these into statuses; the texts are the same in both protocols.

use crate::airdrop::PayoutError;
use crate::engine::policies::PublishError;
use crate::engine::submit_error::SubmitError;
use crate::excerpt::quoted;

/// Why a round is not sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A field of the request is invalid.
    #[error("{field}: {reason}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What is wrong, and the cure.
        reason: String,
    },
    /// There is another round with this id.
    #[error("id: round {} is sealed with other options, and a round never changes (choose another id)", quoted(.id))]
    Exists {
        /// The id.
        id: String,
    },
    /// The state gives no list.
    #[error(transparent)]
    Payout(#[from] PayoutError),
    /// Too many recipients.
    #[error(
        "the round has {leaves} recipients, and rounds.leaves_max is {leaves_max} (raise that setting, or leave out small \
         amounts with min_amount)"
    )]
    TooLarge {
        /// Of the round.
        leaves: usize,
        /// The setting.
        leaves_max: usize,
    },
    /// As many rounds as may be.
    #[error("there are {0} rounds already, which is the most")]
    TooMany(usize),
    /// The policy cannot be computed.
    #[error(transparent)]
    Policy(PublishError),
    /// The journal of the state was removed before its head was read.
    #[error(
        "so many events arrived meanwhile that the journal of the state was removed, each time; try again when fewer arrive"
    )]
    Unsettled,
    /// The journal cannot be read.
    #[error("the journal cannot be read; the log of the server says why")]
    Unreadable,
    /// The round was not stored.
    #[error(transparent)]
    NotStored(#[from] SubmitError),
}

impl SealError {
    /// The name by which programs know it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Field { .. } => "INVALID",
            Self::Exists { .. } => "OTHER_ROUND_EXISTS",
            Self::Payout(_) => "NOT_SHARED",
            Self::TooLarge { .. } => "TOO_MANY_RECIPIENTS",
            Self::TooMany(_) => "TOO_MANY_ROUNDS",
            Self::Policy(_) => "POLICY_FAILED",
            Self::Unsettled => "UNSETTLED",
            Self::Unreadable => "JOURNAL_UNREADABLE",
            Self::NotStored(reason) => reason.code(),
        }
    }
}

/// Why a round or a proof is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoundError {
    /// No round has this id.
    #[error("id: there is no round {}", quoted(.0))]
    Unknown(String),
    /// It is not an address of the kind that the round pays.
    #[error("holder: {0}")]
    Address(String),
    /// The round pays nothing to this holder.
    #[error("holder: {} has no amount in this round", quoted(.0))]
    NotInRound(String),
    /// What is on disk is not what was sealed.
    #[error("the round cannot be read; the log of the server says why")]
    Unreadable,
}

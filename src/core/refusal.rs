//! Why an event is refused, and the names of its fields.
//!
//! Nothing is checked here; see [`super::event`].

use std::fmt;

use super::audience::{Addressed, Audience};
use super::{TimeError, WeightError};

/// The fields of an event; every format uses these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The token that is held.
    TokenId,
    /// The holder.
    HolderId,
    /// The start of the hold.
    Start,
    /// The end of the hold.
    End,
    /// The weight of the hold.
    Weight,
    /// The id by which an event is corrected.
    EventId,
    /// The instant of a change of balance or a transfer.
    At,
    /// By how much a balance changes.
    Delta,
    /// The sender of a transfer.
    FromId,
    /// The receiver of a transfer.
    ToId,
    /// The amount of a transfer.
    Amount,
}

impl Field {
    /// The name, the same in every format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenId => "token_id",
            Self::HolderId => "holder_id",
            Self::Start => "start",
            Self::End => "end",
            Self::Weight => "weight",
            Self::EventId => "event_id",
            Self::At => "at",
            Self::Delta => "delta",
            Self::FromId => "from_id",
            Self::ToId => "to_id",
            Self::Amount => "amount",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Why an event is refused. The text begins with the field and is complete: it is shown in lists and
/// answers that print no source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An id is absent, null or empty.
    #[error("{0}: missing or empty")]
    MissingId(Field),
    /// An id is not UTF-8 text.
    #[error("{0}: not text")]
    IdNotText(Field),
    /// `start`, `end` or `at` cannot be read as an instant.
    #[error("{0}: {1}")]
    Time(Field, TimeError),
    /// `weight`, `delta` or `amount` cannot be read as a decimal.
    #[error("{0}: {1}")]
    Decimal(Field, WeightError),
    /// `event_id` is given, but empty or not text.
    #[error("event_id: empty or not text")]
    EventId,
    /// `revision` is out of range or not an integer.
    #[error("revision: not an integer from 0 to 2^63-1")]
    Revision,
    /// `seq` is out of range or not an integer.
    #[error("seq: not an integer from 0 to 2^63-1")]
    Seq,
    /// `retract` is not a boolean.
    #[error("retract: not true or false")]
    Retract,
    /// Only an event with an `event_id` can be corrected or withdrawn.
    #[error("revision or retract without event_id (an event is corrected by its event_id)")]
    CorrectionWithoutId,
    /// Neither time is given, and the event does not retract.
    #[error("start, end: neither is given (an event has a start, an end, or both)")]
    NoTime,
    /// `end` is before `start`.
    #[error("end: before start")]
    EndBeforeStart,
    /// A field of a hold is given for a change of balance.
    #[error("{0}: given for a change of balance (a change has at and delta instead)")]
    NotOfChange(Field),
    /// A change of balance lacks a field.
    #[error("{0}: missing (a change of balance needs one)")]
    MissingInChange(Field),
    /// A field of another event is given for a transfer.
    #[error("{0}: given for a transfer (a transfer has from_id, to_id, at and amount instead)")]
    NotOfTransfer(Field),
    /// An amount without either party of a transfer; the field is that which is probably meant.
    #[error("amount: given without from_id and to_id (did you mean {0}? rename it)")]
    AmountAlone(Field),
    /// A transfer lacks a field.
    #[error("{0}: missing (a transfer needs one)")]
    MissingInTransfer(Field),
    /// Neither party of a transfer is a holder.
    #[error("from_id, to_id: no holder in either (a transfer has a sender, a receiver, or both)")]
    NoParty,
}

impl Addressed for Refusal {
    fn write_to(&self, audience: Audience, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(field, error) => write!(out, "{field}: {}", error.to(audience)),
            Self::Decimal(field, error) => write!(out, "{field}: {}", error.to(audience)),
            Self::MissingId(_)
            | Self::IdNotText(_)
            | Self::EventId
            | Self::Revision
            | Self::Seq
            | Self::Retract
            | Self::CorrectionWithoutId
            | Self::NoTime
            | Self::EndBeforeStart
            | Self::NotOfChange(_)
            | Self::MissingInChange(_)
            | Self::NotOfTransfer(_)
            | Self::MissingInTransfer(_)
            | Self::AmountAlone(_)
            | Self::NoParty => write!(out, "{self}"),
        }
    }
}

impl From<WeightError> for Refusal {
    fn from(error: WeightError) -> Self {
        Self::Decimal(Field::Weight, error)
    }
}

impl Refusal {
    /// The invalid field, by the name that every format uses.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::MissingId(field)
            | Self::IdNotText(field)
            | Self::Time(field, _)
            | Self::Decimal(field, _)
            | Self::NotOfChange(field)
            | Self::MissingInChange(field)
            | Self::NotOfTransfer(field)
            | Self::MissingInTransfer(field) => field.name(),
            Self::NoParty => "from_id",
            Self::AmountAlone(_) => "amount",
            Self::Seq => "seq",
            Self::EventId | Self::CorrectionWithoutId => "event_id",
            Self::Revision => "revision",
            Self::Retract => "retract",
            Self::NoTime => "start",
            Self::EndBeforeStart => "end",
        }
    }
}

//! What a service lets in beyond what makes a valid event: bounds on ids and on the future.
//!
//! Checked once, before an event is appended. What is already in the journal passes unasked.

use crate::config::Intake;
use crate::core::{Claim, Draft, Event, Fact, Field, Micros, Refusal};

/// Why an event is refused at the gate; the text begins with the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is no event.
    #[error(transparent)]
    Invalid(#[from] Refusal),
    /// An id is too long.
    #[error("{field}: {bytes} bytes, the maximum is {bytes_max}")]
    IdTooLong {
        /// Which id.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// It starts too far ahead of the clock.
    #[error(
        "start: {ahead_seconds} s ahead of the server's clock, the maximum is {ahead_seconds_max} s"
    )]
    TooFarAhead {
        /// How far, rounded up.
        ahead_seconds: u64,
        /// The bound.
        ahead_seconds_max: u64,
    },
}

impl Rejection {
    /// The field to blame, as it is named everywhere.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Invalid(refusal) => refusal.field(),
            Self::IdTooLong { field, .. } => field,
            Self::TooFarAhead { .. } => "start",
        }
    }
}

/// The bounds of what comes in.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// Longest `token_id`, `holder_id` or `event_id`.
    pub id_bytes_max: usize,
    /// How far a start may lie ahead of the clock.
    pub ahead_us_max: u64,
}

impl Gate {
    /// The bounds that `intake` sets.
    #[must_use]
    pub fn new(intake: &Intake) -> Self {
        Self {
            id_bytes_max: intake.id_bytes_max,
            ahead_us_max: u64::try_from(intake.max_future.as_micros()).unwrap_or(u64::MAX),
        }
    }

    /// The event that `draft` makes at `now`, or why it is refused.
    pub fn check<'a>(&self, draft: Draft<'a>, now: Micros) -> Result<Event<'a>, Rejection> {
        let event = draft.check()?;
        self.id(Field::TokenId.name(), event.token_id)?;
        self.id(Field::HolderId.name(), event.holder_id)?;
        let fact = match event.claim {
            Claim::Plain(fact) => Some(fact),
            Claim::Named { event_id, standing } => {
                self.id("event_id", event_id)?;
                standing.fact
            }
        };
        match fact {
            Some(Fact::Closed { start, .. } | Fact::Start { at: start, .. }) => {
                self.start(start, now)?;
            }
            Some(Fact::Stop { .. }) | None => {}
        }
        Ok(event)
    }

    fn id(&self, field: &'static str, id: &str) -> Result<(), Rejection> {
        if id.len() <= self.id_bytes_max {
            return Ok(());
        }
        Err(Rejection::IdTooLong {
            field,
            bytes: id.len(),
            bytes_max: self.id_bytes_max,
        })
    }

    fn start(&self, start: Micros, now: Micros) -> Result<(), Rejection> {
        let ahead = u64::try_from(start.get() - now.get()).unwrap_or(0);
        if ahead <= self.ahead_us_max {
            return Ok(());
        }
        Err(Rejection::TooFarAhead {
            ahead_seconds: ahead.div_ceil(1_000_000),
            ahead_seconds_max: self.ahead_us_max / 1_000_000,
        })
    }
}

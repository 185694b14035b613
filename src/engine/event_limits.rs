//! The limits of a service on valid events: the length of ids, and how far in the future a start may be.
//!
//! They are checked once, before an event is appended, and not when the journal is replayed.

use crate::config::Intake;
use crate::core::{Claim, Draft, Event, Fact, Field, Micros, Refusal};

/// Why an event is refused; the text begins with the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is not a valid event.
    #[error(transparent)]
    Invalid(#[from] Refusal),
    /// An id is too long.
    #[error("{field}: {bytes} bytes, the maximum is {bytes_max}")]
    IdTooLong {
        /// The field of the id.
        field: &'static str,
        /// Its length in bytes.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// It starts too far in the future.
    #[error(
        "start: {ahead_seconds} s ahead of the server's clock, the maximum is {ahead_seconds_max} s"
    )]
    TooFarAhead {
        /// How far after the current time, rounded up.
        ahead_seconds: u64,
        /// The limit.
        ahead_seconds_max: u64,
    },
}

impl Rejection {
    /// The name of the invalid field.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Invalid(refusal) => refusal.field(),
            Self::IdTooLong { field, .. } => field,
            Self::TooFarAhead { .. } => "start",
        }
    }
}

/// The limits of a service on events.
#[derive(Clone, Copy, Debug)]
pub struct EventLimits {
    /// Maximum length of `token_id`, `holder_id` and `event_id`, in bytes.
    pub id_bytes_max: usize,
    /// How far after the current time a start may be, in microseconds.
    pub ahead_us_max: u64,
}

impl EventLimits {
    /// The limits in the settings.
    #[must_use]
    pub fn new(intake: &Intake) -> Self {
        Self {
            id_bytes_max: intake.id_bytes_max,
            ahead_us_max: u64::try_from(intake.max_future.as_micros()).unwrap_or(u64::MAX),
        }
    }

    /// The event with the fields of `draft`, or why it is refused at the time `now`.
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
            Some(Fact::Stop { .. } | Fact::Change { .. }) | None => {}
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

//! The limits of a service on valid events: the length of ids, the earliest instant, and how far in the future one
//! may begin.
//!
//! They are checked once, before an event is appended, and not when the journal is replayed.

use std::fmt;

use crate::config::Intake;
use crate::core::{Addressed, Audience, Claim, Draft, Event, Events, Fact, Field, Micros, Refusal};

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
        field: Field,
        /// Its length in bytes.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// It lies before the first instant that the service accepts.
    #[error(
        "{field}: {at} is before {earliest}, the earliest instant that this service accepts; a number counts milliseconds"
    )]
    TooEarly {
        /// `start`, `end` or `at`.
        field: Field,
        /// The instant of the event.
        at: Micros,
        /// The limit.
        earliest: Micros,
    },
    /// It begins too far in the future.
    #[error(
        "{field}: {ahead_seconds} s ahead of the server's clock, the maximum is {ahead_seconds_max} s"
    )]
    TooFarAhead {
        /// `start` or `at`.
        field: Field,
        /// How far after the current time, rounded up.
        ahead_seconds: u64,
        /// The limit.
        ahead_seconds_max: u64,
    },
}

impl Addressed for Rejection {
    fn write_to(&self, audience: Audience, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(refusal) => refusal.write_to(audience, out),
            Self::IdTooLong { .. } | Self::TooEarly { .. } | Self::TooFarAhead { .. } => {
                write!(out, "{self}")
            }
        }
    }
}

impl Rejection {
    /// The name of the invalid field.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Invalid(refusal) => refusal.field(),
            Self::IdTooLong { field, .. }
            | Self::TooEarly { field, .. }
            | Self::TooFarAhead { field, .. } => field.name(),
        }
    }
}

/// The limits of a service on events.
#[derive(Clone, Copy, Debug)]
pub struct EventLimits {
    /// Maximum length of an id, in bytes.
    pub id_bytes_max: usize,
    /// The first instant that an event may name; `None` accepts all.
    pub earliest: Option<Micros>,
    /// How far after the current time an event may begin, in microseconds.
    pub ahead_us_max: u64,
}

impl EventLimits {
    /// The limits in the settings.
    #[must_use]
    pub fn new(intake: &Intake) -> Self {
        Self {
            id_bytes_max: intake.id_bytes_max,
            earliest: intake.earliest,
            ahead_us_max: u64::try_from(intake.max_future.as_micros()).unwrap_or(u64::MAX),
        }
    }

    /// The event of one key with the fields of `draft`, or why it is refused at the time `now`.
    pub fn check<'a>(&self, draft: Draft<'a>, now: Micros) -> Result<Event<'a>, Rejection> {
        let event = draft.check()?;
        self.check_event(&event, now)?;
        Ok(event)
    }

    /// Why an event that is valid by itself is refused at the time `now`.
    #[inline]
    pub fn check_event(&self, event: &Event<'_>, now: Micros) -> Result<(), Rejection> {
        self.id(Field::TokenId, event.token_id)?;
        self.id(Field::HolderId, event.holder_id)?;
        self.claim(event.claim, now)
    }

    /// The events of a transfer with the fields of `draft`, or why it is refused at the time `now`.
    pub fn check_transfer<'a>(
        &self,
        draft: Draft<'a>,
        now: Micros,
    ) -> Result<Events<'a>, Rejection> {
        let events = draft.events()?;
        self.id(Field::TokenId, draft.token_id)?;
        self.id(Field::FromId, draft.from_id.unwrap_or(""))?;
        self.id(Field::ToId, draft.to_id.unwrap_or(""))?;
        // Both have the same one but for the sign.
        self.claim(events[0].claim, now)?;
        Ok(events)
    }

    fn claim(&self, claim: Claim<'_>, now: Micros) -> Result<(), Rejection> {
        let fact = match claim {
            Claim::Plain(fact) => Some(fact),
            Claim::Named { event_id, standing } => {
                self.id(Field::EventId, event_id)?;
                standing.fact
            }
        };
        match fact {
            Some(Fact::Closed { start, .. } | Fact::Start { at: start, .. }) => {
                self.begin(Field::Start, start, now)
            }
            Some(Fact::Change { at, .. }) => self.begin(Field::At, at, now),
            Some(Fact::Stop { at, .. }) => self.not_too_early(Field::End, at),
            None => Ok(()),
        }
    }

    #[inline]
    fn not_too_early(&self, field: Field, at: Micros) -> Result<(), Rejection> {
        match self.earliest {
            Some(earliest) if at < earliest => Err(Rejection::TooEarly {
                field,
                at,
                earliest,
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn id(&self, field: Field, id: &str) -> Result<(), Rejection> {
        if id.len() <= self.id_bytes_max {
            return Ok(());
        }
        Err(Rejection::IdTooLong {
            field,
            bytes: id.len(),
            bytes_max: self.id_bytes_max,
        })
    }

    fn begin(&self, field: Field, begin: Micros, now: Micros) -> Result<(), Rejection> {
        self.not_too_early(field, begin)?;
        let ahead = u64::try_from(begin.get() - now.get()).unwrap_or(0);
        if ahead <= self.ahead_us_max {
            return Ok(());
        }
        Err(Rejection::TooFarAhead {
            field,
            ahead_seconds: ahead.div_ceil(1_000_000),
            ahead_seconds_max: self.ahead_us_max / 1_000_000,
        })
    }
}

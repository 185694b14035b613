//! A hold event: what a sender states, why it may be refused, and the fact that results.
//!
//! A [`Draft`] holds the fields that an input (file, request, column) has read; [`Draft::check`] is the
//! only way to an [`Event`], so an invalid event cannot be built. Merging events is in [`super::key`].

use super::{Micros, TimeError, Wad, WeightError};

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
        }
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
    /// `start` or `end` cannot be read as an instant.
    #[error("{0}: {1}")]
    Time(Field, TimeError),
    /// `weight` cannot be read as a weight.
    #[error("weight: {0}")]
    Weight(WeightError),
    /// `event_id` is given, but empty or not text.
    #[error("event_id: empty or not text")]
    EventId,
    /// `revision` is out of range or not an integer.
    #[error("revision: not an integer from 0 to 2^63-1")]
    Revision,
    /// `retract` is not a boolean.
    #[error("retract: not true or false")]
    Retract,
    /// Only an event with an `event_id` can be corrected or withdrawn.
    #[error("revision or retract without event_id: name the event that is corrected")]
    CorrectionWithoutId,
    /// Neither time is given, and the event does not retract.
    #[error("start, end: neither is given")]
    NoTime,
    /// `end` is before `start`.
    #[error("end: before start")]
    EndBeforeStart,
}

impl From<WeightError> for Refusal {
    fn from(error: WeightError) -> Self {
        Self::Weight(error)
    }
}

impl Refusal {
    /// The invalid field, by the name that every format uses.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::MissingId(field) | Self::IdNotText(field) | Self::Time(field, _) => field.name(),
            Self::Weight(_) => "weight",
            Self::EventId | Self::CorrectionWithoutId => "event_id",
            Self::Revision => "revision",
            Self::Retract => "retract",
            Self::NoTime => "start",
            Self::EndBeforeStart => "end",
        }
    }
}

/// What an event states about its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// Held at `weight` over `[start, end)`, which may be empty.
    Closed {
        /// First instant of the hold.
        start: Micros,
        /// First instant after the hold; not before `start`.
        end: Micros,
        /// The weight of the hold.
        weight: Wad,
    },
    /// Held at `weight` from `at` until the next mark.
    Start {
        /// The instant of the mark.
        at: Micros,
        /// The weight from then on.
        weight: Wad,
    },
    /// Not held from `at` until the next mark.
    Stop {
        /// The instant of the mark.
        at: Micros,
    },
}

impl Fact {
    /// `(start, end, weight)` as the event stated them; an absent time sorts first.
    const fn stated(self) -> (Option<Micros>, Option<Micros>, Wad) {
        match self {
            Self::Closed { start, end, weight } => (Some(start), Some(end), weight),
            Self::Start { at, weight } => (Some(at), None, weight),
            Self::Stop { at } => (None, Some(at), Wad::ZERO),
        }
    }
}

/// What a named event states: a fact or its withdrawal, at a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The claim with the larger revision is in force.
    pub revision: u64,
    /// `None` for a retraction.
    pub fact: Option<Fact>,
}

impl Standing {
    /// Whether this standing is the one in force if both belong to the same event.
    #[must_use]
    pub fn prevails_over(&self, other: &Self) -> bool {
        self.precedence() > other.precedence()
    }

    fn precedence(&self) -> impl PartialOrd + use<> {
        (
            self.revision,
            self.fact.is_none(),
            self.fact.map(Fact::stated),
        )
    }
}

/// A fact, plain or correctable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim<'a> {
    /// The fact is its own identity: repeating it changes nothing, and it cannot be corrected.
    Plain(Fact),
    /// Replaced by a prevailing event of the same key and `event_id`.
    Named {
        /// Not empty; unique within the key.
        event_id: &'a str,
        /// The fact or the withdrawal.
        standing: Standing,
    },
}

impl Claim<'_> {
    /// The first instant that the fact names; `None` for a retraction.
    #[must_use]
    pub const fn instant(&self) -> Option<Micros> {
        let fact = match self {
            Self::Plain(fact) => *fact,
            Self::Named { standing, .. } => match standing.fact {
                Some(fact) => fact,
                None => return None,
            },
        };
        match fact {
            Fact::Closed { start, .. } => Some(start),
            Fact::Start { at, .. } | Fact::Stop { at } => Some(at),
        }
    }
}

/// A valid hold event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Not empty.
    pub token_id: &'a str,
    /// Not empty.
    pub holder_id: &'a str,
    /// The claim about the key `(token_id, holder_id)`.
    pub claim: Claim<'a>,
}

/// The fields of an event as they were read, each of its own type, not yet checked together.
///
/// ```
/// use poh_holdmetrics_rust::core::Draft;
///
/// let draft = Draft { token_id: "gold", holder_id: "ann", ..Draft::default() };
/// let refusal = draft.check().unwrap_err();
/// assert_eq!(refusal.field(), "start");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Draft<'a> {
    /// Empty if missing.
    pub token_id: &'a str,
    /// Empty if missing.
    pub holder_id: &'a str,
    /// `None` if missing.
    pub start: Option<Micros>,
    /// `None` if missing.
    pub end: Option<Micros>,
    /// `None` if missing, which means 1.
    pub weight: Option<Wad>,
    /// `None` if missing; an empty text is refused.
    pub event_id: Option<&'a str>,
    /// 0 if missing.
    pub revision: u64,
    /// `false` if missing.
    pub retract: bool,
}

impl<'a> From<&Event<'a>> for Draft<'a> {
    /// The fields that make this event; the weight is set even if it is 1.
    fn from(event: &Event<'a>) -> Self {
        let (event_id, revision, fact) = match event.claim {
            Claim::Plain(fact) => (None, 0, Some(fact)),
            Claim::Named { event_id, standing } => {
                (Some(event_id), standing.revision, standing.fact)
            }
        };
        let (start, end, weight) = match fact {
            Some(Fact::Closed { start, end, weight }) => (Some(start), Some(end), Some(weight)),
            Some(Fact::Start { at, weight }) => (Some(at), None, Some(weight)),
            Some(Fact::Stop { at }) => (None, Some(at), None),
            None => (None, None, None),
        };
        Self {
            token_id: event.token_id,
            holder_id: event.holder_id,
            start,
            end,
            weight,
            event_id,
            revision,
            retract: fact.is_none(),
        }
    }
}

/// The largest `revision`, 2^63-1.
pub(crate) const REVISION_MAX: u64 = i64::MAX as u64;

impl<'a> Draft<'a> {
    /// The event, or the first reason to refuse it.
    #[inline]
    pub fn check(self) -> Result<Event<'a>, Refusal> {
        if self.token_id.is_empty() {
            return Err(Refusal::MissingId(Field::TokenId));
        }
        if self.holder_id.is_empty() {
            return Err(Refusal::MissingId(Field::HolderId));
        }
        if self.event_id.is_some_and(str::is_empty) {
            return Err(Refusal::EventId);
        }
        if self.revision > REVISION_MAX {
            return Err(Refusal::Revision);
        }
        let weight = self.weight.unwrap_or(Wad::ONE);
        let fact = match (self.start, self.end) {
            (Some(start), Some(end)) if start > end => Err(Refusal::EndBeforeStart),
            (Some(start), Some(end)) => Ok(Fact::Closed { start, end, weight }),
            (Some(at), None) => Ok(Fact::Start { at, weight }),
            (None, Some(at)) => Ok(Fact::Stop { at }),
            (None, None) => Err(Refusal::NoTime),
        };
        let claim = match self.event_id {
            None if self.retract || self.revision > 0 => return Err(Refusal::CorrectionWithoutId),
            None => Claim::Plain(fact?),
            Some(event_id) => {
                let fact = match (self.retract, fact) {
                    (true, Err(Refusal::EndBeforeStart)) => return Err(Refusal::EndBeforeStart),
                    (true, _) => None,
                    (false, fact) => Some(fact?),
                };
                Claim::Named {
                    event_id,
                    standing: Standing {
                        revision: self.revision,
                        fact,
                    },
                }
            }
        };
        Ok(Event {
            token_id: self.token_id,
            holder_id: self.holder_id,
            claim,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Micros {
        Micros::new(micros).unwrap()
    }

    fn draft() -> Draft<'static> {
        Draft {
            token_id: "T",
            holder_id: "h",
            start: Some(at(5)),
            end: Some(at(9)),
            ..Draft::default()
        }
    }

    #[test]
    fn each_refusal_names_its_field() {
        let cases: [(Draft<'_>, &str); 8] = [
            (
                Draft {
                    token_id: "",
                    ..draft()
                },
                "token_id: missing",
            ),
            (
                Draft {
                    holder_id: "",
                    ..draft()
                },
                "holder_id: missing",
            ),
            (
                Draft {
                    event_id: Some(""),
                    ..draft()
                },
                "event_id: empty",
            ),
            (
                Draft {
                    event_id: Some("a"),
                    revision: 1 << 63,
                    ..draft()
                },
                "revision: not",
            ),
            (
                Draft {
                    revision: 1,
                    ..draft()
                },
                "revision or retract without event_id",
            ),
            (
                Draft {
                    retract: true,
                    ..draft()
                },
                "revision or retract without event_id",
            ),
            (
                Draft {
                    start: None,
                    end: None,
                    ..draft()
                },
                "start, end: neither",
            ),
            (
                Draft {
                    end: Some(at(4)),
                    event_id: Some("a"),
                    retract: true,
                    ..draft()
                },
                "end: before",
            ),
        ];
        for (draft, reason) in cases {
            let refusal = draft.check().unwrap_err().to_string();
            assert!(refusal.starts_with(reason), "{refusal}");
        }
    }

    #[test]
    fn the_fields_of_an_event_make_the_same_event_again() {
        let named = Draft {
            event_id: Some("a"),
            revision: 7,
            ..draft()
        };
        let drafts = [
            draft(),
            Draft {
                end: None,
                weight: Some(Wad::from_steps(3)),
                ..draft()
            },
            Draft {
                start: None,
                ..draft()
            },
            named,
            Draft {
                retract: true,
                ..named
            },
        ];
        for draft in drafts {
            let event = draft.check().unwrap();
            assert_eq!(Draft::from(&event).check(), Ok(event));
        }
    }

    #[test]
    fn at_equal_revisions_a_retraction_wins_then_the_larger_statement() {
        let standing = |revision, draft: Draft<'static>| {
            let draft = Draft {
                event_id: Some("a"),
                revision,
                ..draft
            };
            let Ok(Event {
                claim: Claim::Named { standing, .. },
                ..
            }) = draft.check()
            else {
                panic!("a valid named event")
            };
            standing
        };
        let ascending = [
            standing(
                0,
                Draft {
                    start: None,
                    ..draft()
                },
            ),
            standing(
                0,
                Draft {
                    end: None,
                    ..draft()
                },
            ),
            standing(0, draft()),
            standing(
                0,
                Draft {
                    weight: Some(Wad::from_steps(u128::MAX)),
                    ..draft()
                },
            ),
            standing(
                0,
                Draft {
                    end: Some(at(10)),
                    ..draft()
                },
            ),
            standing(
                0,
                Draft {
                    retract: true,
                    ..draft()
                },
            ),
            standing(
                1,
                Draft {
                    start: None,
                    ..draft()
                },
            ),
        ];
        for pair in ascending.windows(2) {
            assert!(pair[1].prevails_over(&pair[0]), "{pair:?}");
            assert!(!pair[0].prevails_over(&pair[1]), "{pair:?}");
        }
    }
}

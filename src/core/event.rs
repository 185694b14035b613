//! A valid event of one key: what it states, and which of two events of one id is in force.
//!
//! The only way to an event is [`super::Draft`], so an invalid one cannot be built. Merging events is in
//! [`super::key`].

use super::balance::Delta;
use super::{Micros, Wad};

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
        /// Of the marks of one instant, those with the largest one count.
        seq: u64,
    },
    /// Not held from `at` until the next mark.
    Stop {
        /// The instant of the mark.
        at: Micros,
        /// Of the marks of one instant, those with the largest one count.
        seq: u64,
    },
    /// The balance differs by `delta` from `at` on. Only a named event states one.
    Change {
        /// The instant of the change.
        at: Micros,
        /// By how much.
        delta: Delta,
    },
}

impl Fact {
    /// `(start, end, weight, at, delta, seq)` as the event stated them; an absent value sorts first.
    const fn stated(self) -> impl PartialOrd + use<> {
        let (start, end, weight, at, delta, seq) = match self {
            Self::Closed { start, end, weight } => {
                (Some(start), Some(end), Some(weight), None, None, 0)
            }
            Self::Start { at, weight, seq } => (Some(at), None, Some(weight), None, None, seq),
            Self::Stop { at, seq } => (None, Some(at), None, None, None, seq),
            Self::Change { at, delta } => (None, None, None, Some(at), Some(delta), 0),
        };
        (start, end, weight, at, delta, seq)
    }

    /// The first instant that the fact names.
    #[must_use]
    pub const fn instant(self) -> Micros {
        match self {
            Self::Closed { start, .. } => start,
            Self::Start { at, .. } | Self::Stop { at, .. } | Self::Change { at, .. } => at,
        }
    }

    /// The last instant that it names.
    #[must_use]
    pub const fn last_instant(self) -> Micros {
        match self {
            Self::Closed { end, .. } => end,
            Self::Start { .. } | Self::Stop { .. } | Self::Change { .. } => self.instant(),
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
    /// The fact is its own identity: repeating it changes nothing, and it cannot be corrected. Never a change
    /// of balance.
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
    /// What it states; `None` for a retraction.
    #[must_use]
    pub const fn fact(&self) -> Option<Fact> {
        match self {
            Self::Plain(fact) => Some(*fact),
            Self::Named { standing, .. } => standing.fact,
        }
    }

    /// The first instant that the fact names; `None` for a retraction.
    #[must_use]
    pub const fn instant(&self) -> Option<Micros> {
        match self.fact() {
            Some(fact) => Some(fact.instant()),
            None => None,
        }
    }
}

/// A valid event of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Not empty.
    pub token_id: &'a str,
    /// Not empty.
    pub holder_id: &'a str,
    /// The claim about the key `(token_id, holder_id)`.
    pub claim: Claim<'a>,
}

/// The events that one line states: one, or the two of a transfer between two holders.
pub type Events<'a> = smallvec::SmallVec<[Event<'a>; 2]>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Draft;

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

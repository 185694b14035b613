//! The fields of a line as they were read, and the checks that make events of them.
//!
//! Every input (file, request, column) fills a [`Draft`]; [`Draft::events`] is the only way to an [`Event`]. The
//! reasons for refusing one are in [`super::refusal`].

use super::transfer::Parties;
use super::{Claim, Delta, Event, Events, Fact, Field, Micros, Refusal, Standing, Wad};

/// The fields of a line as they were read, each of its own type, not yet checked together: of an event of
/// one key, or of a transfer.
///
/// ```
/// use poh_holdmetrics_rust::core::{Delta, Draft, Micros, Wad};
///
/// let draft = Draft { token_id: "gold", holder_id: "ann", ..Draft::default() };
/// assert_eq!(draft.check().unwrap_err().field(), "start");
///
/// let transfer = Draft {
///     token_id: "gold",
///     from_id: Some("ann"),
///     to_id: Some("bob"),
///     at: Some(Micros::new(0)?),
///     amount: Some(Wad::ONE),
///     event_id: Some("0x5c:1"),
///     ..Draft::default()
/// };
/// let holders: Vec<_> = transfer.events()?.iter().map(|event| event.holder_id).collect();
/// assert_eq!(holders, ["ann", "bob"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
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
    /// The instant of a change or a transfer; `None` if missing.
    pub at: Option<Micros>,
    /// By how much a balance changes; `None` if missing.
    pub delta: Option<Delta>,
    /// 0 if missing.
    pub seq: u64,
    /// The sender of a transfer; `None` if missing. An empty id and the [`super::NULL_ADDRESS`] do not
    /// count as a holder.
    pub from_id: Option<&'a str>,
    /// The receiver of a transfer; `None` if missing. An empty id and the [`super::NULL_ADDRESS`] do not
    /// count as a holder.
    pub to_id: Option<&'a str>,
    /// The amount of a transfer; `None` if missing.
    pub amount: Option<Wad>,
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
        let draft = Self {
            token_id: event.token_id,
            holder_id: event.holder_id,
            event_id,
            revision,
            retract: fact.is_none(),
            ..Self::default()
        };
        match fact {
            Some(Fact::Closed { start, end, weight }) => Self {
                start: Some(start),
                end: Some(end),
                weight: Some(weight),
                ..draft
            },
            Some(Fact::Start { at, weight, seq }) => Self {
                start: Some(at),
                weight: Some(weight),
                seq,
                ..draft
            },
            Some(Fact::Stop { at, seq }) => Self {
                end: Some(at),
                seq,
                ..draft
            },
            Some(Fact::Change { at, delta }) => Self {
                at: Some(at),
                delta: Some(delta),
                ..draft
            },
            None => draft,
        }
    }
}

/// The largest `revision` and `seq`, 2^63-1.
pub(crate) const INTEGER_MAX: u64 = i64::MAX as u64;

impl<'a> Draft<'a> {
    /// The event of one key, or the first reason to refuse it. The fields of a transfer are not read; see
    /// [`Self::events`].
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a call would hand all fields over through memory, most of them absent"
    )]
    pub fn check(self) -> Result<Event<'a>, Refusal> {
        if self.token_id.is_empty() {
            return Err(Refusal::MissingId(Field::TokenId));
        }
        if self.holder_id.is_empty() {
            return Err(Refusal::MissingId(Field::HolderId));
        }
        self.check_numbers()?;
        let claim = if self.at.is_some() || self.delta.is_some() {
            self.change()?
        } else {
            self.hold()?
        };
        Ok(Event {
            token_id: self.token_id,
            holder_id: self.holder_id,
            claim,
        })
    }

    /// Whether some field of a transfer is given.
    #[must_use]
    #[inline]
    pub const fn is_transfer(&self) -> bool {
        self.from_id.is_some() || self.to_id.is_some() || self.amount.is_some()
    }

    /// The events of the line, at least one, or the first reason to refuse it: of a transfer the change of
    /// each party that is a holder, one change of 0 if both are the same.
    #[inline]
    pub fn events(self) -> Result<Events<'a>, Refusal> {
        if self.is_transfer() {
            self.transfer()
        } else {
            Ok(smallvec::smallvec![self.check()?])
        }
    }

    /// Checks the fields that no other field affects.
    pub(super) fn check_numbers(&self) -> Result<(), Refusal> {
        if self.event_id.is_some_and(str::is_empty) {
            return Err(Refusal::EventId);
        }
        if self.revision > INTEGER_MAX {
            return Err(Refusal::Revision);
        }
        if self.seq > INTEGER_MAX {
            return Err(Refusal::Seq);
        }
        Ok(())
    }

    #[inline]
    fn hold(self) -> Result<Claim<'a>, Refusal> {
        let weight = self.weight.unwrap_or(Wad::ONE);
        let seq = self.seq;
        let fact = match (self.start, self.end) {
            (Some(start), Some(end)) if start > end => Err(Refusal::EndBeforeStart),
            (Some(start), Some(end)) => Ok(Fact::Closed { start, end, weight }),
            (Some(at), None) => Ok(Fact::Start { at, weight, seq }),
            (None, Some(at)) => Ok(Fact::Stop { at, seq }),
            (None, None) => Err(Refusal::NoTime),
        };
        match self.event_id {
            None if self.retract || self.revision > 0 => Err(Refusal::CorrectionWithoutId),
            None => Ok(Claim::Plain(fact?)),
            Some(event_id) => match (self.retract, fact) {
                (true, Err(Refusal::EndBeforeStart)) => Err(Refusal::EndBeforeStart),
                (true, _) => Ok(self.named(event_id, None)),
                (false, fact) => Ok(self.named(event_id, Some(fact?))),
            },
        }
    }

    #[cold]
    fn change(self) -> Result<Claim<'a>, Refusal> {
        for (field, is_given) in [
            (Field::Start, self.start.is_some()),
            (Field::End, self.end.is_some()),
            (Field::Weight, self.weight.is_some()),
        ] {
            if is_given {
                return Err(Refusal::NotOfChange(field));
            }
        }
        let missing = Refusal::MissingInChange;
        let event_id = self.event_id.ok_or(missing(Field::EventId))?;
        if self.retract {
            return Ok(self.named(event_id, None));
        }
        let at = self.at.ok_or(missing(Field::At))?;
        let delta = self.delta.ok_or(missing(Field::Delta))?;
        Ok(self.named(event_id, Some(Fact::Change { at, delta })))
    }

    fn transfer(self) -> Result<Events<'a>, Refusal> {
        check_transfer(|field| self.is_given(field))?;
        if self.token_id.is_empty() {
            return Err(Refusal::MissingId(Field::TokenId));
        }
        self.check_numbers()?;
        let parties = Parties::new(self.from_id, self.to_id).ok_or(Refusal::NoParty)?;
        let missing = Refusal::MissingInTransfer;
        let event_id = self.event_id.ok_or(missing(Field::EventId))?;
        let (at, amount) = match (self.at, self.amount) {
            _ if self.retract => (Micros::MIN, Wad::ZERO),
            (Some(at), Some(amount)) => (at, amount),
            (None, _) => return Err(missing(Field::At)),
            (Some(_), None) => return Err(missing(Field::Amount)),
        };
        let change = |(holder_id, delta)| Event {
            token_id: self.token_id,
            holder_id,
            claim: self.named(
                event_id,
                (!self.retract).then_some(Fact::Change { at, delta }),
            ),
        };
        Ok(parties.deltas(amount).map(change).collect())
    }

    const fn is_given(&self, field: Field) -> bool {
        match field {
            Field::TokenId => !self.token_id.is_empty(),
            Field::HolderId => !self.holder_id.is_empty(),
            Field::Start => self.start.is_some(),
            Field::End => self.end.is_some(),
            Field::Weight => self.weight.is_some(),
            Field::EventId => self.event_id.is_some(),
            Field::At => self.at.is_some(),
            Field::Delta => self.delta.is_some(),
            Field::FromId => self.from_id.is_some(),
            Field::ToId => self.to_id.is_some(),
            Field::Amount => self.amount.is_some(),
        }
    }

    const fn named(&self, event_id: &'a str, fact: Option<Fact>) -> Claim<'a> {
        let revision = self.revision;
        Claim::Named {
            event_id,
            standing: Standing { revision, fact },
        }
    }
}

/// Refuses a transfer if a field of another event is given, which needs no value; an amount of a holder, without the
/// parties of a transfer, is probably meant for a weight or a delta.
pub(crate) fn check_transfer(is_given: impl Fn(Field) -> bool) -> Result<(), Refusal> {
    const NOT_OF_TRANSFER: [Field; 5] = [
        Field::HolderId,
        Field::Delta,
        Field::Start,
        Field::End,
        Field::Weight,
    ];
    let meant = if is_given(Field::At) {
        Field::Delta
    } else {
        Field::Weight
    };
    let has_party = is_given(Field::FromId) || is_given(Field::ToId);
    if !has_party && is_given(Field::HolderId) && !is_given(meant) {
        return Err(Refusal::AmountAlone(meant));
    }
    let given = NOT_OF_TRANSFER.into_iter().find(|field| is_given(*field));
    given.map_or(Ok(()), |field| Err(Refusal::NotOfTransfer(field)))
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
}

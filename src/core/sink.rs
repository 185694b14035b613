//! The receiver of events read from files: one event at a time, or the rows of one kind of many at once.
//!
//! Nearly every row of a large file is a closed hold or a transfer, without corrections. Such rows may be
//! passed together, so that a sink looks up each of their tokens once; the result is the same as for single
//! events.

use super::transfer::Parties;
use super::{Claim, Delta, Event, Fact, Micros, Standing, Wad};

/// Takes valid events. It never fails: an event that passed [`super::Draft::check`] is never refused.
pub trait EventSink {
    /// Takes one event.
    fn accept(&mut self, event: &Event<'_>);

    /// Takes each of `holds` as an event; none of `token_ids` is empty.
    ///
    /// # Panics
    /// If the token of a hold is not an index of `token_ids`.
    fn accept_holds<'a>(
        &mut self,
        token_ids: &[&str],
        holds: impl Iterator<Item = ClosedHold<'a>>,
    ) {
        for hold in holds {
            self.accept(&Event {
                token_id: token_ids[hold.token],
                holder_id: hold.holder_id,
                claim: hold.claim(),
            });
        }
    }

    /// Takes the events of each of `transfers`; none of `token_ids` is empty.
    ///
    /// # Panics
    /// If the token of a transfer is not an index of `token_ids`.
    fn accept_transfers<'a>(
        &mut self,
        token_ids: &[&str],
        transfers: impl Iterator<Item = TransferRow<'a>>,
    ) {
        for transfer in transfers {
            for event in transfer.events(token_ids[transfer.token]) {
                self.accept(&event);
            }
        }
    }
}

/// Both take each event.
impl<A: EventSink, B: EventSink> EventSink for (A, B) {
    fn accept(&mut self, event: &Event<'_>) {
        self.0.accept(event);
        self.1.accept(event);
    }
}

/// A transfer without corrections; its token is an index into a list of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferRow<'a> {
    token: usize,
    parties: Parties<'a>,
    at: Micros,
    amount: Wad,
    event_id: &'a str,
}

impl<'a> TransferRow<'a> {
    /// `None` if neither party is a holder or `event_id` is empty.
    #[must_use]
    #[inline]
    pub fn new(
        token: usize,
        (from_id, to_id): (Option<&'a str>, Option<&'a str>),
        at: Micros,
        amount: Wad,
        event_id: &'a str,
    ) -> Option<Self> {
        let parties = Parties::new(from_id, to_id).filter(|_| !event_id.is_empty())?;
        Some(Self {
            token,
            parties,
            at,
            amount,
            event_id,
        })
    }

    /// The index of its token in the list that was passed with it.
    #[must_use]
    #[inline]
    pub const fn token(&self) -> usize {
        self.token
    }

    /// The instant from which on the balances differ.
    #[must_use]
    #[inline]
    pub const fn at(&self) -> Micros {
        self.at
    }

    /// Not empty; names the change of each holder.
    #[must_use]
    #[inline]
    pub const fn event_id(&self) -> &'a str {
        self.event_id
    }

    /// The one or two holders, none of them empty, and by how much their balances change.
    #[inline]
    pub fn deltas(&self) -> impl Iterator<Item = (&'a str, Delta)> + use<'a> {
        self.parties.deltas(self.amount)
    }

    /// The change of each holder, at revision 0.
    pub fn events<'t>(&self, token_id: &'t str) -> impl Iterator<Item = Event<'t>> + use<'t, 'a>
    where
        'a: 't,
    {
        let (event_id, at) = (self.event_id, self.at);
        self.deltas().map(move |(holder_id, delta)| Event {
            token_id,
            holder_id,
            claim: Claim::Named {
                event_id,
                standing: Standing {
                    revision: 0,
                    fact: Some(Fact::Change { at, delta }),
                },
            },
        })
    }
}

/// A closed hold at revision 0, named or not; its token is an index into a list of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedHold<'a> {
    token: usize,
    holder_id: &'a str,
    start: Micros,
    end: Micros,
    weight: Wad,
    event_id: Option<&'a str>,
}

impl<'a> ClosedHold<'a> {
    /// `None` if `holder_id` is empty or `end` is before `start`.
    #[must_use]
    #[inline]
    pub fn new(
        token: usize,
        holder_id: &'a str,
        (start, end): (Micros, Micros),
        weight: Wad,
    ) -> Option<Self> {
        (!holder_id.is_empty() && start <= end).then_some(Self {
            token,
            holder_id,
            start,
            end,
            weight,
            event_id: None,
        })
    }

    /// The same under an id; `None` if that is empty.
    #[must_use]
    #[inline]
    pub fn named(self, event_id: &'a str) -> Option<Self> {
        (!event_id.is_empty()).then_some(Self {
            event_id: Some(event_id),
            ..self
        })
    }

    /// The index of its token in the list that was passed with it.
    #[must_use]
    #[inline]
    pub const fn token(&self) -> usize {
        self.token
    }

    /// Not empty.
    #[must_use]
    #[inline]
    pub const fn holder_id(&self) -> &'a str {
        self.holder_id
    }

    /// What it states about its key.
    #[must_use]
    #[inline]
    pub const fn fact(&self) -> Fact {
        Fact::Closed {
            start: self.start,
            end: self.end,
            weight: self.weight,
        }
    }

    /// Its id, if it has one; not empty.
    #[must_use]
    #[inline]
    pub const fn event_id(&self) -> Option<&'a str> {
        self.event_id
    }

    /// The claim of its event.
    #[must_use]
    #[inline]
    pub const fn claim(&self) -> Claim<'a> {
        let fact = self.fact();
        match self.event_id {
            None => Claim::Plain(fact),
            Some(event_id) => Claim::Named {
                event_id,
                standing: Standing {
                    revision: 0,
                    fact: Some(fact),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Draft, NULL_ADDRESS};

    #[test]
    fn a_transfer_row_has_the_events_of_its_draft() {
        let (at, amount) = (Micros::new(7).unwrap(), Wad::ONE);
        let parties = [None, Some(""), Some("a"), Some("b"), Some(NULL_ADDRESS)];
        for from_id in parties {
            for to_id in parties {
                let row = TransferRow::new(0, (from_id, to_id), at, amount, "e");
                let draft = Draft {
                    token_id: "T",
                    from_id,
                    to_id,
                    at: Some(at),
                    amount: Some(amount),
                    event_id: Some("e"),
                    ..Draft::default()
                };
                let events = row.map(|row| row.events("T").collect::<Vec<_>>());
                assert_eq!(events, draft.events().ok().map(|events| events.to_vec()));
            }
        }
        let unnamed = TransferRow::new(0, (Some("a"), Some("b")), at, amount, "");
        assert_eq!(unnamed, None);
    }
}

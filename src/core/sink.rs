//! The receiver of events read from files: one event at a time, or the closed holds of many rows at once.
//!
//! Nearly every row of a large file is a closed hold without an `event_id`. Such rows may be passed
//! together, so that a sink looks up each of their tokens once; the result is the same as for single events.

use super::{Claim, Event, Fact, Micros, Wad};

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
                claim: Claim::Plain(hold.fact()),
            });
        }
    }
}

/// A closed hold without an `event_id`; its token is an index into a list of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedHold<'a> {
    token: usize,
    holder_id: &'a str,
    start: Micros,
    end: Micros,
    weight: Wad,
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

    /// The fact that it states about its key.
    #[must_use]
    #[inline]
    pub const fn fact(&self) -> Fact {
        Fact::Closed {
            start: self.start,
            end: self.end,
            weight: self.weight,
        }
    }
}

//! What a reader of files fills: events one at a time, or the closed holds of many rows at once.
//!
//! Nearly every row of a large file is a closed hold without a name. Rows of that kind may come
//! together, so that a sink looks up each of their tokens once; they say nothing that single events
//! would not.

use super::{Claim, Event, Fact, Micros, Wad};

/// Takes valid events. It never fails: what passed [`super::Draft::check`] is never refused.
pub trait EventSink {
    /// Takes one event.
    fn accept(&mut self, event: &Event<'_>);

    /// Takes each of `holds` as the event that it stands for; none of `token_ids` is empty.
    ///
    /// # Panics
    /// Where the token of a hold is no place in `token_ids`.
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

/// A closed hold without a name, its token a place in a list of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedHold<'a> {
    token: usize,
    holder_id: &'a str,
    start: Micros,
    end: Micros,
    weight: Wad,
}

impl<'a> ClosedHold<'a> {
    /// `None` where `holder_id` is empty or `end` lies before `start`.
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

    /// The place of its token in the list that it came with.
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

    /// What it says of its key.
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

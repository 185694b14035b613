//! Events of the feed as columns, before Python sees them.
//!
//! They are made off the interpreter, on a thread of the service. Each distinct id is there once, so that equal ids
//! become one object of Python. Knows nothing of Python; see [`super::batch`].

use std::hash::BuildHasher;

use arrow_buffer::ScalarBuffer;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::core::{Claim, Delta, Event, Fact, Micros, Standing, Wad};
use crate::engine::{FeedBatch, Origin};

/// A time that an event does not have.
pub(super) const ABSENT: i64 = i64::MIN;
/// The code of an absent event id.
const NO_ID: u32 = u32::MAX;

/// Immutable columns, one value for each event.
pub(super) struct EventColumns {
    /// The numbers of the feed that these events cover.
    pub(super) first: u64,
    /// The position to commit once they are handled.
    pub(super) last: u64,
    /// Whether they are facts of the state.
    pub(super) is_from_facts: bool,
    pub(super) integers: [ScalarBuffer<i64>; Integer::COUNT],
    pub(super) retract: ScalarBuffer<u8>,
    pub(super) tokens: Ids,
    pub(super) holders: Ids,
    pub(super) event_ids: Ids,
    kinds: Vec<Kind>,
    /// The weight, or the size of the change.
    amounts: Vec<u128>,
}

/// A column of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Integer {
    Sequence,
    Start,
    End,
    At,
    Revision,
    Seq,
}

impl Integer {
    pub(super) const COUNT: usize = 6;
}

/// What an event states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Closed,
    Start,
    Stop,
    Rise,
    Fall,
    Withdrawn,
}

/// A column of ids.
#[derive(Default)]
pub(super) struct Ids {
    /// Of each row the number of its text, or [`NO_ID`].
    codes: Vec<u32>,
    text: String,
    /// Where each text ends.
    ends: Vec<usize>,
}

impl Ids {
    /// The text of each row by its number; `None` if the row has none.
    pub(super) fn code(&self, row: usize) -> Option<usize> {
        let code = self.codes[row];
        (code != NO_ID).then_some(code as usize)
    }

    /// How many texts there are.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// The text of this number.
    pub(super) fn text(&self, code: usize) -> &str {
        let begin = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.text[begin..self.ends[code]]
    }

    /// The text of a row; `None` if it has none.
    pub(super) fn of_row(&self, row: usize) -> Option<&str> {
        self.code(row).map(|code| self.text(code))
    }

    fn add(&mut self, text: &str) -> u32 {
        self.text.push_str(text);
        self.ends.push(self.text.len());
        u32::try_from(self.ends.len() - 1).expect("fewer than 2^32 - 1 texts in a batch")
    }
}

impl EventColumns {
    /// The events of one batch of the feed.
    pub(super) fn of_feed(batch: &FeedBatch) -> Self {
        let mut columns = ColumnsBuilder::with_capacity(batch.count());
        for (sequence, event) in batch.events() {
            columns.push(sequence, &event);
        }
        columns.finish(batch.first, batch.last, batch.origin == Origin::Facts)
    }

    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(super) fn integer(&self, column: Integer, row: usize) -> i64 {
        self.integers[column as usize][row]
    }

    /// The weight in steps; `None` for a change of balance.
    pub(super) fn weight(&self, row: usize) -> Option<u128> {
        match self.kinds[row] {
            Kind::Rise | Kind::Fall => None,
            Kind::Closed | Kind::Start => Some(self.amounts[row]),
            Kind::Stop | Kind::Withdrawn => Some(Wad::ONE.steps()),
        }
    }

    /// The change of balance; `None` for anything else.
    pub(super) fn delta(&self, row: usize) -> Option<Delta> {
        let size = Wad::from_steps(self.amounts[row]);
        match self.kinds[row] {
            Kind::Rise => Some(Delta::new(size, false)),
            Kind::Fall => Some(Delta::new(size, true)),
            Kind::Closed | Kind::Start | Kind::Stop | Kind::Withdrawn => None,
        }
    }

    /// The number and the event of a row.
    pub(super) fn event(&self, row: usize) -> (u64, Event<'_>) {
        let integer = |column| self.integer(column, row);
        let instant =
            |column| Micros::new(integer(column)).expect("an instant of an event is in range");
        let natural = |column| u64::try_from(integer(column)).expect("0 or more");
        let weight = Wad::from_steps(self.amounts[row]);
        let fact = match self.kinds[row] {
            Kind::Closed => Some(Fact::Closed {
                start: instant(Integer::Start),
                end: instant(Integer::End),
                weight,
            }),
            Kind::Start => Some(Fact::Start {
                at: instant(Integer::Start),
                weight,
                seq: natural(Integer::Seq),
            }),
            Kind::Stop => Some(Fact::Stop {
                at: instant(Integer::End),
                seq: natural(Integer::Seq),
            }),
            Kind::Rise | Kind::Fall => Some(Fact::Change {
                at: instant(Integer::At),
                delta: self.delta(row).expect("a change has a delta"),
            }),
            Kind::Withdrawn => None,
        };
        let claim = match (self.event_ids.of_row(row), fact) {
            (Some(event_id), fact) => Claim::Named {
                event_id,
                standing: Standing {
                    revision: natural(Integer::Revision),
                    fact,
                },
            },
            (None, fact) => Claim::Plain(fact.expect("a plain event states a fact")),
        };
        let event = Event {
            token_id: self.tokens.of_row(row).expect("every row has a token"),
            holder_id: self.holders.of_row(row).expect("every row has a holder"),
            claim,
        };
        (natural(Integer::Sequence), event)
    }
}

/// Collects events.
pub(super) struct ColumnsBuilder {
    integers: [Vec<i64>; Integer::COUNT],
    retract: Vec<u8>,
    tokens: DistinctIds,
    holders: DistinctIds,
    event_ids: Ids,
    kinds: Vec<Kind>,
    amounts: Vec<u128>,
}

/// Ids of which each is kept once.
#[derive(Default)]
struct DistinctIds {
    ids: Ids,
    known: HashTable<u32>,
}

impl DistinctIds {
    fn push(&mut self, text: &str) {
        let ids = &self.ids;
        // Rows of one token often follow each other.
        let last = ids.codes.last().copied();
        if let Some(code) = last.filter(|code| ids.text(*code as usize) == text) {
            self.ids.codes.push(code);
            return;
        }
        let state = FixedState::default();
        let hash = state.hash_one(text);
        let found = self
            .known
            .find(hash, |code| ids.text(*code as usize) == text)
            .copied();
        let code = found.unwrap_or_else(|| {
            let code = self.ids.add(text);
            let ids = &self.ids;
            self.known
                .insert_unique(hash, code, |code| state.hash_one(ids.text(*code as usize)));
            code
        });
        self.ids.codes.push(code);
    }
}

impl ColumnsBuilder {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            integers: std::array::from_fn(|_| Vec::with_capacity(rows)),
            retract: Vec::with_capacity(rows),
            tokens: DistinctIds::default(),
            holders: DistinctIds::default(),
            event_ids: Ids::default(),
            kinds: Vec::with_capacity(rows),
            amounts: Vec::with_capacity(rows),
        }
    }

    pub(super) fn push(&mut self, sequence: u64, event: &Event<'_>) {
        self.tokens.push(event.token_id);
        self.holders.push(event.holder_id);
        let (code, revision, fact) = match event.claim {
            Claim::Plain(fact) => (NO_ID, 0, Some(fact)),
            Claim::Named { event_id, standing } => (
                self.event_ids.add(event_id),
                standing.revision,
                standing.fact,
            ),
        };
        self.event_ids.codes.push(code);
        let no = ABSENT;
        let (kind, start, end, at, seq, amount) = match fact {
            Some(Fact::Closed { start, end, weight }) => {
                (Kind::Closed, start.get(), end.get(), no, 0, weight)
            }
            Some(Fact::Start { at, weight, seq }) => (Kind::Start, at.get(), no, no, seq, weight),
            Some(Fact::Stop { at, seq }) => (Kind::Stop, no, at.get(), no, seq, Wad::ONE),
            Some(Fact::Change { at, delta }) if delta.is_negative() => {
                (Kind::Fall, no, no, at.get(), 0, delta.size())
            }
            Some(Fact::Change { at, delta }) => (Kind::Rise, no, no, at.get(), 0, delta.size()),
            None => (Kind::Withdrawn, no, no, no, 0, Wad::ONE),
        };
        // All of them are at most 2^63 - 1.
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let row = [
            signed(sequence),
            start,
            end,
            at,
            signed(revision),
            signed(seq),
        ];
        for (column, value) in self.integers.iter_mut().zip(row) {
            column.push(value);
        }
        self.retract.push(u8::from(kind == Kind::Withdrawn));
        self.kinds.push(kind);
        self.amounts.push(amount.steps());
    }

    pub(super) fn finish(self, first: u64, last: u64, is_from_facts: bool) -> EventColumns {
        EventColumns {
            first,
            last,
            is_from_facts,
            integers: self.integers.map(ScalarBuffer::from),
            retract: self.retract.into(),
            tokens: self.tokens.ids,
            holders: self.holders.ids,
            event_ids: self.event_ids,
            kinds: self.kinds,
            amounts: self.amounts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Draft;

    fn at(micros: i64) -> Micros {
        Micros::new(micros).unwrap()
    }

    fn drafts() -> Vec<Draft<'static>> {
        let named = Draft {
            token_id: "t",
            holder_id: "h",
            event_id: Some("e"),
            revision: 3,
            ..Draft::default()
        };
        let (start, end) = (Some(at(-5)), Some(at(7)));
        vec![
            Draft {
                start,
                end,
                weight: Some(Wad::from_steps(u128::MAX)),
                ..named
            },
            Draft {
                start,
                seq: 4,
                event_id: None,
                revision: 0,
                ..named
            },
            Draft {
                end,
                seq: 9,
                holder_id: "i",
                ..named
            },
            Draft {
                at: Some(at(1)),
                delta: Some(Delta::parse("-2.5").unwrap()),
                ..named
            },
            Draft {
                at: Some(at(1)),
                delta: Some(Delta::parse("2").unwrap()),
                ..named
            },
            Draft {
                retract: true,
                token_id: "u",
                ..named
            },
        ]
    }

    #[test]
    fn every_event_is_what_it_was() {
        let drafts = drafts();
        let mut builder = ColumnsBuilder::with_capacity(0);
        for (draft, sequence) in drafts.iter().zip(5..) {
            builder.push(sequence, &draft.check().unwrap());
        }
        let columns = builder.finish(5, 10, false);
        assert_eq!(columns.len(), drafts.len());
        for (row, (draft, sequence)) in drafts.iter().zip(5..).enumerate() {
            assert_eq!(columns.event(row), (sequence, draft.check().unwrap()));
        }
        let absent = [Integer::Start, Integer::End, Integer::At]
            .map(|column| columns.integer(column, 5) == ABSENT);
        assert_eq!(absent, [true; 3]);
        assert_eq!(columns.retract.to_vec(), [0, 0, 0, 0, 0, 1]);
        assert_eq!(
            (columns.weight(3), columns.weight(2)),
            (None, Some(Wad::ONE.steps()))
        );
    }

    #[test]
    fn each_distinct_id_is_kept_once() {
        let mut builder = ColumnsBuilder::with_capacity(0);
        for number in 0..1_000_u64 {
            let token = format!("token {}", number % 7);
            let holder = format!("holder {}", number % 300);
            let event = Draft {
                token_id: &token,
                holder_id: &holder,
                start: Some(at(1)),
                ..Draft::default()
            };
            builder.push(number, &event.check().unwrap());
        }
        let columns = builder.finish(0, 999, false);
        assert_eq!((columns.tokens.count(), columns.holders.count()), (7, 300));
        assert_eq!(columns.holders.of_row(301), Some("holder 1"));
        assert_eq!(columns.event_ids.of_row(301), None);
    }
}

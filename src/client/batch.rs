//! Events as they are sent: one alone, or many in columns.

use prost::Message as _;
use prost_types::Timestamp;

use crate::core::{Claim, Event, Fact, Micros, Wad};
use crate::net::pb::{HoldBatch, HoldMsg};

/// What stands for an absent time in a column.
const ABSENT: i64 = i64::MIN;

/// One event.
#[derive(Clone, Debug)]
pub struct Message(pub(super) HoldMsg);

/// Events side by side. A column that says nothing in any row is left out.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    columns: HoldBatch,
    rows: usize,
    bytes: usize,
}

/// The parts of an event that both forms have.
struct Parts<'a> {
    start: Option<Micros>,
    end: Option<Micros>,
    weight: Option<Wad>,
    event_id: Option<&'a str>,
    revision: u64,
    is_retraction: bool,
}

impl<'a> Parts<'a> {
    fn of(event: &Event<'a>) -> Self {
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
            start,
            end,
            weight: weight.filter(|weight| *weight != Wad::ONE),
            event_id,
            revision,
            is_retraction: fact.is_none(),
        }
    }
}

impl Message {
    /// As it travels.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }
}

impl From<&Event<'_>> for Message {
    fn from(event: &Event<'_>) -> Self {
        let parts = Parts::of(event);
        Self(HoldMsg {
            token_id: event.token_id.to_owned(),
            holder_id: event.holder_id.to_owned(),
            start: parts.start.map(timestamp),
            end: parts.end.map(timestamp),
            weight: None,
            event_id: parts.event_id.map(str::to_owned),
            revision: parts.revision,
            retract: parts.is_retraction,
            weight_text: parts.weight.map(|weight| weight.to_string()),
        })
    }
}

impl Batch {
    /// Adds one event.
    pub fn push(&mut self, event: &Event<'_>) {
        let parts = Parts::of(event);
        let rows = self.rows;
        let columns = &mut self.columns;
        columns.token_id.push(event.token_id.to_owned());
        columns.holder_id.push(event.holder_id.to_owned());
        let micros = |time: Option<Micros>| time.map_or(ABSENT, Micros::get);
        columns.start_us.push(micros(parts.start));
        columns.end_us.push(micros(parts.end));
        if let Some(weight) = parts.weight {
            // The rows before weighed 1, which was left out.
            columns.weight_text.resize(rows, "1".to_owned());
            columns.weight_text.push(weight.to_string());
        } else if !columns.weight_text.is_empty() {
            columns.weight_text.push("1".to_owned());
        }
        extend(
            &mut columns.event_id,
            rows,
            parts.event_id.unwrap_or_default().to_owned(),
        );
        extend(&mut columns.revision, rows, parts.revision);
        extend(&mut columns.retract, rows, parts.is_retraction);
        self.rows += 1;
        self.bytes +=
            event.token_id.len() + event.holder_id.len() + parts.event_id.map_or(0, str::len) + 32;
    }

    /// How many events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// About how many bytes it takes on the wire.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// One value stands for all rows only in a column of one: a batch of one row needs no care.
    pub(super) fn into_wire(self) -> HoldBatch {
        self.columns
    }
}

/// Adds a value to a column that is left out while it holds nothing but defaults.
fn extend<T: Clone + Default + PartialEq>(column: &mut Vec<T>, rows: usize, value: T) {
    if column.is_empty() {
        if value == T::default() {
            return;
        }
        column.resize(rows, T::default());
    }
    column.push(value);
}

fn timestamp(at: Micros) -> Timestamp {
    let micros = at.get();
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).expect("below a second"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Draft;

    fn at(micros: i64) -> Option<Micros> {
        Micros::new(micros).ok()
    }

    fn draft() -> Draft<'static> {
        Draft {
            token_id: "T",
            holder_id: "h",
            start: at(-1),
            end: at(5),
            ..Draft::default()
        }
    }

    #[test]
    fn columns_that_say_nothing_are_left_out() {
        let mut batch = Batch::default();
        batch.push(&draft().check().unwrap());
        batch.push(&draft().check().unwrap());
        let wire = batch.into_wire();
        assert_eq!(wire.start_us, [-1, -1]);
        assert!(wire.weight_text.is_empty() && wire.event_id.is_empty());
        assert!(wire.revision.is_empty() && wire.retract.is_empty());
    }

    #[test]
    fn a_column_that_begins_late_is_filled_up_for_the_rows_before() {
        let mut batch = Batch::default();
        batch.push(&draft().check().unwrap());
        let named = Draft {
            event_id: Some("e"),
            revision: 3,
            retract: true,
            ..draft()
        };
        batch.push(&named.check().unwrap());
        let heavy = Draft {
            weight: Some(Wad::parse("2.5").unwrap()),
            start: None,
            ..draft()
        };
        let stop = Draft {
            weight: None,
            start: at(1),
            end: None,
            ..heavy
        };
        batch.push(
            &Draft {
                weight: heavy.weight,
                ..stop
            }
            .check()
            .unwrap(),
        );
        batch.push(&draft().check().unwrap());
        let wire = batch.into_wire();
        assert_eq!(wire.event_id, ["", "e", "", ""]);
        assert_eq!(wire.revision, [0, 3, 0, 0]);
        assert_eq!(wire.retract, [false, true, false, false]);
        assert_eq!(wire.weight_text, ["1", "1", "2.5", "1"]);
        assert_eq!(wire.start_us, [-1, ABSENT, 1, -1]);
        assert_eq!(wire.end_us, [5, ABSENT, ABSENT, 5]);
    }

    #[test]
    fn times_before_1970_are_floored_to_seconds() {
        let message = Message::from(&draft().check().unwrap());
        let start = message.0.start.unwrap();
        assert_eq!((start.seconds, start.nanos), (-1, 999_999_000));
    }
}

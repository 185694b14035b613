//! Events as they are sent: one per message, or many in columns.

use prost_types::Timestamp;

use crate::core::columns::ABSENT;
use crate::core::{Draft, Event, Micros, Wad};
use crate::net::pb::{HoldBatch, HoldMsg};

/// One event.
#[derive(Clone, Debug)]
pub struct Message(pub(super) HoldMsg);

/// Events in columns. A column with nothing but defaults is left out.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    columns: HoldBatch,
    rows: usize,
    bytes: usize,
}

/// The weight of an event as text; `None` for 1, which is not sent.
fn weight_text(draft: &Draft<'_>) -> Option<String> {
    let weight = draft.weight.filter(|weight| *weight != Wad::ONE)?;
    Some(weight.to_string())
}

impl From<&Event<'_>> for Message {
    fn from(event: &Event<'_>) -> Self {
        let draft = Draft::from(event);
        Self(HoldMsg {
            token_id: event.token_id.to_owned(),
            holder_id: event.holder_id.to_owned(),
            start: draft.start.map(timestamp),
            end: draft.end.map(timestamp),
            weight: None,
            event_id: draft.event_id.map(str::to_owned),
            revision: draft.revision,
            retract: draft.retract,
            weight_text: weight_text(&draft),
            at: draft.at.map(timestamp),
            delta: None,
            delta_text: draft.delta.map(|delta| delta.to_string()),
            seq: draft.seq,
        })
    }
}

impl Batch {
    /// Adds one event.
    pub fn push(&mut self, event: &Event<'_>) {
        let draft = Draft::from(event);
        let rows = self.rows;
        let columns = &mut self.columns;
        columns.token_id.push(event.token_id.to_owned());
        columns.holder_id.push(event.holder_id.to_owned());
        let micros = |time: Option<Micros>| time.map_or(ABSENT, Micros::get);
        let event_id = draft.event_id.unwrap_or_default().to_owned();
        let weight = weight_text(&draft).unwrap_or_default();
        let delta = draft.delta.map(|delta| delta.to_string());
        extend(&mut columns.start_us, rows, ABSENT, micros(draft.start));
        extend(&mut columns.end_us, rows, ABSENT, micros(draft.end));
        extend(&mut columns.weight_text, rows, String::new(), weight);
        extend(&mut columns.event_id, rows, String::new(), event_id);
        extend(&mut columns.revision, rows, 0, draft.revision);
        extend(&mut columns.retract, rows, false, draft.retract);
        extend(&mut columns.at_us, rows, ABSENT, micros(draft.at));
        extend(
            &mut columns.delta_text,
            rows,
            String::new(),
            delta.unwrap_or_default(),
        );
        extend(&mut columns.seq, rows, 0, draft.seq);
        self.rows += 1;
        self.bytes +=
            event.token_id.len() + event.holder_id.len() + draft.event_id.map_or(0, str::len) + 32;
    }

    /// The number of events.
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

    /// A column of one value holds for all rows, which is right for a batch of one row, too.
    pub(super) fn into_wire(self) -> HoldBatch {
        self.columns
    }
}

/// Adds a value to a column that is left out as long as all values are absent.
pub(super) fn extend<T: Clone + PartialEq>(column: &mut Vec<T>, rows: usize, absent: T, value: T) {
    if column.is_empty() {
        if value == absent {
            return;
        }
        column.resize(rows, absent);
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
    use crate::core::Delta;

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
    fn columns_of_defaults_are_left_out() {
        let mut batch = Batch::default();
        batch.push(&draft().check().unwrap());
        batch.push(&draft().check().unwrap());
        let wire = batch.into_wire();
        assert_eq!(wire.start_us, [-1, -1]);
        assert!(wire.weight_text.is_empty() && wire.event_id.is_empty());
        assert!(wire.revision.is_empty() && wire.retract.is_empty());
    }

    #[test]
    fn a_column_that_begins_late_is_filled_with_defaults() {
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
        assert_eq!(wire.weight_text, ["", "", "2.5", ""]);
        assert_eq!(wire.start_us, [-1, ABSENT, 1, -1]);
        assert_eq!(wire.end_us, [5, ABSENT, ABSENT, 5]);
        assert!(wire.at_us.is_empty() && wire.delta_text.is_empty() && wire.seq.is_empty());
    }

    #[test]
    fn a_change_and_a_mark_with_a_seq_keep_their_fields() {
        let change = Draft {
            token_id: "T",
            holder_id: "h",
            at: at(7),
            delta: Some(Delta::parse("-0.5").unwrap()),
            event_id: Some("e"),
            ..Draft::default()
        };
        let mark = Draft {
            end: None,
            seq: 4,
            ..draft()
        };
        let mut batch = Batch::default();
        batch.push(&mark.check().unwrap());
        batch.push(&change.check().unwrap());
        let wire = batch.into_wire();
        assert_eq!(wire.at_us, [ABSENT, 7]);
        assert_eq!(wire.start_us, [-1, ABSENT]);
        assert_eq!(wire.delta_text, ["", "-0.5"]);
        assert_eq!(wire.seq, [4, 0]);
        assert!(wire.weight_text.is_empty(), "a change has no weight");
        let message = Message::from(&change.check().unwrap()).0;
        assert_eq!(message.delta_text.as_deref(), Some("-0.5"));
        assert_eq!(
            (message.at, message.weight_text),
            (Some(timestamp(at(7).unwrap())), None)
        );
        let message = Message::from(&mark.check().unwrap()).0;
        assert_eq!((message.seq, message.at), (4, None));
    }

    #[test]
    fn times_before_1970_are_floored_to_seconds() {
        let message = Message::from(&draft().check().unwrap());
        let start = message.0.start.unwrap();
        assert_eq!((start.seconds, start.nanos), (-1, 999_999_000));
    }
}

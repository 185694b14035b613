//! Synthetic holds and marks as lines of JSON and rows of CSV.

use std::io::Write;

use super::draws::Draws;
use super::holds::{Holds, SyntheticEvent};
use crate::core::Micros;

pub(super) const INFALLIBLE: &str = "a vector accepts every write";

/// The column names; those of corrections only if the shape has any.
pub(super) fn csv_header(holds: &Holds) -> String {
    let corrections = if holds.has_corrections() {
        ",event_id,revision,retract"
    } else {
        ""
    };
    format!("token_id,holder_id,start,end,weight{corrections}\n")
}

/// One row; an absent value is an empty cell.
pub(super) fn csv_row(holds: &Holds, event: &SyntheticEvent, out: &mut Vec<u8>) {
    let token_id = Draws::token_id(event.token);
    let holder_id = holds.holder_id(event);
    write!(out, "{token_id},{holder_id}").expect(INFALLIBLE);
    for time in [event.start_us, event.end_us] {
        out.push(b',');
        if let Some(micros) = time {
            match whole_millis(micros) {
                Ok(millis) => write!(out, "{millis}").expect(INFALLIBLE),
                Err(text) => write!(out, "{text}").expect(INFALLIBLE),
            }
        }
    }
    out.push(b',');
    if let Some(weight) = event.weight {
        write_weight(weight, out);
    }
    if holds.has_corrections() {
        let event_id = event.event_id.map(event_id).unwrap_or_default();
        write!(out, ",{event_id},{},{}", event.revision, event.retract).expect(INFALLIBLE);
    }
    out.push(b'\n');
}

/// One object; an absent value has no key.
pub(super) fn json_line(holds: &Holds, event: &SyntheticEvent, out: &mut Vec<u8>) {
    let token_id = Draws::token_id(event.token);
    let holder_id = holds.holder_id(event);
    write!(
        out,
        "{{\"token_id\":\"{token_id}\",\"holder_id\":\"{holder_id}\""
    )
    .expect(INFALLIBLE);
    for (name, time) in [("start", event.start_us), ("end", event.end_us)] {
        if let Some(micros) = time {
            match whole_millis(micros) {
                Ok(millis) => write!(out, ",\"{name}\":{millis}").expect(INFALLIBLE),
                Err(text) => write!(out, ",\"{name}\":\"{text}\"").expect(INFALLIBLE),
            }
        }
    }
    if let Some(weight) = event.weight {
        out.extend_from_slice(b",\"weight\":");
        write_weight(weight, out);
    }
    if let Some(named) = event.event_id {
        let (event_id, revision) = (event_id(named), event.revision);
        write!(out, ",\"event_id\":\"{event_id}\",\"revision\":{revision}").expect(INFALLIBLE);
    }
    if event.retract {
        out.extend_from_slice(b",\"retract\":true");
    }
    out.extend_from_slice(b"}\n");
}

/// The id of a named event of a group.
pub(super) fn event_id((group, fact): (u64, u64)) -> String {
    format!("event-{group}-{fact}")
}

/// The shortest decimal that prints back to the double, as readers of Parquet take it.
fn write_weight(weight: f64, out: &mut Vec<u8>) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(weight);
    out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

/// Milliseconds, or the text of an instant that lies between two of them.
fn whole_millis(micros: i64) -> Result<i64, Micros> {
    if micros % 1_000 == 0 {
        Ok(micros / 1_000)
    } else {
        Err(Micros::new(micros).expect("synthetic times lie in this century"))
    }
}

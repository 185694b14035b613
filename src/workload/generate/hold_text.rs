//! Synthetic holds and marks as lines of JSON and rows of CSV.

use std::io::Write;

use super::draws::Draws;
use super::forms::TimeForm;
use super::holds::{Holds, SyntheticEvent};
use super::weights::Weight;
use crate::core::Micros;

pub(super) const INFALLIBLE: &str = "a vector accepts every write";

/// The column names; only those of which events have values.
pub(super) fn csv_header(holds: &Holds) -> String {
    let mut names = "token_id,holder_id,start,end".to_owned();
    for (has_values, more) in [
        (holds.has_weights(), ",weight"),
        (holds.has_event_ids(), ",event_id"),
        (holds.has_corrections(), ",revision,retract"),
    ] {
        names.push_str(if has_values { more } else { "" });
    }
    names.push('\n');
    names
}

/// One row; an absent value is an empty cell.
pub(super) fn csv_row(holds: &Holds, event: &SyntheticEvent, out: &mut Vec<u8>) {
    let token_id = Draws::token_id(event.token);
    let holder_id = holds.holder_id(event);
    write!(out, "{token_id},{holder_id}").expect(INFALLIBLE);
    for time in [event.start_us, event.end_us] {
        out.push(b',');
        if let Some(micros) = time {
            write_csv_time(holds.forms().times, micros, out);
        }
    }
    if holds.has_weights() {
        out.push(b',');
        if let Some(weight) = event.weight {
            write_weight(weight, out);
        }
    }
    if holds.has_event_ids() {
        let event_id = holds.event_id(event).unwrap_or_default();
        write!(out, ",{event_id}").expect(INFALLIBLE);
    }
    if holds.has_corrections() {
        write!(out, ",{},{}", event.revision, event.retract).expect(INFALLIBLE);
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
            write!(out, ",\"{name}\":").expect(INFALLIBLE);
            write_json_time(holds.forms().times, micros, out);
        }
    }
    if let Some(weight) = event.weight {
        out.extend_from_slice(b",\"weight\":");
        let quote: &[u8] = if matches!(weight, Weight::Exact(_)) {
            b"\""
        } else {
            b""
        };
        out.extend_from_slice(quote);
        write_weight(weight, out);
        out.extend_from_slice(quote);
    }
    if let Some(event_id) = holds.event_id(event) {
        write!(out, ",\"event_id\":\"{event_id}\"").expect(INFALLIBLE);
        if holds.has_corrections() {
            write!(out, ",\"revision\":{}", event.revision).expect(INFALLIBLE);
        }
    }
    if event.retract {
        out.extend_from_slice(b",\"retract\":true");
    }
    out.extend_from_slice(b"}\n");
}

/// The decimal; that of a double is the shortest that prints back to it, as readers of Parquet take it.
fn write_weight(weight: Weight, out: &mut Vec<u8>) {
    match weight {
        Weight::Integer(weight) => write!(out, "{weight}").expect(INFALLIBLE),
        Weight::Double(weight) => {
            let mut buffer = zmij::Buffer::new();
            let text = buffer.format_finite(weight);
            out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
        }
        Weight::Exact(weight) => write!(out, "{weight}").expect(INFALLIBLE),
    }
}

/// The cell of a time.
pub(super) fn write_csv_time(form: TimeForm, micros: i64, out: &mut Vec<u8>) {
    match millis(form, micros) {
        Ok(millis) => write!(out, "{millis}").expect(INFALLIBLE),
        Err(text) => write!(out, "{text}").expect(INFALLIBLE),
    }
}

/// The value of a time.
pub(super) fn write_json_time(form: TimeForm, micros: i64, out: &mut Vec<u8>) {
    match millis(form, micros) {
        Ok(millis) => write!(out, "{millis}").expect(INFALLIBLE),
        Err(text) => write!(out, "\"{text}\"").expect(INFALLIBLE),
    }
}

/// Milliseconds, or what is written as text: an instant that lies between two of them, or each.
fn millis(form: TimeForm, micros: i64) -> Result<i64, Micros> {
    match form {
        TimeForm::Number if micros % 1_000 == 0 => Ok(micros / 1_000),
        TimeForm::Number | TimeForm::Text => Err(instant(micros)),
    }
}

/// # Panics
/// Never, for the time of a synthetic event.
pub(super) fn instant(micros: i64) -> Micros {
    Micros::new(micros).expect("synthetic times lie in this century")
}

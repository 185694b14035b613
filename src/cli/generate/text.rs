//! Synthetic events as lines of JSON and rows of CSV.

use std::io::Write;

use super::shapes::{Synthetic, Workload};
use crate::core::Micros;

const PROMISE: &str = "a vector takes every write";

/// The column names, and those of corrections where there are any.
pub(super) fn csv_header(workload: &Workload) -> String {
    let corrections = if workload.has_corrections() {
        ",event_id,revision,retract"
    } else {
        ""
    };
    format!("token_id,holder_id,start,end,weight{corrections}\n")
}

/// One row; what is absent is an empty cell.
pub(super) fn csv_row(workload: &Workload, event: &Synthetic, out: &mut Vec<u8>) {
    let token_id = Workload::token_id(event.token);
    let holder_id = workload.holder_id(event.holder);
    write!(out, "{token_id},{holder_id}").expect(PROMISE);
    for time in [event.start_us, event.end_us] {
        out.push(b',');
        if let Some(micros) = time {
            match whole_millis(micros) {
                Ok(millis) => write!(out, "{millis}").expect(PROMISE),
                Err(text) => write!(out, "{text}").expect(PROMISE),
            }
        }
    }
    out.push(b',');
    if let Some(millionths) = event.weight_millionths {
        write_decimal(millionths, out);
    }
    if workload.has_corrections() {
        let event_id = event.event_id.map(event_id).unwrap_or_default();
        write!(out, ",{event_id},{},{}", event.revision, event.retract).expect(PROMISE);
    }
    out.push(b'\n');
}

/// One object; what is absent has no key.
pub(super) fn json_line(workload: &Workload, event: &Synthetic, out: &mut Vec<u8>) {
    let token_id = Workload::token_id(event.token);
    let holder_id = workload.holder_id(event.holder);
    write!(
        out,
        "{{\"token_id\":\"{token_id}\",\"holder_id\":\"{holder_id}\""
    )
    .expect(PROMISE);
    for (name, time) in [("start", event.start_us), ("end", event.end_us)] {
        if let Some(micros) = time {
            match whole_millis(micros) {
                Ok(millis) => write!(out, ",\"{name}\":{millis}").expect(PROMISE),
                Err(text) => write!(out, ",\"{name}\":\"{text}\"").expect(PROMISE),
            }
        }
    }
    if let Some(millionths) = event.weight_millionths {
        out.extend_from_slice(b",\"weight\":");
        write_decimal(millionths, out);
    }
    if let Some(named) = event.event_id {
        let (event_id, revision) = (event_id(named), event.revision);
        write!(out, ",\"event_id\":\"{event_id}\",\"revision\":{revision}").expect(PROMISE);
    }
    if event.retract {
        out.extend_from_slice(b",\"retract\":true");
    }
    out.extend_from_slice(b"}\n");
}

/// The name of a fact in its group.
pub(super) fn event_id((group, fact): (u64, u64)) -> String {
    format!("event-{group}-{fact}")
}

/// Milliseconds, or the text of an instant that lies between two of them.
fn whole_millis(micros: i64) -> Result<i64, Micros> {
    if micros % 1_000 == 0 {
        Ok(micros / 1_000)
    } else {
        Err(Micros::new(micros).expect("synthetic times lie in this century"))
    }
}

/// Millionths as a decimal without trailing zeros.
fn write_decimal(millionths: u64, out: &mut Vec<u8>) {
    let (whole, fraction) = (millionths / 1_000_000, millionths % 1_000_000);
    write!(out, "{whole}").expect(PROMISE);
    if fraction > 0 {
        let digits = format!("{fraction:06}");
        write!(out, ".{}", digits.trim_end_matches('0')).expect(PROMISE);
    }
}

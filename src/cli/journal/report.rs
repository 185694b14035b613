//! The output of the subcommands of `journal`, as text or as one JSON object.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use comfy_table::{Attribute, Cell, CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::{Beside, shown, state_word};
use crate::cli::exit::Exit;
use crate::engine::OpenError;
use crate::error_line::error_line;
use crate::journal::{
    LostEvents, ReadReport, SalvagedJournal, SegmentState, SegmentSurvey, Survey,
};

const PROMISE: &str = "a string takes every write";
const HEADINGS: [&str; 8] = [
    "segment", "first", "last", "frames", "events", "bytes", "used", "state",
];

/// Prints the table of segments and the damages.
pub(super) fn print_survey(
    found: &Survey,
    folder: &Path,
    in_use_by: Option<&str>,
    is_json: bool,
) -> anyhow::Result<()> {
    if is_json {
        return print_json(&json!({
            "folder": shown(folder),
            "in_use_by": in_use_by,
            "segments": found.segments.iter().map(segment_json).collect::<Vec<_>>(),
            "damages": damages(found.damages.iter()),
        }));
    }
    let mut text = table(found);
    writeln!(text, "\n{}", totals(found)).expect(PROMISE);
    for damage in &found.damages {
        writeln!(text, "DAMAGED: {damage}").expect(PROMISE);
    }
    if let Some(holder) = in_use_by {
        writeln!(
            text,
            "in use by {holder}: the last segment may look torn while it is written"
        )
        .expect(PROMISE);
    }
    print(&text)
}

/// Prints that everything is undamaged.
pub(super) fn print_verdict(
    found: &Survey,
    Beside { state, rounds }: Beside,
    folder: &Path,
    is_json: bool,
) -> anyhow::Result<()> {
    if is_json {
        let state = state
            .map(|state| json!({"keys": state.keys, "applied_sequence": state.applied_sequence}));
        return print_json(&json!({
            "folder": shown(folder),
            "whole": true,
            "segments": found.segments.len(),
            "frames": sum(found, |segment| segment.frames),
            "events": sum(found, |segment| segment.events),
            "torn_bytes": found.torn().map_or(0, |(_, bytes)| bytes),
            "state": state,
            "rounds": rounds,
        }));
    }
    let mut text = format!("{}: whole\njournal: {}\n", shown(folder), totals(found));
    match state {
        None => writeln!(text, "state: not written yet"),
        Some(state) => writeln!(
            text,
            "state: {} keys, covers the events up to {}",
            state.keys, state.applied_sequence
        ),
    }
    .expect(PROMISE);
    if rounds > 0 {
        writeln!(
            text,
            "rounds: {rounds} sealed, each with the list and the root that were sealed"
        )
        .expect(PROMISE);
    }
    print(&text)
}

/// Prints as JSON what is damaged, for programs that do not read standard error.
pub(super) fn print_fault(
    found: &Survey,
    folder: &Path,
    error: &anyhow::Error,
) -> anyhow::Result<()> {
    print_json(&json!({
        "folder": shown(folder),
        "whole": false,
        "segments": found.segments.len(),
        "frames": sum(found, |segment| segment.frames),
        "events": sum(found, |segment| segment.events),
        "damages": damages(found.damages.iter()),
        "reason": error_line(error.as_ref()),
    }))
}

/// Prints that there is no damage to repair.
pub(super) fn print_nothing_to_do(folder: &Path, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        return print_json(&json!({"folder": shown(folder), "whole": true, "moved_to": null}));
    }
    print(&format!("{}: whole, nothing was changed\n", shown(folder)))
}

/// Prints what a salvage kept and lost.
pub(super) fn print_salvaged(
    done: &SalvagedJournal,
    rounds: &Result<u64, OpenError>,
    folder: &Path,
    applied: u64,
    is_json: bool,
) -> anyhow::Result<()> {
    let readable = &done.report;
    if is_json {
        return print_json(&json!({
            "folder": shown(folder),
            "whole": false,
            "moved_to": shown(&done.moved_to),
            "events": readable.events,
            "applied_sequence": applied,
            "lost": readable.lost.iter().map(lost_json).collect::<Vec<_>>(),
            "damages": damages(readable.damages.iter()),
            "rounds": rounds.as_ref().ok(),
            "rounds_fault": rounds.as_ref().err().map(|error| error_line(error)),
        }));
    }
    let mut text = format!("{}: {} events are kept\n", shown(folder), readable.events);
    for damage in &readable.damages {
        writeln!(text, "damaged: {damage}").expect(PROMISE);
    }
    writeln!(text, "{}", losses(readable)).expect(PROMISE);
    if applied > 0 && !readable.lost.is_empty() {
        writeln!(text, "the state still covers the events up to {applied}").expect(PROMISE);
    }
    writeln!(
        text,
        "the damaged journal is kept in {}",
        shown(&done.moved_to)
    )
    .expect(PROMISE);
    match rounds {
        Ok(0) => Ok(()),
        Ok(rounds) => writeln!(
            text,
            "rounds: {rounds} sealed, undamaged and left as they are"
        ),
        Err(error) => writeln!(text, "rounds: left as they are: {}", error_line(error)),
    }
    .expect(PROMISE);
    print(&text)
}

/// Which events are lost, in one line.
pub(super) fn losses(readable: &ReadReport) -> String {
    if readable.lost.is_empty() {
        return "no event is lost".to_owned();
    }
    let ranges: Vec<_> = readable.lost.iter().map(lost_range).collect();
    format!("lost: {}", ranges.join(", "))
}

fn lost_range(events: &LostEvents) -> String {
    match events.last {
        Some(last) if last == events.first => format!("event {last}"),
        Some(last) => format!("events {} to {last}", events.first),
        None => format!("from event {} on, how many is not known", events.first),
    }
}

fn table(found: &Survey) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(HEADINGS.map(|title| {
        let cell = Cell::new(title).add_attribute(Attribute::Bold);
        if title == "state" {
            cell
        } else {
            cell.set_alignment(CellAlignment::Right)
        }
    }));
    for segment in &found.segments {
        let last = last_sequence(segment).map_or_else(|| "-".to_owned(), |last| last.to_string());
        let numbers = [
            segment.index.to_string(),
            segment.first.to_string(),
            last,
            segment.frames.to_string(),
            segment.events.to_string(),
            segment.bytes.to_string(),
            segment.bytes_used.to_string(),
        ];
        let cells = numbers.map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
        let state = match &segment.state {
            SegmentState::Torn { bytes } => format!("torn, {bytes} bytes"),
            state @ (SegmentState::Whole | SegmentState::Damaged(_)) => state_word(state).into(),
        };
        table.add_row(cells.into_iter().chain([Cell::new(state)]));
    }
    trimmed(&table)
}

/// A table as text, without spaces at the ends of its lines.
pub(super) fn trimmed(table: &Table) -> String {
    let lines: Vec<_> = table.lines().collect();
    let trimmed: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    trimmed.join("\n") + "\n"
}

fn totals(found: &Survey) -> String {
    let mut text = format!(
        "{} segments, {} frames, {} events",
        found.segments.len(),
        sum(found, |segment| segment.frames),
        sum(found, |segment| segment.events),
    );
    let lost = sum(found, |segment| segment.lost);
    if lost > 0 {
        write!(text, ", {lost} noted as lost by an earlier salvage").expect(PROMISE);
    }
    if let Some((_, bytes)) = found.torn() {
        write!(
            text,
            ", then {bytes} bytes of a write that was not finished, or was damaged later, which the \
             next start cuts"
        )
        .expect(PROMISE);
    }
    text
}

fn sum(found: &Survey, figure: fn(&SegmentSurvey) -> u64) -> u64 {
    found.segments.iter().map(figure).sum()
}

/// `None` if it has no events.
fn last_sequence(segment: &SegmentSurvey) -> Option<u64> {
    (segment.next > segment.first).then(|| segment.next - 1)
}

fn segment_json(segment: &SegmentSurvey) -> Value {
    json!({
        "segment": segment.index,
        "first_sequence": segment.first,
        "last_sequence": last_sequence(segment),
        "frames": segment.frames,
        "events": segment.events,
        "lost": segment.lost,
        "bytes": segment.bytes,
        "bytes_used": segment.bytes_used,
        "state": state_word(&segment.state),
    })
}

fn damages<'a>(all: impl Iterator<Item = &'a crate::journal::Damage>) -> Vec<Value> {
    let one = |damage: &crate::journal::Damage| {
        json!({
            "segment": damage.segment,
            "offset": damage.offset,
            "defect": damage.defect.to_string(),
        })
    };
    all.map(one).collect()
}

fn lost_json(lost: &LostEvents) -> Value {
    json!({"first_sequence": lost.first, "last_sequence": lost.last})
}

pub(super) fn print_json(value: &Value) -> anyhow::Result<()> {
    print(&format!("{value:#}\n"))
}

pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).map_err(Exit::output(None))
}

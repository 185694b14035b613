//! Converts answers of the engine into messages, and the windows and limits of requests back.

use prost_types::Timestamp;
use tonic::Status;

use super::event::{WireRefusal, instant_from_wire, wire_from_instant};
use super::status::bad_field;
use crate::core::{Deficit, Field, Micros, Segment, Window};
use crate::engine::{BalanceChange, HolderAnswer, Page, RankedHolder};
use crate::net::pb;
use crate::net::report_limit::{ListedKeys, listed_event_ids};

/// The window of a request; an absent `as_of` is now.
pub(super) fn window_from_wire(window: Option<&pb::Window>, now: Micros) -> Result<Window, Status> {
    let Some(window) = window else {
        return Ok(Window::until(now));
    };
    Ok(Window {
        from: instant("window.from", window.from.as_ref())?,
        as_of: instant("window.as_of", window.as_of.as_ref())?.unwrap_or(now),
        closed_only: window.closed_only,
    })
}

pub(super) fn instant(field: &str, time: Option<&Timestamp>) -> Result<Option<Micros>, Status> {
    let Some(time) = time else { return Ok(None) };
    // The conversion names a field of an event; the rest of its text holds here too.
    instant_from_wire(Field::Start, time)
        .map(Some)
        .map_err(|refusal| bad_field(field, &reason_without_field(field, refusal)))
}

fn reason_without_field(field: &str, refusal: WireRefusal) -> String {
    let text = refusal.to_string();
    let reason = text.split_once(": ").map_or(&*text, |(_, reason)| reason);
    format!("{field}: {reason}")
}

/// How many rows: `default` for 0; more than `max` is refused.
pub(super) fn count_from_wire(
    field: &str,
    count: u32,
    default: u32,
    max: u32,
) -> Result<usize, Status> {
    match count {
        0 => Ok(default as usize),
        count if count <= max => Ok(count as usize),
        count => Err(bad_field(
            field,
            &format!("{field}: must be at most {max}, not {count}"),
        )),
    }
}

pub(super) fn wire_from_window(window: &Window) -> pb::Window {
    pb::Window {
        as_of: Some(wire_from_instant(window.as_of)),
        from: window.from.map(wire_from_instant),
        closed_only: window.closed_only,
    }
}

pub(super) fn wire_from_holder(row: &RankedHolder) -> pb::HolderScore {
    let totals = &row.holder.totals;
    pb::HolderScore {
        rank: row.rank,
        holder_id: row.holder.holder_id.to_string(),
        held_us: totals.held_us.to_string(),
        score: totals.score.to_string(),
        weighted_score: totals.score.nearest_double(),
        total_seconds: seconds(row),
    }
}

pub(super) fn stat_from_holder(row: &RankedHolder, updated_at: Micros) -> pb::HoldStat {
    pb::HoldStat {
        holder_id: row.holder.holder_id.to_string(),
        total_seconds: seconds(row),
        weighted_score: row.holder.totals.score.nearest_double(),
        updated_at: Some(wire_from_instant(updated_at)),
    }
}

fn seconds(row: &RankedHolder) -> i64 {
    i64::try_from(row.holder.totals.total_seconds()).unwrap_or(i64::MAX)
}

pub(super) fn holders(page: &Page) -> Vec<pb::HolderScore> {
    page.holders.iter().map(wire_from_holder).collect()
}

pub(super) fn report_from_answer(answer: &HolderAnswer, window: &Window) -> pb::HolderReport {
    let listed = ListedKeys::of(&answer.keys);
    let keys = listed.keys.into_iter();
    pb::HolderReport {
        window: Some(wire_from_window(window)),
        holder: Some(wire_from_holder(&answer.holder)),
        keys: keys
            .map(|key| pb::KeySegments {
                token_id: key.token_id.to_owned(),
                segments: key.segments.iter().map(wire_from_segment).collect(),
                changes: key.changes.iter().map(wire_from_change).collect(),
                deficit: key.deficit.map(wire_from_deficit),
            })
            .collect(),
        sequence: answer.sequence,
        segments_left_out: listed.segments_left_out,
        keys_left_out: listed.keys_left_out,
        deficits: answer.deficits as u64,
        changes_left_out: listed.changes_left_out,
    }
}

fn wire_from_segment(segment: &Segment) -> pb::Segment {
    pb::Segment {
        start: Some(wire_from_instant(segment.start)),
        end: segment.end.map(wire_from_instant),
        weight: segment.weight.to_string(),
    }
}

fn wire_from_change(change: &BalanceChange) -> pb::BalanceChange {
    pb::BalanceChange {
        at: Some(wire_from_instant(change.at)),
        event_id: change.event_id.to_string(),
        delta: change.delta.to_string(),
        balance: change.balance.to_string(),
    }
}

pub(super) fn wire_from_deficit(deficit: &Deficit) -> pb::Deficit {
    let (event_ids, event_ids_left_out) = listed_event_ids(deficit);
    pb::Deficit {
        token_id: deficit.token_id.to_string(),
        holder_id: deficit.holder_id.to_string(),
        at: Some(wire_from_instant(deficit.at)),
        balance: deficit.balance.to_string(),
        event_ids: event_ids.iter().map(ToString::to_string).collect(),
        event_ids_left_out,
    }
}

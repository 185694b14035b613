//! Applies verdicts to a batch: drops the events of refused rows, and validates events that take the place of
//! others.

use super::row_batch::{RefusedRow, Row, RowBatch};
use super::{BEFORE_ACCEPT, GateOptions, NoAnswer, Verdict, Verdicts};
use crate::core::{Event, EventBatch, Micros, encoding};
use crate::engine::event_limits::EventLimits;

/// Bytes of a reason that a sender reads at most.
const REASON_BYTES_MAX: usize = 400;

/// A batch with the verdicts applied.
pub(super) struct Judged {
    pub(super) batch: RowBatch,
    pub(super) refused: Vec<RefusedRow>,
    /// Events that took the place of others.
    pub(super) replaced: u64,
}

/// `batch` without the rows that are refused. No answer if a verdict is for no event of the batch, or replaces one by
/// several.
pub(super) fn judge(
    batch: &RowBatch,
    mut verdicts: Verdicts,
    gate: &GateOptions,
    limits: &EventLimits,
    now: Micros,
) -> Result<Judged, NoAnswer> {
    verdicts.sort_by_key(|(event, _)| *event);
    let is_one = |verdict: &Verdict| !matches!(verdict, Verdict::Replace(by) if by.count() != 1);
    let are_known = verdicts
        .iter()
        .all(|(event, verdict)| *event < batch.events.count() && is_one(verdict));
    if !are_known {
        return Err(NoAnswer);
    }
    let mut judged = Judged {
        batch: RowBatch {
            events: EventBatch::with_capacity(batch.events.bytes().len()),
            rows: Some(Vec::new()),
            room: None,
        },
        refused: Vec::new(),
        replaced: 0,
    };
    let mut events = decoded(&batch.events);
    let mut verdicts = verdicts.into_iter().peekable();
    let mut begin = 0;
    for row in batch.rows.iter().flatten() {
        let count = row.events_end - begin;
        let own = events.by_ref().take(count as usize);
        let mut ruled = Vec::new();
        while let Some((_, verdict)) = verdicts.next_if(|(event, _)| *event < row.events_end) {
            ruled.push(verdict);
        }
        judged.add(row, own.collect(), ruled, |event| {
            limits.check_event(event, now)
        });
        begin = row.events_end;
    }
    for row in &mut judged.refused {
        row.reason = refusal(gate, &row.reason);
    }
    Ok(judged)
}

impl Judged {
    fn add(
        &mut self,
        row: &Row,
        events: Vec<Event<'_>>,
        verdicts: Vec<Verdict>,
        check: impl Fn(&Event<'_>) -> Result<(), crate::engine::Rejection>,
    ) {
        let mut refuse = |reason: String| {
            self.refused.push(RefusedRow {
                id: row.id,
                events: u32::try_from(events.len()).expect("a transfer has two"),
                reason,
                is_unchecked: false,
            });
        };
        let mut by = None;
        for verdict in verdicts {
            match verdict {
                Verdict::Refuse(reason) => return refuse(reason),
                Verdict::Replace(_) if events.len() > 1 => {
                    return refuse(
                        "changed a transfer, which can only be accepted or refused".to_owned(),
                    );
                }
                Verdict::Replace(event) => by = Some(event),
            }
        }
        let replacement = by.as_ref().and_then(|by| decoded(by).next());
        if let Some(Err(rejection)) = replacement.as_ref().map(&check) {
            return refuse(format!(
                "changed the event, which is invalid now: {rejection}"
            ));
        }
        self.replaced += u64::from(replacement.is_some());
        for event in events {
            self.batch.events.push(&replacement.unwrap_or(event));
        }
        let events_end = self.batch.events.count();
        let row = Row {
            id: row.id,
            events_end,
        };
        self.batch.rows.get_or_insert_default().push(row);
    }
}

/// The events of a batch that this process has encoded.
fn decoded(batch: &EventBatch) -> impl Iterator<Item = Event<'_>> {
    encoding::events(batch.bytes()).map(|event| event.expect("events of a batch can be decoded"))
}

/// One line, because it stands in lists and logs, and the reason is an operator's text.
fn refusal(gate: &GateOptions, reason: &str) -> String {
    let mut line = format!("{BEFORE_ACCEPT}: {gate}: ");
    for letter in reason.chars() {
        if line.len() >= REASON_BYTES_MAX {
            line.push_str("...");
            break;
        }
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

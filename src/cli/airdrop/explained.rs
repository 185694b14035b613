//! An explanation for people: the segments as a table, then the arithmetic, a line for each step.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, Table, presets};

use super::plan::Plan;
use crate::airdrop::{ExplainedKey, ExplainedScore, Explanation, format_units};
use crate::output::printable;

/// Segments that are shown; JSON has all of them.
const SEGMENTS_MAX: usize = 100;
/// Event ids that are shown for a segment.
const IDS_MAX: usize = 3;

/// The whole text. Scores that are stated do not follow from the segments by known steps.
pub(super) fn text(explanation: &Explanation, plan: &Plan, is_stated: bool) -> String {
    let (amount, share) = (explanation.amount.0, &explanation.share);
    let mut text = format!(
        "{} gets {amount} base units ({} tokens) of the pool of {}\n\n",
        printable(&explanation.holder_id),
        format_units(amount, plan.decimals),
        plan.pool,
    );
    let segments: usize = explanation.scores.iter().map(count).sum();
    push_table(&mut text, &explanation.scores);
    if segments > SEGMENTS_MAX {
        let more = segments - SEGMENTS_MAX;
        push(
            &mut text,
            format_args!("and {more} more segments (--json lists all)"),
        );
    }
    let policy = plan.policy.as_deref();
    for score in &explanation.scores {
        let count = count(score);
        let noun = if count == 1 { "segment" } else { "segments" };
        let of = match policy {
            None => format!("the sum of {count} {noun}"),
            Some(policy) if is_stated => format!(
                "as {} gives it for all holders together; of this one it was given {count} {noun}",
                printable(policy)
            ),
            Some(policy) => format!("of {count} {noun} under {}", printable(policy)),
        };
        let name = printable(&score.holder_id);
        push(
            &mut text,
            format_args!("score of {name}: {}, {of}", score.score),
        );
    }
    if let [_, _, ..] = explanation.scores[..] {
        push(
            &mut text,
            format_args!("score: {}, their sum", explanation.score),
        );
    }
    if share.is_capped {
        push(
            &mut text,
            format_args!("amount: {amount}, the cap: the share would be larger"),
        );
        return text;
    }
    push(
        &mut text,
        format_args!(
            "share: floor({} x {} / {}) = {}, remainder {}",
            share.rest, share.weight, share.total, share.floor, share.remainder
        ),
    );
    let spare_unit = match (&share.last_spare_unit, share.has_spare_unit) {
        (None, _) => "there is no spare unit".to_owned(),
        (Some(last), has_spare) => format!(
            "{} (the last one goes to a remainder of {}, {})",
            if has_spare {
                "1 spare unit"
            } else {
                "no spare unit"
            },
            last.remainder,
            printable(&last.holder_id)
        ),
    };
    push(
        &mut text,
        format_args!(
            "amount: {} + {} = {amount}; {spare_unit}",
            share.floor,
            u8::from(share.has_spare_unit)
        ),
    );
    text
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("memory takes it");
}

fn count(score: &ExplainedScore) -> usize {
    score.keys.iter().map(|key| key.segments.len()).sum()
}

fn push_table(text: &mut String, scores: &[ExplainedScore]) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.force_no_tty();
    table.set_header(["holder", "token", "from", "to", "weight", "score", "events"]);
    let keys = scores.iter().flat_map(|score| &score.keys);
    for row in keys.flat_map(rows_of).take(SEGMENTS_MAX) {
        table.add_row(row);
    }
    for line in table.lines() {
        push(text, format_args!("{}", line.trim_end()));
    }
    text.push('\n');
}

/// The row of each segment.
fn rows_of(key: &ExplainedKey) -> impl Iterator<Item = Vec<Cell>> {
    key.segments.iter().map(|segment| {
        let shown = segment.event_ids.iter().take(IDS_MAX);
        let mut ids: Vec<_> = shown.map(|id| printable(id)).collect();
        let more = segment.event_ids.len() - ids.len() + segment.event_ids_left_out;
        if more > 0 {
            ids.push(format!("and {more} more"));
        }
        let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        vec![
            Cell::new(printable(&key.holder_id)),
            Cell::new(printable(&key.token_id)),
            Cell::new(segment.start.to_string()),
            Cell::new(segment.end.to_string()),
            number(segment.weight.to_string()),
            number(segment.score.to_string()),
            Cell::new(if ids.is_empty() {
                "without id".into()
            } else {
                ids.join(", ")
            }),
        ]
    })
}

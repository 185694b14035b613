//! What a whole file says: counts, ranges of times, and what `score` would warn of.
//!
//! The events go through the scorer, which finds the same as for `score`; its scores are not looked at.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::or_null;
use crate::aggregator::BatchScorer;
use crate::core::{EventSink, Findings, Instants, Micros, Spellings, TimeUnit, Window};
use crate::input::{
    FileNote, InputError, InputOptions, Progress, RefusalReason, Source, read_in_order,
};
use crate::output::{EventFormat, EventRows, Warning, WarningCode, missing_input, warnings};

/// All time.
const EVER: Window = Window {
    from: None,
    as_of: Micros::MAX,
    closed_only: false,
};

/// What was found.
pub(super) struct Survey {
    file: Arc<str>,
    note: Option<FileNote>,
    unit: TimeUnit,
    read: u64,
    accepted: u64,
    /// The first refused line.
    pub(super) refused: Option<(u64, RefusalReason)>,
    findings: Findings,
    /// What `score` would warn of.
    pub(super) warnings: Vec<Warning>,
    ignored_columns: Vec<String>,
    /// The first rows as lines of JSON.
    rows: String,
}

impl Survey {
    /// Reads at most `limit` rows of `source`, and keeps the first `shown` of them.
    pub(super) fn of(
        source: &Source,
        options: &InputOptions,
        shown: usize,
        limit: u64,
    ) -> Result<Self, InputError> {
        let mut survey = Self {
            file: source.name(),
            note: None,
            unit: options.values.times.unit,
            read: 0,
            accepted: 0,
            refused: None,
            findings: Findings::default(),
            warnings: Vec::new(),
            ignored_columns: Vec::new(),
            rows: String::new(),
        };
        let scorer = BatchScorer::new();
        let mut lane = scorer.lane();
        let mut rows = EventRows::new(EventFormat::Jsonl, Vec::new()).expect("memory takes it");
        let sources = std::slice::from_ref(source);
        let options = Arc::new(options.clone());
        let progress = Arc::<Progress>::default();
        let notes = read_in_order(sources, &options, &progress, |row| {
            survey.read += 1;
            match row.events {
                Ok(events) => {
                    survey.accepted += 1;
                    if survey.accepted <= shown as u64 {
                        rows.write(events).expect("memory takes it");
                    }
                    for event in events {
                        lane.accept(event);
                    }
                }
                Err(reason) => {
                    survey.refused.get_or_insert((row.line, reason));
                }
            }
            if survey.read < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        survey.note = notes.into_iter().next();
        let found = scorer.finish_in_full(vec![lane], &EVER, Some(1));
        let missing = missing_input(found.snapshot.deficits(), false);
        survey.warnings = warnings(&found.findings, survey.unit, missing, EVER.as_of);
        survey.findings = found.findings;
        survey.ignored_columns = progress.ignored_columns();
        let rows = rows.finish().expect("memory takes it");
        survey.rows = String::from_utf8(rows).expect("JSON is text");
        Ok(survey)
    }

    /// Whether `score` would warn of this.
    pub(super) fn has_warning(&self, code: WarningCode) -> bool {
        self.warnings.iter().any(|warning| warning.is(code))
    }

    /// Whether some of the lines were refused.
    pub(super) fn has_refused(&self) -> bool {
        self.read > self.accepted
    }

    /// Why no row gives an event; `None` if one does.
    pub(super) fn why_nothing_is_read(&self) -> Option<String> {
        (self.accepted == 0).then(|| match &self.refused {
            Some((number, reason)) => format!("line {number}: {reason}"),
            None => "it has no rows".to_owned(),
        })
    }

    /// Whether there are ids of `0x` and hexadecimal digits that differ by case.
    pub(super) fn has_hex_spellings(&self) -> bool {
        let is_hex = |ids: &Spellings| {
            let example = ids.example.as_ref();
            example.is_some_and(|(one, _)| one.starts_with("0x"))
        };
        is_hex(&self.findings.holders) || is_hex(&self.findings.tokens)
    }

    /// One object.
    pub(super) fn json(&self) -> Value {
        let rows = self
            .rows
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a written row is JSON"));
        json!({
            "file": &*self.file,
            "recognised": self.note.as_ref().map(FileNote::feed),
            "token_kind": self.note.as_ref().and_then(FileNote::token_kind),
            "left_out": self.note.as_ref().map_or(0, FileNote::left_out),
            "read": self.read,
            "accepted": self.accepted,
            "refused": self.read - self.accepted,
            "first_refused": self.refused.as_ref().map(|(line, reason)| {
                json!({"line": line, "reason": reason.to_string()})
            }),
            "time_unit": self.note.is_none().then(|| self.unit.to_string()),
            "earliest": or_null(self.findings.instants.map(|instants| instants.first)),
            "latest": or_null(self.findings.instants.map(|instants| instants.last)),
            "warnings": self.warnings,
            "ignored_columns": self.ignored_columns,
            "rows": rows.collect::<Vec<_>>(),
        })
    }

    /// The same for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            writeln!(text, "{name:<14}{value}").expect("memory takes it");
        };
        line("file", self.file.to_string());
        let known = self.note.as_ref().map_or_else(
            || "events in our own or in mapped columns".to_owned(),
            |note| match note.token_kind() {
                Some(kind) => format!("{}, {kind}", note.feed()),
                None => note.feed().to_owned(),
            },
        );
        line("recognised", known);
        line(
            "rows",
            format!("{} read, {} accepted", self.read, self.accepted),
        );
        if let Some(left_out) = self
            .note
            .as_ref()
            .map(FileNote::left_out)
            .filter(|count| *count > 0)
        {
            line(
                "left out",
                format!("{left_out} rows without events of that kind"),
            );
        }
        if let Some((number, reason)) = &self.refused {
            line(
                "refused",
                format!(
                    "{}, the first in line {number}: {reason}",
                    self.read - self.accepted
                ),
            );
        }
        if let Some(Instants { first, last }) = self.findings.instants {
            line("times", format!("{first} to {last}"));
        }
        if self.note.is_none() {
            line("numbers", format!("of times are {}", self.unit));
        }
        for warning in &self.warnings {
            line("warning", warning.to_string());
        }
        if !self.ignored_columns.is_empty() {
            line("ignored", self.ignored_columns.join(", "));
        }
        text.push_str("first events\n");
        for row in self.rows.lines() {
            writeln!(text, "  {row}").expect("memory takes it");
        }
        text
    }
}

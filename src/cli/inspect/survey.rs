//! What a whole file says: counts, ranges of times, ids that differ by case, ties within an instant.
//!
//! Memory grows with the ids and the marks of a file, up to a limit; past it, ids and ties are no longer
//! compared, and the answer says so.

use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::ops::ControlFlow;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde_json::{Value, json};

use super::or_null;
use crate::core::{Event, Fact, Micros, TimeUnit};
use crate::input::{
    FileNote, InputError, InputOptions, Progress, RefusalReason, Source, read_in_order,
};
use crate::output::{EventFormat, EventRows};

/// Ids or marks that are compared.
const COMPARED_MAX: usize = 1 << 21;
/// Pairs of ids that are listed.
const LISTED_MAX: usize = 5;

/// What was found.
pub(super) struct Survey {
    file: Arc<str>,
    note: Option<FileNote>,
    unit: TimeUnit,
    read: u64,
    accepted: u64,
    /// The first refused line.
    pub(super) refused: Option<(u64, RefusalReason)>,
    pub(super) first: Option<Micros>,
    pub(super) last: Option<Micros>,
    /// Ids of holders that are equal but for case.
    pub(super) case_pairs: Vec<(String, String)>,
    case_pair_count: u64,
    /// Marks of one key at one instant and `seq`.
    ties: u64,
    is_all_compared: bool,
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
            first: None,
            last: None,
            case_pairs: Vec::new(),
            case_pair_count: 0,
            ties: 0,
            is_all_compared: true,
            ignored_columns: Vec::new(),
            rows: String::new(),
        };
        let mut compared = Compared::default();
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
                        survey.see(event, &mut compared);
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
        survey.ignored_columns = progress.ignored_columns();
        let rows = rows.finish().expect("memory takes it");
        survey.rows = String::from_utf8(rows).expect("JSON is text");
        Ok(survey)
    }

    fn see(&mut self, event: &Event<'_>, compared: &mut Compared) {
        let fact = event.claim.fact();
        if let Some(fact) = fact {
            let (first, last) = (fact.instant(), fact.last_instant());
            self.first = Some(self.first.map_or(first, |known| known.min(first)));
            self.last = Some(self.last.map_or(last, |known| known.max(last)));
        }
        if compared.is_full() {
            self.is_all_compared = false;
            return;
        }
        if let Some(other) = compared.other_case(event.holder_id) {
            self.case_pair_count += 1;
            if self.case_pairs.len() < LISTED_MAX {
                self.case_pairs.push((other, event.holder_id.to_owned()));
            }
        }
        if let Some(Fact::Start { at, seq, .. }) = fact
            && compared.is_tie(event, at, seq)
        {
            self.ties += 1;
        }
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
            "earliest": or_null(self.first),
            "latest": or_null(self.last),
            "ids_differing_by_case": self.case_pairs,
            "ids_differing_by_case_count": self.case_pair_count,
            "ties": self.ties,
            "ignored_columns": self.ignored_columns,
            "all_compared": self.is_all_compared,
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
        if let (Some(first), Some(last)) = (self.first, self.last) {
            line("times", format!("{first} to {last}"));
        }
        if self.note.is_none() {
            line("numbers", format!("of times are {}", self.unit));
        }
        for (one, other) in &self.case_pairs {
            line(
                "case differs",
                format!("{one} and {other} are two holders; add --fold-hex-ids if they are one"),
            );
        }
        if self.ties > 0 {
            line(
                "ties",
                format!(
                    "{} marks share key, instant and seq with another: the largest counts",
                    self.ties
                ),
            );
        }
        if !self.ignored_columns.is_empty() {
            line("ignored", self.ignored_columns.join(", "));
        }
        if !self.is_all_compared {
            line(
                "compared",
                format!("the first {COMPARED_MAX} ids and marks only"),
            );
        }
        text.push_str("first events\n");
        for row in self.rows.lines() {
            writeln!(text, "  {row}").expect("memory takes it");
        }
        text
    }
}

/// What ids and marks are compared with.
#[derive(Default)]
struct Compared {
    /// The first spelling of an id, by its lower case.
    ids: HashMap<String, String>,
    /// Marks by a hash of key, instant and `seq`.
    marks: HashMap<u64, ()>,
    /// Spellings that were reported.
    reported: HashMap<String, ()>,
}

impl Compared {
    fn is_full(&self) -> bool {
        self.ids.len() + self.marks.len() >= COMPARED_MAX
    }

    /// Another spelling of an id that is new itself.
    fn other_case(&mut self, id: &str) -> Option<String> {
        let lower = id.to_lowercase();
        let Some(known) = self.ids.get(&lower) else {
            self.ids.insert(lower, id.to_owned());
            return None;
        };
        if known == id || self.reported.insert(id.to_owned(), ()).is_some() {
            return None;
        }
        Some(known.clone())
    }

    /// Whether the key has another mark at this instant and `seq`.
    fn is_tie(&mut self, event: &Event<'_>, at: Micros, seq: u64) -> bool {
        let key = (event.token_id, event.holder_id, at.get(), seq);
        let hash = FixedState::default().hash_one(key);
        self.marks.insert(hash, ()).is_some()
    }
}

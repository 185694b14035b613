//! What is valid and probably not meant: the codes and the sentences of `docs/warnings.md`.
//!
//! Says what was found, and changes no score. What is wrong in any case is an error, and columns that no field was
//! read from are listed in `ignored_columns`. The Python package says the same in `hold_warnings`.

use std::fmt;

use serde::Serialize;

use super::table::grouped;
use crate::core::{Findings, Instants, Micros, Spellings, TimeUnit};
use crate::excerpt::quoted;

/// 1970-02-01T00:00:00Z in microseconds.
const FEBRUARY_1970: i64 = 31 * 86_400 * 1_000_000;

/// What a warning is about, and what two errors are about that are said in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WarningCode {
    EpochSeconds,
    IdsDifferByCase,
    Ties,
    ConflictingFacts,
    Deficits,
    AsOfBeforeEvents,
    /// An error.
    FromAfterAsOf,
    /// An error.
    NoEvent,
}

impl WarningCode {
    /// All of them, in order.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 8] = [
        Self::EpochSeconds,
        Self::IdsDifferByCase,
        Self::Ties,
        Self::ConflictingFacts,
        Self::Deficits,
        Self::AsOfBeforeEvents,
        Self::FromAfterAsOf,
        Self::NoEvent,
    ];

    /// `W01` and so on, never used again for something else, and the same in words.
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::EpochSeconds => ("W01", "epoch-seconds"),
            Self::IdsDifferByCase => ("W02", "ids-differ-by-case"),
            Self::Ties => ("W03", "ties"),
            Self::ConflictingFacts => ("W04", "conflicting-facts"),
            Self::Deficits => ("W05", "deficits"),
            Self::AsOfBeforeEvents => ("W06", "as-of-before-events"),
            Self::FromAfterAsOf => ("W07", "from-after-as-of"),
            Self::NoEvent => ("W08", "no-event"),
        }
    }
}

impl fmt::Display for WarningCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, name) = self.texts();
        write!(out, "{code} {name}")
    }
}

/// One warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Warning {
    /// `W01` and so on.
    pub code: &'static str,
    /// The code in words.
    pub name: &'static str,
    /// What was found, and the cure.
    pub text: String,
}

impl Warning {
    pub(crate) const fn new(code: WarningCode, text: String) -> Self {
        let (code, name) = code.texts();
        Self { code, name, text }
    }

    /// Whether it has this code.
    pub(crate) fn is(&self, code: WarningCode) -> bool {
        self.code == code.texts().0
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}: {}", self.code, self.name, self.text)
    }
}

/// One thing that was found, by code.
#[derive(Clone, Copy)]
enum Found<'a> {
    EpochSeconds(Instants),
    /// Holders or tokens.
    DifferByCase(&'static str, &'a Spellings),
    Ties(u64),
    Conflicts(u64),
}

impl<'a> Found<'a> {
    /// All that some events have.
    fn all(findings: &'a Findings) -> impl Iterator<Item = Self> {
        let alike =
            |what, ids: &'a Spellings| (ids.count > 0).then_some(Self::DifferByCase(what, ids));
        let found = [
            findings
                .instants
                .filter(is_january_1970)
                .map(Self::EpochSeconds),
            alike("holder", &findings.holders),
            alike("token", &findings.tokens),
            (findings.ties > 0).then_some(Self::Ties(findings.ties)),
            (findings.conflicts > 0).then_some(Self::Conflicts(findings.conflicts)),
        ];
        found.into_iter().flatten()
    }

    const fn code(self) -> WarningCode {
        match self {
            Self::EpochSeconds(_) => WarningCode::EpochSeconds,
            Self::DifferByCase(..) => WarningCode::IdsDifferByCase,
            Self::Ties(_) => WarningCode::Ties,
            Self::Conflicts(_) => WarningCode::ConflictingFacts,
        }
    }

    /// What was found in files whose numbers were read as times in `unit`, and the cure.
    fn warning(self, unit: TimeUnit) -> Warning {
        let text = match self {
            Self::EpochSeconds(Instants { first, last }) => format!(
                "every time is in January 1970, from {first} to {last}, as if seconds had been taken for milliseconds; \
                 numbers were read as {unit}: if that is wrong, name their unit with --time-unit"
            ),
            Self::DifferByCase(what, ids) => differ_by_case(what, ids),
            Self::Ties(1) => ties("1 instant of a key has"),
            Self::Ties(count) => ties(&format!(
                "{} instants of keys have",
                grouped(&count.to_string())
            )),
            Self::Conflicts(1) => {
                conflicts("1 event_id states different facts at its last revision")
            }
            Self::Conflicts(count) => conflicts(&format!(
                "{} event_ids state different facts at their last revision",
                grouped(&count.to_string())
            )),
        };
        Warning::new(self.code(), text)
    }
}

/// The warnings about files, by code: numbers were read as times in `unit`, `missing_input` says that there are
/// deficits.
pub(crate) fn warnings(
    findings: &Findings,
    unit: TimeUnit,
    missing_input: Option<String>,
    as_of: Micros,
) -> Vec<Warning> {
    let found = Found::all(findings).map(|found| found.warning(unit));
    let missing = missing_input.map(|text| Warning::new(WarningCode::Deficits, text));
    let instants = findings.instants;
    let early = instants.and_then(|instants| before_every_event(instants, as_of));
    found.chain(missing).chain(early).collect()
}

/// What a service answers about events that came together: the codes and their names.
pub(crate) fn warning_names(findings: &Findings) -> Vec<String> {
    let mut names: Vec<_> = Found::all(findings)
        .map(|found| found.code().to_string())
        .collect();
    names.dedup();
    names
}

fn is_january_1970(Instants { first, last }: &Instants) -> bool {
    first.get() >= 0 && last.get() < FEBRUARY_1970
}

fn differ_by_case(what: &str, ids: &Spellings) -> String {
    let (one, other) = ids
        .example
        .as_ref()
        .expect("ids that are counted have an example");
    let (one, other) = (quoted(one), quoted(other));
    let those = match ids.count {
        1 => format!("1 {what} differs from another by case alone: {one} and {other}"),
        count => format!(
            "{} {what}s differ from others by case alone, such as {one} and {other}",
            grouped(&count.to_string())
        ),
    };
    format!(
        "{those}; if they are one, write them alike, or read hexadecimal ids with --fold-hex-ids"
    )
}

fn ties(those_have: &str) -> String {
    format!(
        "{those_have} different levels without an order: a stop counts, else the largest; give the order with seq, \
         such as a log index"
    )
}

fn conflicts(those: &str) -> String {
    format!("{those}: the largest counts; correct an event with a higher revision")
}

fn before_every_event(Instants { first, .. }: Instants, as_of: Micros) -> Option<Warning> {
    (as_of <= first).then(|| {
        let text = format!(
            "--as-of is {as_of}, and the first event is at {first}: nothing counts; give a later --as-of"
        );
        Warning::new(WarningCode::AsOfBeforeEvents, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_section_for_each_code_and_no_others() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/warnings.md");
        let page = std::fs::read_to_string(page).expect("the page is there");
        let sections = page.lines().filter_map(|line| line.strip_prefix("## W"));
        let sections: Vec<_> = sections.map(|rest| format!("W{rest}")).collect();
        assert_eq!(sections, WarningCode::ALL.map(|code| code.to_string()));
    }
}

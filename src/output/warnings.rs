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

    /// Whether it says that input is missing.
    pub(crate) fn is_of_deficits(&self) -> bool {
        self.code == WarningCode::Deficits.texts().0
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}: {}", self.code, self.name, self.text)
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
    let found = [
        findings
            .instants
            .and_then(|instants| epoch_seconds(instants, unit)),
        differ_by_case("holder", &findings.holders),
        differ_by_case("token", &findings.tokens),
        ties(findings.ties),
        conflicts(findings.conflicts),
        missing_input.map(|text| Warning::new(WarningCode::Deficits, text)),
        findings
            .instants
            .and_then(|instants| before_every_event(instants, as_of)),
    ];
    found.into_iter().flatten().collect()
}

/// What a service answers about events that came together: the codes and their names.
pub(crate) fn warning_names(findings: &Findings) -> Vec<String> {
    let is_early = findings.instants.is_some_and(is_january_1970);
    let has_spellings = findings.holders.count > 0 || findings.tokens.count > 0;
    let found = [
        (WarningCode::EpochSeconds, is_early),
        (WarningCode::IdsDifferByCase, has_spellings),
        (WarningCode::Ties, findings.ties > 0),
        (WarningCode::ConflictingFacts, findings.conflicts > 0),
    ];
    let found = found.into_iter().filter(|(_, is_found)| *is_found);
    found.map(|(code, _)| code.to_string()).collect()
}

const fn is_january_1970(Instants { first, last }: Instants) -> bool {
    first.get() >= 0 && last.get() < FEBRUARY_1970
}

fn epoch_seconds(instants: Instants, unit: TimeUnit) -> Option<Warning> {
    let Instants { first, last } = instants;
    is_january_1970(instants).then(|| {
        let text = format!(
            "every time is in January 1970, from {first} to {last}; numbers were read as {unit}: name their unit \
             with --time-unit"
        );
        Warning::new(WarningCode::EpochSeconds, text)
    })
}

fn differ_by_case(what: &str, spellings: &Spellings) -> Option<Warning> {
    let (one, other) = spellings.example.as_ref()?;
    let (one, other) = (quoted(one), quoted(other));
    let those = match spellings.count {
        1 => format!("1 {what} differs from another by case alone: {one} and {other}"),
        count => format!(
            "{} {what}s differ from others by case alone, such as {one} and {other}",
            grouped(&count.to_string())
        ),
    };
    let text = format!(
        "{those}; if they are one, write them alike, or read hexadecimal ids with --fold-hex-ids"
    );
    Some(Warning::new(WarningCode::IdsDifferByCase, text))
}

fn ties(count: u64) -> Option<Warning> {
    let those = match count {
        0 => return None,
        1 => "1 instant of a key has different levels".to_owned(),
        _ => format!(
            "{} instants of keys have different levels",
            grouped(&count.to_string())
        ),
    };
    let text = format!(
        "{those} without an order: a stop counts, else the largest; give the order with seq, such as a log index"
    );
    Some(Warning::new(WarningCode::Ties, text))
}

fn conflicts(count: u64) -> Option<Warning> {
    let those = match count {
        0 => return None,
        1 => "1 event_id states different facts at its last revision".to_owned(),
        _ => format!(
            "{} event_ids state different facts at their last revision",
            grouped(&count.to_string())
        ),
    };
    let text = format!("{those}: the largest counts; correct an event with a higher revision");
    Some(Warning::new(WarningCode::ConflictingFacts, text))
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

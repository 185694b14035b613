//! An event whose fields were parsed one by one from a line of text.
//!
//! The step between a text format (`jsonl`, `csv`) and the checks that all sources share.

use std::borrow::Cow;

use crate::core::event::INTEGER_MAX;
use crate::core::{Draft, Event, Field, Micros, Refusal, TimeError, Wad};

/// The parsed fields; texts are borrowed from the line if they stand there unescaped.
#[derive(Debug)]
pub(crate) struct ParsedEvent<'a> {
    pub(super) token_id: Cow<'a, str>,
    pub(super) holder_id: Cow<'a, str>,
    pub(super) start: Option<Micros>,
    pub(super) end: Option<Micros>,
    pub(super) weight: Option<Wad>,
    pub(super) event_id: Option<Cow<'a, str>>,
    pub(super) revision: u64,
    pub(super) retract: bool,
}

impl ParsedEvent<'_> {
    /// The event, or why its fields contradict each other.
    #[inline]
    pub(super) fn check(&self) -> Result<Event<'_>, Refusal> {
        self.draft().check()
    }

    /// The fields, for callers that check more than files are checked for.
    #[inline]
    #[must_use]
    pub(crate) fn draft(&self) -> Draft<'_> {
        Draft {
            token_id: &self.token_id,
            holder_id: &self.holder_id,
            start: self.start,
            end: self.end,
            weight: self.weight,
            event_id: self.event_id.as_deref(),
            revision: self.revision,
            retract: self.retract,
            ..Draft::default()
        }
    }
}

/// Refuses an empty id here, so that its refusal comes before those of later fields.
pub(super) fn present(field: Field, id: Cow<'_, str>) -> Result<Cow<'_, str>, Refusal> {
    if id.is_empty() {
        Err(Refusal::MissingId(field))
    } else {
        Ok(id)
    }
}

/// Parses a `revision`: digits, with leading zeros and a minus before zero allowed.
pub(super) fn revision(text: &str) -> Result<u64, Refusal> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Revision);
    }
    let significant = unsigned.trim_start_matches('0');
    match significant {
        "" => Ok(0),
        _ if text.len() > unsigned.len() => Err(Refusal::Revision),
        digits => digits
            .parse()
            .ok()
            .filter(|revision| *revision <= INTEGER_MAX)
            .ok_or(Refusal::Revision),
    }
}

/// Names the field whose time is invalid.
pub(super) fn time(field: Field, read: Result<Micros, TimeError>) -> Result<Micros, Refusal> {
    read.map_err(|error| Refusal::Time(field, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_digits_up_to_two_to_the_63() {
        assert_eq!(revision("0"), Ok(0));
        assert_eq!(revision("-000"), Ok(0));
        assert_eq!(revision("007"), Ok(7));
        assert_eq!(revision("9223372036854775807"), Ok(INTEGER_MAX));
        for text in [
            "",
            "-",
            "-1",
            "+1",
            "1.0",
            "1e3",
            "9223372036854775808",
            "١",
        ] {
            assert_eq!(revision(text), Err(Refusal::Revision), "{text:?}");
        }
    }
}

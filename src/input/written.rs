//! An event whose fields stood in a line of text, each read by itself.
//!
//! The step between a form of text (`jsonl`, `csv`) and the checks that all doors share.

use std::borrow::Cow;

use crate::core::event::REVISION_MAX;
use crate::core::{Draft, Event, Field, Micros, Refusal, TimeError, Wad};

/// The fields as they were written, borrowed from the line where it holds them unescaped.
#[derive(Debug)]
pub struct WrittenEvent<'a> {
    pub(super) token_id: Cow<'a, str>,
    pub(super) holder_id: Cow<'a, str>,
    pub(super) start: Option<Micros>,
    pub(super) end: Option<Micros>,
    pub(super) weight: Option<Wad>,
    pub(super) event_id: Option<Cow<'a, str>>,
    pub(super) revision: u64,
    pub(super) retract: bool,
}

impl WrittenEvent<'_> {
    /// The event, or what its fields say against each other.
    #[inline]
    pub(super) fn check(&self) -> Result<Event<'_>, Refusal> {
        self.draft().check()
    }

    /// The fields, for who checks more than files are checked for.
    #[inline]
    #[must_use]
    pub fn draft(&self) -> Draft<'_> {
        Draft {
            token_id: &self.token_id,
            holder_id: &self.holder_id,
            start: self.start,
            end: self.end,
            weight: self.weight,
            event_id: self.event_id.as_deref(),
            revision: self.revision,
            retract: self.retract,
        }
    }
}

/// An id that is there and not empty, so that its refusal comes before those of later fields.
pub(super) fn present(field: Field, id: Cow<'_, str>) -> Result<Cow<'_, str>, Refusal> {
    if id.is_empty() {
        Err(Refusal::MissingId(field))
    } else {
        Ok(id)
    }
}

/// A `revision` written in digits, a sign before a zero and zeros before digits included.
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
            .filter(|revision| *revision <= REVISION_MAX)
            .ok_or(Refusal::Revision),
    }
}

/// Names the field of a time that is none.
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
        assert_eq!(revision("9223372036854775807"), Ok(REVISION_MAX));
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

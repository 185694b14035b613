//! A hold, a change or a transfer whose fields were parsed one by one from a line of text.
//!
//! The step between a text format (`jsonl`, `csv`) and the checks that all sources share.

use std::borrow::Cow;

use crate::core::draft::INTEGER_MAX;
use crate::core::{Delta, Draft, Event, Field, Micros, Refusal, TimeError, Wad, WeightError};

/// The parsed fields; texts are borrowed from the line if they stand there unescaped.
#[derive(Debug, Default)]
pub(crate) struct ParsedEvent<'a> {
    pub(super) token_id: Cow<'a, str>,
    /// Empty in a transfer.
    pub(super) holder_id: Cow<'a, str>,
    pub(super) start: Option<Micros>,
    pub(super) end: Option<Micros>,
    pub(super) weight: Option<Wad>,
    pub(super) event_id: Option<Cow<'a, str>>,
    pub(super) revision: u64,
    pub(super) retract: bool,
    pub(super) seq: u64,
    /// In memory of its own: few lines have one, and it would double the size of what is moved for each.
    pub(super) change: Option<Box<ParsedChange<'a>>>,
}

/// The fields that only a change of balance or a transfer has.
#[derive(Debug, Default)]
pub(super) struct ParsedChange<'a> {
    pub(super) at: Option<Micros>,
    pub(super) delta: Option<Delta>,
    pub(super) from_id: Option<Cow<'a, str>>,
    pub(super) to_id: Option<Cow<'a, str>>,
    pub(super) amount: Option<Wad>,
}

impl ParsedEvent<'_> {
    /// The fields, not yet checked together.
    #[inline]
    #[must_use]
    pub(crate) fn draft(&self) -> Draft<'_> {
        let hold = self.hold();
        match self.change.as_deref() {
            None => hold,
            Some(change) => Draft {
                at: change.at,
                delta: change.delta,
                from_id: change.from_id.as_deref(),
                to_id: change.to_id.as_deref(),
                amount: change.amount,
                ..hold
            },
        }
    }

    /// Passes the events to `take`: two of a transfer between two holders, one of anything else.
    #[inline]
    pub(super) fn with_events<T>(
        &self,
        take: impl FnOnce(Result<&[Event<'_>], Refusal>) -> T,
    ) -> T {
        if self.change.is_none() {
            return match self.hold().check() {
                Ok(event) => take(Ok(std::slice::from_ref(&event))),
                Err(refusal) => take(Err(refusal)),
            };
        }
        match self.draft().events() {
            Ok(events) => take(Ok(&events)),
            Err(refusal) => take(Err(refusal)),
        }
    }

    #[inline]
    fn hold(&self) -> Draft<'_> {
        Draft {
            token_id: &self.token_id,
            holder_id: &self.holder_id,
            start: self.start,
            end: self.end,
            weight: self.weight,
            event_id: self.event_id.as_deref(),
            revision: self.revision,
            retract: self.retract,
            seq: self.seq,
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

/// Parses a `revision` or `seq`: digits, with leading zeros and a minus before zero allowed. `None` if it is
/// out of range or not an integer.
pub(super) fn integer(text: &str) -> Option<u64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = unsigned.trim_start_matches('0');
    match significant {
        "" => Some(0),
        _ if text.len() > unsigned.len() => None,
        digits => digits.parse().ok().filter(|number| *number <= INTEGER_MAX),
    }
}

/// Names the field whose time is invalid.
pub(super) fn time<T>(field: Field, read: Result<T, TimeError>) -> Result<T, Refusal> {
    read.map_err(|error| Refusal::Time(field, error))
}

/// Names the field whose decimal is invalid.
pub(super) fn decimal<T>(field: Field, read: Result<T, WeightError>) -> Result<T, Refusal> {
    read.map_err(|error| Refusal::Decimal(field, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_digits_below_two_to_the_63() {
        assert_eq!(integer("0"), Some(0));
        assert_eq!(integer("-000"), Some(0));
        assert_eq!(integer("007"), Some(7));
        assert_eq!(integer("9223372036854775807"), Some(INTEGER_MAX));
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
            assert_eq!(integer(text), None, "{text:?}");
        }
    }
}

//! One row of a feed, whatever the format of its file.

use std::borrow::Cow;

use super::quantities::digits;
use crate::core::{Micros, TimeError, TimeForm, TimeUnit};
#[cfg(feature = "py-embed")]
use crate::input::written::Written;

/// How feeds write times: in UTC, numbers in seconds.
pub(super) const FEED_TIMES: TimeForm = TimeForm {
    unit: TimeUnit::Seconds,
    assume_utc: true,
};

/// The values of a row by slot, as [`super::layout::FeedLayout`] numbers them.
pub(in crate::input) trait FeedRow {
    /// The value as text: binary values as `0x` and hexadecimal digits, numbers as digits. `None` if it is
    /// absent or empty.
    fn text(&self, slot: usize) -> Option<Cow<'_, str>>;

    /// The value as it is written; `None` if it is absent or empty.
    #[cfg(feature = "py-embed")]
    fn written(&self, slot: usize) -> Option<Written> {
        self.text(slot).map(|text| Written::Text(text.into_owned()))
    }

    /// The value as an instant; `None` if it is absent or empty.
    fn time(&self, slot: usize) -> Option<Result<Micros, TimeError>> {
        self.text(slot).map(|text| feed_time(&text))
    }
}

/// The instant that a text of a feed is, which may be a count in hexadecimal digits.
pub(super) fn feed_time(text: &str) -> Result<Micros, TimeError> {
    let read = if text.starts_with("0x") {
        let count = digits(text).ok_or(TimeError::NotATime)?;
        Micros::parse_cell_as(&count, FEED_TIMES)
    } else {
        Micros::parse_cell_as(text, FEED_TIMES)
    };
    read.map_err(|error| match error {
        // The unit is that of the feed.
        TimeError::OtherUnit(_) => TimeError::OutOfRange,
        other => other,
    })
}

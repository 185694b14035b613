//! The arguments that say which stretch of time counts.

use clap::Args;

use super::clock;
use crate::core::{Micros, TimeError, Window};

/// `--as-of`, `--from`, `--closed-only`.
#[derive(Debug, Args)]
pub(super) struct WindowArguments {
    /// First instant that no longer counts: RFC 3339 or integer milliseconds [default: now]
    #[arg(long, value_name = "T", value_parser = instant, allow_negative_numbers = true)]
    as_of: Option<Micros>,
    /// First instant that counts: RFC 3339 or milliseconds [default: the beginning of time]
    #[arg(long, value_name = "T", value_parser = instant, allow_negative_numbers = true)]
    from: Option<Micros>,
    /// Leave out what follows a key's last mark
    #[arg(long)]
    closed_only: bool,
}

impl WindowArguments {
    /// The window, and whether its end was read from the clock.
    pub(super) fn window(&self) -> (Window, bool) {
        let window = Window {
            from: self.from,
            as_of: self.as_of.unwrap_or_else(clock::now),
            closed_only: self.closed_only,
        };
        (window, self.as_of.is_none())
    }
}

fn instant(text: &str) -> Result<Micros, TimeError> {
    Micros::parse(text)
}

//! The arguments that choose the time window of a score.

use clap::Args;

use super::clock;
use super::exit::Exit;
use crate::core::{Addressed, Micros, Window};
use crate::output::WarningCode;

/// `--as-of`, `--from`, `--closed-only`.
#[derive(Debug, Args)]
pub(super) struct WindowArguments {
    /// End of the window, exclusive: a time with an offset, a date or milliseconds [default: now]
    #[arg(long, value_name = "T", value_parser = instant, allow_negative_numbers = true)]
    as_of: Option<Micros>,
    /// Start of the window: a time with an offset, a date or milliseconds [default: unlimited]
    #[arg(long, value_name = "T", value_parser = instant, allow_negative_numbers = true)]
    from: Option<Micros>,
    /// Leave out what is open: the time after a key's last mark, or last change of balance
    #[arg(long)]
    closed_only: bool,
}

impl WindowArguments {
    /// The window, and whether its end is the current time; an error if it ends before it begins.
    pub(super) fn window(&self) -> anyhow::Result<(Window, bool)> {
        let window = Window {
            from: self.from,
            as_of: self.as_of.unwrap_or_else(clock::now),
            closed_only: self.closed_only,
        };
        if let Some(from) = window.from
            && from > window.as_of
        {
            let now = if self.as_of.is_none() { " (now)" } else { "" };
            return Err(Exit::usage(format!(
                "--from: {from} is after --as-of, {}{now}; give an earlier --from ({})",
                window.as_of,
                WarningCode::FromAfterAsOf
            )));
        }
        Ok((window, self.as_of.is_none()))
    }
}

fn instant(text: &str) -> Result<Micros, String> {
    Micros::parse_argument(text).map_err(|error| error.for_service())
}

//! What the process says about itself while it works: events of `tracing`, on standard error.
//!
//! `LOG_LEVEL` chooses how much. Answers and error sentences are not its business; those belong to
//! [`crate::cli`].

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// The variable that is read.
pub const LEVEL_VARIABLE: &str = "LOG_LEVEL";
const DEFAULT_LEVEL: &str = "info";

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error(
    "LOG_LEVEL: {text:?} is no level: give error, warn, info, debug or trace, or targets as in \
     \"info,poh_holdmetrics_rust::host=debug\""
)]
pub struct LevelError {
    text: String,
}

/// Sends events to standard error from now on; a subscriber that is already there is left alone.
///
/// # Errors
/// Where `LOG_LEVEL` is set to something that is no level.
pub fn start() -> Result<(), LevelError> {
    let text = std::env::var(LEVEL_VARIABLE).unwrap_or_default();
    let filter = filter(&text)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .finish();
    // A second start in one process, as in tests, finds the first subscriber at work.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

/// Levels as `tracing` names them, and as Python's `logging` does.
fn filter(text: &str) -> Result<EnvFilter, LevelError> {
    let level = match text.to_ascii_lowercase().as_str() {
        "" => DEFAULT_LEVEL,
        "warning" => "warn",
        "critical" | "fatal" => "error",
        "notset" => "trace",
        _ => text,
    };
    let unknown = || LevelError {
        text: text.to_owned(),
    };
    // A word alone that is no level would be taken for a target, and all others be silenced.
    if level.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        level.parse::<LevelFilter>().map_err(|_| unknown())?;
    }
    EnvFilter::try_new(level).map_err(|_| unknown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_both_languages_are_understood() {
        for (text, level) in [
            ("", "info"),
            ("DEBUG", "debug"),
            ("WARNING", "warn"),
            ("Critical", "error"),
            ("off", "off"),
            (
                "info,poh_holdmetrics_rust=trace",
                "poh_holdmetrics_rust=trace,info",
            ),
        ] {
            assert_eq!(filter(text).unwrap().to_string(), level, "{text}");
        }
        for text in ["loud", "info,=", "a=loud"] {
            let error = filter(text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("LOG_LEVEL: {text:?} is no level")),
                "{error}"
            );
        }
    }
}

//! Events of `tracing` as lines on standard error, for people or for machines.
//!
//! A level chooses how much. Answers and error sentences are not its business; those belong to the
//! command line. Where spans go besides is in [`super::otlp`].

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use super::otlp::SpanLayer;

/// The variable that subcommands without settings read.
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

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineForm {
    /// For people: time, level, sentence, fields.
    #[default]
    Text,
    /// For machines: one JSON object a line, fields and spans inside.
    Json,
}

/// Sends events to standard error from now on, as much as `LOG_LEVEL` says; a subscriber that is
/// already there is left alone.
///
/// # Errors
/// Where `LOG_LEVEL` is set to something that is no level.
pub fn start() -> Result<(), LevelError> {
    let level = std::env::var(LEVEL_VARIABLE).unwrap_or_default();
    start_as(&level, LineForm::Text, None)
}

/// Sends events of `level` to standard error, and spans to `spans`.
///
/// # Errors
/// Where `level` is no level.
pub fn start_as(level: &str, form: LineForm, spans: Option<SpanLayer>) -> Result<(), LevelError> {
    let filter = filter(level)?;
    let subscriber = Registry::default()
        .with(spans)
        .with(lines(form).with_filter(filter));
    // A second start in one process, as in tests, finds the first subscriber at work.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

fn lines<S>(form: LineForm) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match form {
        LineForm::Text => layer.boxed(),
        LineForm::Json => layer.json().flatten_event(true).boxed(),
    }
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

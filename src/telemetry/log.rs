//! Writes `tracing` events as lines to standard error, as text or JSON, filtered by level.
//!
//! Results and error messages of the command line are not logged, see `cli`. [`super::otlp`] exports
//! spans.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use super::otlp::SpanLayer;
use crate::excerpt::quoted;

/// The environment variable for subcommands without settings.
pub(crate) const LEVEL_VARIABLE: &str = "LOG_LEVEL";
const DEFAULT_LEVEL: &str = "info";

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error(
    "LOG_LEVEL: unknown level {}: use error, warn, info, debug or trace, or levels by target as in \
     \"info,poh_holdmetrics_rust::host=debug\"",
    quoted(text)
)]
pub(crate) struct LevelError {
    text: String,
}

/// The format of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LineForm {
    /// Time, level, message, fields.
    #[default]
    Text,
    /// One JSON object per line, with fields and spans.
    Json,
}

/// Starts the log with the level of `LOG_LEVEL`, unless the process has a subscriber already.
///
/// # Errors
/// If `LOG_LEVEL` is not a valid level.
pub(crate) fn start() -> Result<(), LevelError> {
    let level = std::env::var(LEVEL_VARIABLE).unwrap_or_default();
    start_as(&level, LineForm::Text, None)
}

/// Starts the log with this level, and sends spans to `spans`.
///
/// # Errors
/// If `level` is not a valid level.
pub(crate) fn start_as(
    level: &str,
    form: LineForm,
    spans: Option<SpanLayer>,
) -> Result<(), LevelError> {
    let filter = filter(level)?;
    let subscriber = Registry::default()
        .with(spans)
        .with(lines(form).with_filter(filter));
    // Fails if there is a subscriber already, as in tests that start several times.
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

/// Parses the level names of `tracing` and of Python's `logging`.
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
    // `EnvFilter` would take an unknown word for a target and silence all others.
    if level.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        level.parse::<LevelFilter>().map_err(|_| unknown())?;
    }
    EnvFilter::try_new(level).map_err(|_| unknown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_rust_and_python_are_accepted() {
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
                error.starts_with(&format!("LOG_LEVEL: unknown level {text:?}: use")),
                "{error}"
            );
        }
    }
}
